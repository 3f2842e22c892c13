import PareTensor

/// What one reader says about a parameter.
struct Claim {
    var role: ParameterRole
    var layer: LayerType = .other
    var node: Int
    var slot: Int
    /// nil where it does not matter.
    var layout: WeightLayout?
    var groups = 1
    /// Why this reader does not allow a mask.
    var flaw: String?
}

extension RoleFinder {
    /// The role that operator and input slot give to an initialiser.
    func claim(_ reading: Reading, on initializer: Int) -> Claim {
        let node = graph.nodes[reading.node]
        var claim = Claim(role: .other, node: reading.node, slot: reading.slot)
        switch (node.op, reading.slot) {
        case ("Conv", 1), ("ConvInteger", 1), ("QLinearConv", 3), ("DeformConv", 1):
            claim.groups = max(node.int("group", default: 1), 1)
            weight(&claim, .conv, out: 0, in: 1, reading)
        case ("ConvTranspose", 1):
            claim.groups = max(node.int("group", default: 1), 1)
            weight(&claim, .conv, out: 1, in: 0, reading)
        case ("Gemm", 0), ("Gemm", 1), ("MatMul", 0), ("MatMul", 1), ("MatMulInteger", 1), ("QLinearMatMul", 3):
            matrix(&claim, node, reading)
        case ("RNN", 1), ("RNN", 2), ("GRU", 1), ("GRU", 2), ("LSTM", 1), ("LSTM", 2):
            claim.role = .weight
            claim.layer = .recurrent
            claim.layout = .outFirst
        case ("Conv", 2), ("ConvTranspose", 2), ("DeformConv", 3), ("QLinearConv", 8), ("Gemm", 2), ("RNN", 3), ("GRU", 3),
            ("LSTM", 3):
            claim.role = .bias
            claim.layer = layer(of: node.op)
        case ("BatchNormalization", 1...4): claim.role = [.normScale, .normShift, .normMean, .normVariance][reading.slot - 1]
        case ("InstanceNormalization", 1), ("GroupNormalization", 1), ("LayerNormalization", 1), ("RMSNormalization", 1):
            claim.role = .normScale
        case ("InstanceNormalization", 2), ("GroupNormalization", 2), ("LayerNormalization", 2): claim.role = .normShift
        case ("Gather", 0) where isTable(initializer) && node.int("axis", default: 0) == 0 && reading.axes == [0, 1]:
            claim.role = .embedding
            claim.layer = .embedding
            claim.layout = .outFirst
        case ("Add", _), ("Mul", _): (claim.role, claim.layer) = affine(node, reading, initializer)
        default: break
        }
        if claim.role == .other, isConstant(node.op, reading.slot, initializer) { claim.role = .constant }
        return claim
    }

    /// `out` and `in` are axes of the value as it arrives; the layout is that of the initialiser behind it.
    private func weight(_ claim: inout Claim, _ layer: LayerType, out: Int, in inner: Int, _ reading: Reading) {
        claim.role = .weight
        claim.layer = layer
        guard reading.axes.indices.contains(max(out, inner)) else {
            claim.flaw = "too few axes for a weight"
            return
        }
        // An axis of size 1 has no counterpart behind a reshape; the other one then decides.
        switch (reading.axes[out], reading.axes[inner]) {
        case (0?, _): claim.layout = .outFirst
        case (_, 0?): claim.layout = .inFirst
        default: claim.flaw = "\(graph.nodes[claim.node].op) (node \(claim.node)) takes it with its axes mixed"
        }
    }

    private func matrix(_ claim: inout Claim, _ node: Node, _ reading: Reading) {
        let onTheRight = node.op == "MatMulInteger" || node.op == "QLinearMatMul" || reading.slot == 1
        let flipped = node.op == "Gemm" && node.int(reading.slot == 1 ? "transB" : "transA", default: 0) != 0
        guard reading.axes.count >= 2 else { return }
        // Of two parameters the right one is the weight; the left one is data that an exporter wrote down.
        if !onTheRight, node.inputs.count > 1, initializer(behind: node.inputs[1]) != nil { return }
        guard reading.axes.count == 2 else {
            claim.role = .weight
            claim.layer = .linear
            claim.layout = onTheRight ? .inFirst : .outFirst
            claim.flaw = "a stack of matrices"
            return
        }
        let out = onTheRight != flipped ? 1 : 0
        weight(&claim, .linear, out: out, in: 1 - out, reading)
    }

    func layer(of op: String) -> LayerType {
        switch op {
        case "Conv", "ConvTranspose", "ConvInteger", "QLinearConv", "DeformConv": .conv
        case "Gemm", "MatMul", "MatMulInteger", "QLinearMatMul": .linear
        case "RNN", "GRU", "LSTM": .recurrent
        default: .other
        }
    }

    private func isTable(_ initializer: Int) -> Bool {
        graph.values[initializer].shape?.count == 2 && graph.values[initializer].dtype?.isFloat == true
    }

    /// Integers, single numbers, and the inputs that set up an operator instead of flowing through it.
    private func isConstant(_ op: String, _ slot: Int, _ initializer: Int) -> Bool {
        let value = graph.values[initializer]
        if value.dtype?.isFloat == false { return true }
        if let shape = value.shape, shape.allSatisfy({ $0 == .size(1) }) { return true }
        switch op {
        case "Resize", "Upsample", "Clip", "Pad", "OneHot", "Range": return slot > 0
        case "DequantizeLinear", "QuantizeLinear", "QLinearConv", "QLinearMatMul": return slot > 0
        default: return false
        }
    }
}
