import PareTensor

/// Operators that put tensors together, take them apart or repeat them.
enum Joining {
    static let rules: [String: Rule] = [
        "Concat": concat,
        "Split": split,
        "Expand": { view in
            guard let shape = view.shape(0), let target = view.vector(1) else { return [Fact(view.dtype(0))] }
            let wanted = target.map(\.dimension)
            var result = Fact(view.dtype(0), try Broadcast.shapes([shape, wanted]))
            if let sizes = result.sizes { result.elements = view.block(0)?.expanded(to: sizes)?.elements }
            return [result]
        },
        "Tile": { view in
            guard let shape = view.shape(0) else { return [Fact(view.dtype(0))] }
            guard let repeats = view.vector(1) else { return [Fact(view.dtype(0), shape.map { _ in .unknown })] }
            guard repeats.count == shape.count else { throw Contradiction("\(repeats.count) repeats for \(shape.text)") }
            var result = Fact(view.dtype(0), zip(shape, repeats).map { $0.times($1.dimension) })
            if let block = view.block(0), let sizes = result.sizes {
                let strides = block.strides
                result.elements =
                    block.rearranged(sizes) { index in
                        index.indices.reduce(0) { $0 + index[$1] % max(block.shape[$1], 1) * strides[$1] }
                    }?.elements
            }
            return [result]
        },
    ]

    private static let concat: Rule = { view in
        let dtype = view.dtype(0)
        let shapes = view.inputs.compactMap { $0?.shape }
        guard shapes.count == view.inputs.count, let first = shapes.first else { return [Fact(dtype)] }
        guard shapes.allSatisfy({ $0.count == first.count }) else { throw Contradiction("inputs of different rank") }
        let axis = try view.axis(view.node.int("axis", default: 1), rank: first.count)
        var result = first
        for shape in shapes.dropFirst() {
            for other in result.indices {
                result[other] =
                    other == axis
                    ? result[other].plus(shape[other])
                    : try Broadcast.same(result[other], shape[other], "sizes along axis \(other)")
            }
        }
        let blocks = view.inputs.map { $0?.block }
        let known = blocks.compactMap { $0 }
        var fact = Fact(dtype, result)
        if known.count == blocks.count {
            fact.elements = Block.joined(known, axis: axis)?.elements
        } else if first.count == 1, let total = result[0].value, total <= Block.limit {
            // A vector of sizes of which one part is unknown still tells the rest.
            var elements: [Element] = []
            for (block, shape) in zip(blocks, shapes) {
                elements += block?.elements ?? [Element](repeating: .unknown, count: shape[0].value ?? 0)
            }
            if elements.count == total, dtype?.isFloat == false { fact.elements = elements }
        }
        return [fact]
    }

    private static let split: Rule = { view in
        let count = view.node.outputs.count
        guard let shape = view.shape(0) else { return [Fact](repeating: Fact(view.dtype(0)), count: count) }
        let axis = try view.axis(view.node.int("axis", default: 0), rank: shape.count)
        let parts = try partSizes(view, shape[axis], count: count)
        var start = 0
        return parts.map { part in
            var result = shape
            result[axis] = part
            var fact = Fact(view.dtype(0), result)
            if let size = part.value, fact.sizes != nil, let block = view.block(0) {
                fact.elements = block.picked(axis: axis, Array(start..<start + size))?.elements
                start += size
            }
            return fact
        }
    }

    private static func partSizes(_ view: NodeView, _ whole: Dimension, count: Int) throws -> [Dimension] {
        if let given = view.integers(attribute: "split", orInput: 1) {
            guard let given else { return [Dimension](repeating: .unknown, count: count) }
            let sum = try given.reduce(0, plus)
            guard given.count == count, given.allSatisfy({ $0 >= 0 }), whole.value ?? sum == sum else {
                throw Contradiction("split \(given) of \([whole].text) into \(count)")
            }
            return given.map { .size($0) }
        }
        let parts = view.node.int("num_outputs", default: count)
        guard parts >= 1, parts >= count else { throw Contradiction("\(count) outputs, num_outputs \(parts)") }
        guard let size = whole.value else {
            let part = Dimension(whole.monomial.flatMap { $0.divided(by: Monomial(parts)) })
            return [Dimension](repeating: part, count: count)
        }
        // Equal parts, a smaller last one where the size does not divide.
        let part = size / parts + (size % parts == 0 ? 0 : 1)
        return (0..<count).map { .size(max(min(part, size - min(size, part * $0)), 0)) }
    }
}
