import PareTensor

/// Reductions over axes, and what picks along one axis.
enum Reduction {
    static let rules: [String: Rule] = {
        var rules: [String: Rule] = [:]
        for name in ["L1", "L2", "LogSum", "LogSumExp", "Mean", "SumSquare"] { rules["Reduce\(name)"] = reduce(nil) }
        rules["ReduceSum"] = reduce(Arithmetic.add)
        rules["ReduceProd"] = reduce(Arithmetic.multiply)
        rules["ReduceMax"] = reduce(Arithmetic.largest)
        rules["ReduceMin"] = reduce(Arithmetic.smallest)
        rules["ArgMax"] = position
        rules["ArgMin"] = position
        rules["TopK"] = top
        rules["CumSum"] = cumulate
        return rules
    }()

    private static func reduce(_ function: Arithmetic.Binary?) -> Rule {
        { view in
            let dtype = view.dtype(0)
            guard let shape = view.shape(0) else { return [Fact(dtype)] }
            let keep = view.node.int("keepdims", default: 1) != 0
            var axes: [Int]? = []
            if let given = view.integers(attribute: "axes", orInput: 1) { axes = try given.map { try view.axes($0, rank: shape.count) } }
            guard var axes else { return [Fact(dtype, keep ? shape.map { _ in .unknown } : nil)] }
            if axes.isEmpty {
                if view.node.int("noop_with_empty_axes", default: 0) != 0 { return [view.fact(0)] }
                axes = Array(shape.indices)
            }
            var result = Fact(dtype, without(axes, of: shape, keep: keep))
            if let function, shape.count == 1, axes == [0], let all = view.block(0)?.elements, let first = all.first {
                result.elements = [all.dropFirst().reduce(first) { Arithmetic.round(function($0, $1), to: dtype) }]
            }
            return [result]
        }
    }

    private static func without(_ axes: [Int], of shape: [Dimension], keep: Bool) -> [Dimension] {
        shape.indices.compactMap { axes.contains($0) ? (keep ? .size(1) : nil) : shape[$0] }
    }

    private static let position: Rule = { view in
        guard let shape = view.shape(0) else { return [Fact(.int64)] }
        let axis = try view.axis(view.node.int("axis", default: 0), rank: shape.count)
        return [Fact(.int64, without([axis], of: shape, keep: view.node.int("keepdims", default: 1) != 0))]
    }

    private static let top: Rule = { view in
        guard var shape = view.shape(0) else { return [Fact(view.dtype(0)), Fact(.int64)] }
        let axis = try view.axis(view.node.int("axis", default: -1), rank: shape.count)
        let count: Element? = view.node.attribute("k") == nil ? view.vector(1)?.first : .int(view.node.int("k", default: 0))
        shape[axis] = count?.dimension ?? .unknown
        return [Fact(view.dtype(0), shape), Fact(.int64, shape)]
    }

    private static let cumulate: Rule = { view in
        var result = Fact(view.dtype(0), view.shape(0))
        guard let block = view.block(0), block.shape.count == 1, view.node.int("reverse", default: 0) == 0,
            view.node.int("exclusive", default: 0) == 0
        else { return [result] }
        var sum = Element.int(0)
        result.elements = block.elements.enumerated().map { index, element in
            sum = index == 0 ? element : Arithmetic.round(Arithmetic.add(sum, element), to: result.dtype)
            return sum
        }
        return [result]
    }
}
