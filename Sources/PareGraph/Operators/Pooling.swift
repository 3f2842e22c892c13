/// Pooling: windows over the spatial axes of [N, C, spatial …].
enum Pooling {
    static let rules: [String: Rule] = {
        var rules: [String: Rule] = [:]
        for name in ["MaxPool", "AveragePool", "LpPool"] {
            rules[name] = { view in
                let shape = try pooled(view)
                return [Fact(view.dtype(0), shape), Fact(.int64, shape)]
            }
        }
        for name in ["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"] { rules[name] = global }
        rules["RoiAlign"] = { view in
            guard let input = view.shape(0), input.count == 4 else { return [Fact(view.dtype(0))] }
            let height = view.node.int("output_height", default: 1), width = view.node.int("output_width", default: 1)
            let regions = view.shape(1)?.first ?? .unknown
            return [Fact(view.dtype(0), [regions, input[1], Element.int(height).dimension, Element.int(width).dimension])]
        }
        rules["MaxRoiPool"] = { view in
            guard let input = view.shape(0), input.count == 4, let size = view.node.ints("pooled_shape"), size.count == 2
            else { return [Fact(view.dtype(0))] }
            return [Fact(view.dtype(0), [view.shape(1)?.first ?? .unknown, input[1]] + size.map { .size($0) })]
        }
        return rules
    }()

    private static func pooled(_ view: NodeView) throws -> [Dimension]? {
        guard let input = view.shape(0) else { return nil }
        guard let kernel = view.node.ints("kernel_shape"), input.count >= 3, kernel.count == input.count - 2 else {
            throw Contradiction("input \(input.text) and kernel_shape \(view.node.ints("kernel_shape") ?? [])")
        }
        let window = try Window(view, kernel: kernel)
        return try input[..<2] + kernel.indices.map { try window.output(input[$0 + 2], axis: $0) }
    }

    private static let global: Rule = { view in
        guard let input = view.shape(0) else { return [Fact(view.dtype(0))] }
        guard input.count >= 2 else { throw Contradiction("input \(input.text) has no channels") }
        return [Fact(view.dtype(0), input[..<2] + input[2...].map { _ in .size(1) })]
    }
}
