import PareTensor

/// Kind of layer a parameter belongs to. Raw values equal the `PARE_LAYER_*` macros of `pare/kinds/allocator.h`.
public enum LayerType: Int32, CaseIterable, Sendable {
    case other = 0, conv = 1, linear = 2, embedding = 3, recurrent = 4, attention = 5
}

/// What an initialiser is for, according to everyone who reads it.
public struct ParameterUse: Sendable {
    public var role: ParameterRole
    public var layerType: LayerType
    /// The first node that uses it, found through transposes, casts and the like; nil if nobody does. Nodes are in order
    /// of execution, so this is also the layer's depth.
    public var node: Int?
    /// Input of `node` that it arrives at.
    public var slot: Int
    /// Of the initialiser as stored. Recurrent weights are [directions, out, in] and count as `outFirst`.
    public var layout: WeightLayout
    public var groups: Int
    /// A mask on it means what it should: a weight (or an embedding of its own) of floating-point numbers with two or more
    /// axes, and every reader is understood.
    public var prunable: Bool
    /// Why it is not prunable; empty if it is.
    public var reason: String
}

/// One use for each of `graph.initializers`, in that order. Needs `inferShapes` for what is reached through a reshape.
public func analyseParameters(_ graph: Graph) -> [ParameterUse] {
    let finder = RoleFinder(graph)
    return graph.initializers.map { finder.use(of: $0) }
}

extension RoleFinder {
    func use(of initializer: Int) -> ParameterUse {
        let unused = ParameterUse(
            role: .other, layerType: .other, node: nil, slot: 0, layout: .outFirst, groups: 1, prunable: false,
            reason: "nobody reads it")
        guard graph.values.indices.contains(initializer) else { return unused }
        let value = graph.values[initializer]
        let reach = readings(of: initializer)
        let claims = reach.found.map { claim($0, on: initializer) }
        guard let first = claims.min(by: { $0.node < $1.node }) else {
            let role = value.dtype?.isFloat == false ? ParameterRole.constant : .other
            return ParameterUse(
                role: role, layerType: .other, node: nil, slot: 0, layout: .outFirst, groups: 1, prunable: false,
                reason: reach.blocks.first ?? "nobody reads it")
        }
        var use = ParameterUse(
            role: first.role, layerType: first.layer, node: first.node, slot: first.slot, layout: first.layout ?? .outFirst,
            groups: first.groups, prunable: false, reason: "")
        use.reason = objection(claims, reach.blocks, to: value, role: &use.role) ?? ""
        use.prunable = use.reason.isEmpty
        if use.role == .other { use.layerType = .other }
        if use.role == .embedding { use.layerType = .embedding }
        return use
    }

    /// The first reason not to prune; also settles the role where the readers differ.
    private func objection(_ claims: [Claim], _ blocks: [String], to value: Value, role: inout ParameterRole) -> String? {
        let roles = Set(claims.map(\.role))
        if roles.count > 1 {
            // One reader for each role says enough; shared zeros may have hundreds.
            var named: Set<ParameterRole> = []
            let readers = claims.filter { named.insert($0.role).inserted }
                .map { "\($0.role) by \(graph.nodes[$0.node].op) (node \($0.node))" }.joined(separator: ", ")
            let tied = roles == [.embedding, .weight]
            role = tied ? .embedding : .other
            return tied ? "tied: read as \(readers)" : "its readers disagree: read as \(readers)"
        }
        if let block = blocks.first { return block }
        guard role == .weight || role == .embedding else { return "not a weight" }
        guard let dtype = value.dtype, dtype.isFloat else { return "element type \(value.dtype?.name ?? "unknown")" }
        guard let shape = value.shape, shape.count >= 2 else { return "fewer than two axes" }
        if let flaw = claims.lazy.compactMap(\.flaw).first { return flaw }
        if Set(claims.map(\.layout)).count > 1 || Set(claims.map(\.groups)).count > 1 {
            return "its readers take it in different layouts"
        }
        return nil
    }
}
