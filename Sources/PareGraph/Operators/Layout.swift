import PareTensor

/// Operators that give the same elements another shape or order.
enum Layout {
    static let rules: [String: Rule] = [
        "Reshape": reshape,
        "Flatten": { view in
            guard let shape = view.shape(0) else { return [Fact(view.dtype(0), [.unknown, .unknown])] }
            let axis = view.node.int("axis", default: 1)
            let cut = axis == shape.count ? axis : try view.axis(axis, rank: max(shape.count, 1))
            guard cut <= shape.count else { throw Contradiction("axis \(axis) of \(shape.text)") }
            let result = [Dimension.product(shape[..<cut]), Dimension.product(shape[cut...])]
            return [view.fact(0).reshaped(result)]
        },
        "Squeeze": squeeze,
        "Unsqueeze": { view in
            let axes = view.integers(attribute: "axes", orInput: 1)
            guard let shape = view.shape(0), let axes, let axes else { return [Fact(view.dtype(0))] }
            let rank = shape.count + axes.count
            let added = try view.axes(axes, rank: rank)
            guard Set(added).count == axes.count else { throw Contradiction("axes \(axes) repeat") }
            var rest = shape[...]
            let result = (0..<rank).map { added.contains($0) ? .size(1) : rest.popFirst() ?? .unknown }
            return [view.fact(0).reshaped(result)]
        },
        "Transpose": { view in
            guard let shape = view.shape(0) else { return [Fact(view.dtype(0))] }
            let order = view.node.ints("perm") ?? Array(shape.indices.reversed())
            guard order.sorted() == Array(shape.indices) else { throw Contradiction("perm \(order) of \(shape.text)") }
            var result = Fact(view.dtype(0), order.map { shape[$0] })
            result.elements = view.block(0)?.transposed(order)?.elements
            return [result]
        },
        "DepthToSpace": { view in
            guard let (shape, block) = try blocks(view) else { return [Fact(view.dtype(0))] }
            let area = try times(block, block)
            if let channels = shape[1].value, channels % area != 0 {
                throw Contradiction("\(channels) channels do not split into \(block)x\(block) blocks")
            }
            return [Fact(view.dtype(0), [shape[0], divide(shape[1], area)] + shape[2...].map { $0.times(.size(block)) })]
        },
        "SpaceToDepth": { view in
            guard let (shape, block) = try blocks(view) else { return [Fact(view.dtype(0))] }
            let area = try times(block, block)
            return [Fact(view.dtype(0), [shape[0], shape[1].times(.size(area))] + shape[2...].map { divide($0, block) })]
        },
    ]

    private static func divide(_ size: Dimension, _ divisor: Int) -> Dimension {
        Dimension(size.monomial.flatMap { $0.divided(by: Monomial(divisor)) })
    }

    private static func blocks(_ view: NodeView) throws -> (shape: [Dimension], block: Int)? {
        let block = view.node.int("blocksize", default: 0)
        guard block >= 1 else { throw Contradiction("blocksize is \(block)") }
        guard let shape = view.shape(0) else { return nil }
        guard shape.count == 4 else { throw Contradiction("\(shape.text) is not [N, C, H, W]") }
        return (shape, block)
    }

    private static let squeeze: Rule = { view in
        guard let shape = view.shape(0) else { return [Fact(view.dtype(0))] }
        let result: [Dimension]
        switch view.integers(attribute: "axes", orInput: 1) {
        case .some(.some(let axes)):
            let gone = try view.axes(axes, rank: shape.count)
            for axis in gone where (shape[axis].value ?? 1) != 1 { throw Contradiction("axis \(axis) of \(shape.text) is not 1") }
            result = shape.indices.filter { !gone.contains($0) }.map { shape[$0] }
        case .some(.none): return [Fact(view.dtype(0))]
        case .none:
            guard !shape.contains(.unknown) else { return [Fact(view.dtype(0))] }
            result = shape.filter { $0 != .size(1) }
        }
        return [view.fact(0).reshaped(result)]
    }

    private static let reshape: Rule = { view in
        let target: [Element]
        if let attribute = view.node.ints("shape") {
            target = attribute.map { .int($0) }
        } else if let vector = view.vector(1) {
            target = vector
        } else {
            // The length of the shape vector at least tells the rank.
            let rank = view.shape(1).flatMap { $0.count == 1 ? $0[0].value : nil }
            let shape = rank.flatMap { $0 <= 64 ? [Dimension](repeating: .unknown, count: $0) : nil }
            return [Fact(view.dtype(0), shape)]
        }
        let allowZero = view.node.int("allowzero", default: 0) != 0
        return [view.fact(0).reshaped(try reshaped(view.shape(0), to: target, allowZero: allowZero))]
    }

    /// 0 copies (unless `allowZero`), -1 takes what is left; one unknown entry is found like a -1.
    static func reshaped(_ shape: [Dimension]?, to target: [Element], allowZero: Bool) throws -> [Dimension] {
        var result: [Dimension] = []
        var copied: Set<Int> = []
        var open: [Int] = []
        for (axis, element) in target.enumerated() {
            switch element {
            case .int(-1):
                open.append(axis)
                result.append(.unknown)
            case .int(0) where !allowZero:
                if let shape, axis >= shape.count { throw Contradiction("shape entry 0 at \(axis) of \(shape.text)") }
                copied.insert(axis)
                result.append(shape?[axis] ?? .unknown)
            case .int(let size) where size < 0: throw Contradiction("shape entry \(size)")
            default:
                result.append(element.dimension)
                if result[axis] == .unknown { open.append(axis) }
            }
        }
        guard target.count(where: { $0 == .int(-1) }) <= 1 else { throw Contradiction("several -1 in one shape") }
        guard let shape else { return result }
        // Copied axes are on both sides; leaving them out finds the rest even where they are unknown.
        let total = Dimension.product(shape.indices.filter { !copied.contains($0) }.map { shape[$0] })
        let rest = Dimension.product(result.indices.filter { !copied.contains($0) && !open.contains($0) }.map { result[$0] })
        if open.count == 1, let all = total.monomial, let known = rest.monomial {
            let left = all.divided(by: known)
            if left == nil, all.names.isEmpty, known.names.isEmpty, known.factor != 0 {
                throw Contradiction("\(shape.text) does not reshape to \(result.text)")
            }
            result[open[0]] = Dimension(left)
        } else if open.isEmpty, let before = total.value, let after = rest.value, before != after {
            throw Contradiction("\(shape.text) does not reshape to \(result.text)")
        }
        return result
    }
}
