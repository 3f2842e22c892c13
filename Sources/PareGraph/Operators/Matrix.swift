/// Matrix products.
enum Matrix {
    static let rules: [String: Rule] = [
        "MatMul": { [Fact($0.dtype(0), try product($0.shape(0), $0.shape(1)))] },
        "MatMulInteger": { [Fact(.int32, try product($0.shape(0), $0.shape(1)))] },
        "QLinearMatMul": { [Fact($0.dtype(7), try product($0.shape(0), $0.shape(3)))] },
        "Gemm": gemm,
        "Einsum": einsum,
        "Det": { view in
            guard let shape = view.shape(0) else { return [Fact(view.dtype(0))] }
            guard shape.count >= 2 else { throw Contradiction("no matrix in \(shape.text)") }
            return [Fact(view.dtype(0), Array(shape.dropLast(2)))]
        },
    ]

    /// numpy.matmul: leading axes broadcast, a vector is a row on the left and a column on the right.
    static func product(_ left: [Dimension]?, _ right: [Dimension]?) throws -> [Dimension]? {
        guard let left, let right else { return nil }
        guard let inner = left.last, !right.isEmpty else { throw Contradiction("a scalar in a matrix product") }
        let rows = right.count == 1 ? right[0] : right[right.count - 2]
        _ = try Broadcast.same(inner, rows, "inner sizes of \(left.text) and \(right.text)")
        var result = try Broadcast.shapes([Array(left.dropLast(2)), Array(right.dropLast(2))])
        if left.count > 1 { result.append(left[left.count - 2]) }
        if right.count > 1 { result.append(right[right.count - 1]) }
        return result
    }

    private static let gemm: Rule = { view in
        guard let a = view.shape(0), let b = view.shape(1) else { return [Fact(view.dtype(0))] }
        guard a.count == 2, b.count == 2 else { throw Contradiction("matrices \(a.text) and \(b.text)") }
        let flipA = view.node.int("transA", default: 0) != 0, flipB = view.node.int("transB", default: 0) != 0
        _ = try Broadcast.same(a[flipA ? 0 : 1], b[flipB ? 1 : 0], "inner sizes of \(a.text) and \(b.text)")
        let result = [a[flipA ? 1 : 0], b[flipB ? 0 : 1]]
        if let bias = view.shape(2) { _ = try Broadcast.shapes([result, bias]) }
        return [Fact(view.dtype(0), result)]
    }

    private static let einsum: Rule = { view in
        let shapes = view.inputs.compactMap { $0?.shape }
        guard shapes.count == view.inputs.count else { return [Fact(view.dtype(0))] }
        let sum = try EinsteinSum(view.node.string("equation", default: ""), shapes)
        return [Fact(view.dtype(0), sum.output)]
    }
}

/// An Einsum equation with the sizes of its labels.
struct EinsteinSum {
    /// Size of every label, summed ones included; "..." axes are in `batch`.
    private(set) var sizes: [Character: Dimension] = [:]
    private(set) var batch: [Dimension] = []
    private(set) var output: [Dimension] = []

    init(_ equation: String, _ shapes: [[Dimension]]) throws {
        let text = equation.filter { $0 != " " }
        let arrow = text.firstIndex(of: "-")
        let terms = text[..<(arrow ?? text.endIndex)].split(separator: ",", omittingEmptySubsequences: false)
        guard terms.count == shapes.count else { throw Contradiction("\(shapes.count) inputs for equation \(equation)") }
        var counts: [Character: Int] = [:]
        for (term, shape) in zip(terms, shapes) {
            try read(String(term), shape)
            for label in term where label != "." { counts[label, default: 0] += 1 }
        }
        let result: String
        if let arrow {
            result = String(text[arrow...].dropFirst(2))
        } else {
            result = (text.contains(".") ? "." : "") + String(counts.filter { $0.value == 1 }.keys.sorted())
        }
        var placed = false
        for label in result {
            if label == "." {
                if !placed { output += batch }
                placed = true
            } else if let size = sizes[label] {
                output.append(size)
            } else {
                throw Contradiction("\(label) is in the result of \(equation) only")
            }
        }
    }

    private mutating func read(_ term: String, _ shape: [Dimension]) throws {
        let labels = term.filter { $0 != "." }.count
        let hidden = term.contains(".") ? shape.count - labels : 0
        guard hidden >= 0, labels + hidden == shape.count else { throw Contradiction("term \(term) for \(shape.text)") }
        var axis = 0, skipped = false
        for label in term {
            if label == "." {
                if !skipped {
                    batch = try Broadcast.shapes([batch, Array(shape[axis..<axis + hidden])])
                    axis += hidden
                }
                skipped = true
            } else {
                sizes[label] = try sizes[label].map { try Broadcast.dimension($0, shape[axis]) } ?? shape[axis]
                axis += 1
            }
        }
    }
}
