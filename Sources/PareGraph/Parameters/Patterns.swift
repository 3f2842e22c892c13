import PareTensor

extension RoleFinder {
    private static let layers: Set<String> = ["Conv", "ConvTranspose", "Gemm", "MatMul"]
    private static let norms: Set<String> = [
        "BatchNormalization", "InstanceNormalization", "GroupNormalization", "LayerNormalization", "RMSNormalization",
    ]

    /// Role and layer of a vector that is added to or multiplied with a value: the bias of a layer, or γ and β of a
    /// normalisation that an exporter wrote out.
    func affine(_ node: Node, _ reading: Reading, _ initializer: Int) -> (ParameterRole, LayerType) {
        guard node.inputs.count == 2, isVector(initializer), graph.values[initializer].dtype?.isFloat == true else {
            return (.other, .other)
        }
        let partner = node.inputs[1 - reading.slot]
        if node.op == "Mul" { return (isNormalised(partner) ? .normScale : .other, .other) }
        if let made = maker(of: partner, through: ["Reshape", "Transpose", "Squeeze", "Unsqueeze"]),
            RoleFinder.layers.contains(made.node.op), hasWeight(made.node)
        {
            return (.bias, layer(of: made.node.op))
        }
        return (isScaledNorm(partner) ? .normShift : .other, .other)
    }

    /// One axis longer than 1.
    private func isVector(_ initializer: Int) -> Bool {
        guard let shape = graph.values[initializer].shape else { return false }
        return shape.count { $0 != .size(1) } == 1
    }

    /// Products of two activations have no bias: what is added to them is a mask or a position.
    private func hasWeight(_ node: Node) -> Bool {
        node.inputs.contains { graph.values.indices.contains($0) && self.initializer(behind: $0) != nil }
    }

    /// The value is normalised, but not scaled yet: x / √(mean(…) + ε) written out, or what exporters make of a group
    /// normalisation, an instance normalisation of reshaped data with neutral parameters. The other operators scale.
    private func isNormalised(_ value: Int) -> Bool {
        guard let (_, node) = maker(of: value, through: ["Reshape"]) else { return false }
        if node.op == "InstanceNormalization" { return true }
        guard node.inputs.count == 2 else { return false }
        switch node.op {
        case "Div": return isDeviation(node.inputs[1])
        case "Mul": return node.inputs.contains { isInverseDeviation($0) }
        default: return false
        }
    }

    private func isInverseDeviation(_ value: Int) -> Bool {
        guard let (_, node) = maker(of: value), let input = node.inputs.last else { return false }
        switch node.op {
        case "Reciprocal", "Div": return isDeviation(input)
        case "Pow": return node.inputs.first.map { isMeanPlusEpsilon($0) } ?? false
        default: return false
        }
    }

    private func isDeviation(_ value: Int) -> Bool {
        guard let (_, node) = maker(of: value), let input = node.inputs.first else { return false }
        return node.op == "Sqrt" && isMeanPlusEpsilon(input)
    }

    private func isMeanPlusEpsilon(_ value: Int) -> Bool {
        guard let (_, node) = maker(of: value), node.op == "Add" else { return false }
        return node.inputs.contains { maker(of: $0)?.node.op == "ReduceMean" }
    }

    private func isScaledNorm(_ value: Int) -> Bool {
        guard let (_, node) = maker(of: value) else { return false }
        if node.op == "RMSNormalization" { return true }
        return node.op == "Mul" && node.inputs.count == 2 && node.inputs.contains { isNormalised($0) }
    }

    /// Position of the γ that scales the output of the layer whose weight this is.
    func normScale(after position: Int) -> Int? {
        guard graph.initializers.indices.contains(position) else { return nil }
        let use = self.use(of: graph.initializers[position])
        guard use.role == .weight, let layer = use.node, RoleFinder.layers.contains(graph.nodes[layer].op),
            readings(of: graph.initializers[position]).found.count == 1
        else { return nil }
        var value = graph.nodes[layer].outputs.first
        for _ in 0..<8 {
            guard let current = value, let reader = onlyReader(of: current) else { return nil }
            let node = graph.nodes[reader]
            if RoleFinder.norms.contains(node.op) {
                guard node.inputs.count > 1, node.inputs[0] == current else { return nil }
                return initializer(behind: node.inputs[1])
            }
            let isBias = node.op == "Add" && node.inputs.contains { $0 != current && initializer(behind: $0) != nil }
            guard isBias || ["Identity", "Cast"].contains(node.op) else { return nil }
            value = node.outputs.first
        }
        return nil
    }

    private func onlyReader(of value: Int) -> Int? {
        guard graph.values.indices.contains(value), !outputs.contains(value), readers[value].count == 1,
            graph.values[value].readers.count <= 1
        else { return nil }
        return readers[value][0].node
    }
}

extension Graph {
    /// Position in `initializers` of the scale γ of the normalisation that directly follows the convolution or linear layer
    /// with weight `initializer` (also a position), as the only reader of its output; a bias may come in between.
    /// nil if there is none. Linear in the nodes.
    public func normScaleAfter(_ initializer: Int) -> Int? { RoleFinder(self).normScale(after: initializer) }

    /// `normScaleAfter` for every initialiser in one pass.
    public func normScales() -> [Int?] {
        let finder = RoleFinder(self)
        return initializers.indices.map { finder.normScale(after: $0) }
    }
}
