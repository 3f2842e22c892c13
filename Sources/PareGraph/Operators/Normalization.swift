/// Normalisations keep the shape of their first input.
enum Normalization {
    static let rules: [String: Rule] = {
        var rules: [String: Rule] = [:]
        for name in [
            "InstanceNormalization", "GroupNormalization", "LRN", "LpNormalization", "MeanVarianceNormalization",
            "RMSNormalization",
        ] { rules[name] = Elementwise.keep }
        rules["BatchNormalization"] = batch
        rules["LayerNormalization"] = layer
        return rules
    }()

    /// Also mean and variance [C], in training mode and in the old versions that always had them.
    private static let batch: Rule = { view in
        let input = view.shape(0)
        if let input, input.count > 1, let scale = view.shape(1), scale.count == 1 {
            _ = try Broadcast.same(input[1], scale[0], "channels and scale")
        }
        let statistics = Fact(view.dtype(3), view.shape(3))
        return [Fact(view.dtype(0), input)] + [Fact](repeating: statistics, count: 4)
    }

    /// Also mean and inverse deviation, with the normalised axes reduced to 1.
    private static let layer: Rule = { view in
        guard let input = view.shape(0) else { return [Fact(view.dtype(0))] }
        let axis = try view.axis(view.node.int("axis", default: -1), rank: input.count)
        let reduced = input.enumerated().map { $0 < axis ? $1 : .size(1) }
        return [Fact(view.dtype(0), input), Fact(.float32, reduced), Fact(.float32, reduced)]
    }
}
