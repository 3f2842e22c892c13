/// Numpy's broadcasting over dimensions that may have names or be unknown.
enum Broadcast {
    static func shapes(_ all: [[Dimension]]) throws -> [Dimension] {
        let rank = all.map(\.count).max() ?? 0
        var result = [Dimension](repeating: .size(1), count: rank)
        for shape in all {
            let lead = rank - shape.count
            for axis in shape.indices { result[lead + axis] = try dimension(result[lead + axis], shape[axis]) }
        }
        return result
    }

    static func dimension(_ a: Dimension, _ b: Dimension) throws -> Dimension {
        if a == b || b == .size(1) { return a }
        if a == .size(1) { return b }
        switch (a, b) {
        case (.size(let x), .size(let y)): throw Contradiction("sizes \(x) and \(y) do not broadcast")
        case (.size, _): return a
        case (_, .size): return b
        default: return .unknown
        }
    }

    /// Two statements about one dimension.
    static func same(_ a: Dimension, _ b: Dimension, _ what: String) throws -> Dimension {
        if case .size(let x) = a, case .size(let y) = b, x != y { throw Contradiction("\(what): \(x) and \(y)") }
        return a.value != nil || b == .unknown ? a : b
    }
}
