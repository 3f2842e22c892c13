/// Shape inference of one operator: the facts of a node's outputs, in order; those left out stay unknown.
typealias Rule = @Sendable (NodeView) throws -> [Fact]

enum Registry {
    /// ONNX's own operators by name. One rule serves every operator set version: where a version moved an attribute to
    /// an input, the rule looks at both.
    static let rules: [String: Rule] = {
        let families: [[String: Rule]] = [
            Elementwise.rules, Convolution.rules, Pooling.rules, Normalization.rules, Matrix.rules, Quantized.rules,
            Layout.rules, Joining.rules, Indexing.rules, Resampling.rules, Reduction.rules, Generators.rules,
            Recurrent.rules, Attend.rules, Control.rules,
        ]
        return families.reduce(into: [:]) { all, family in all.merge(family) { first, _ in first } }
    }()

    static func isOwn(_ domain: String) -> Bool { domain.isEmpty || domain == "ai.onnx" }
}

/// Whether Pare knows what an operator does. Nodes of unknown operators are kept as they are and never pruned through.
public func isKnown(op: String, domain: String) -> Bool {
    Registry.isOwn(domain) && Registry.rules[op] != nil
}
