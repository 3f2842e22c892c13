import PareTensor

/// Operators that pick or place elements by index.
enum Indexing {
    static let rules: [String: Rule] = [
        "Slice": slice,
        "Gather": gather,
        "GatherElements": { [Fact($0.dtype(0), $0.shape(1))] },
        "GatherND": { view in
            guard let data = view.shape(0), let index = view.shape(1), let depth = index.last else {
                return [Fact(view.dtype(0))]
            }
            let batch = view.node.int("batch_dims", default: 0)
            guard let depth = depth.value else { return [Fact(view.dtype(0))] }
            guard batch >= 0, batch < index.count, try plus(depth, batch) <= data.count else {
                throw Contradiction("indices \(index.text) into \(data.text) with batch_dims \(batch)")
            }
            return [Fact(view.dtype(0), index.dropLast() + data[(batch + depth)...])]
        },
        "ScatterND": Elementwise.keep,
        "ScatterElements": Elementwise.keep,
        "Scatter": Elementwise.keep,
        "TensorScatter": Elementwise.keep,
        "NonZero": { view in
            guard let shape = view.shape(0) else { return [Fact(.int64)] }
            if let block = view.block(0), block.elements.allSatisfy(\.isKnown), let found = nonZero(block) {
                return [Fact(.int64, found)]
            }
            return [Fact(.int64, [.size(max(shape.count, 1)), .unknown])]
        },
        "OneHot": { view in
            guard let indices = view.shape(0) else { return [Fact(view.dtype(2))] }
            let depth = view.block(1)?.elements.first.map { Arithmetic.cast($0, to: .int64).dimension } ?? .unknown
            let axis = try view.axis(view.node.int("axis", default: -1), rank: indices.count + 1)
            var result = indices
            result.insert(depth, at: axis)
            return [Fact(view.dtype(2), result)]
        },
        "Compress": { view in
            guard view.node.attribute("axis") != nil, let shape = view.shape(0) else {
                return [Fact(view.dtype(0), [.unknown])]
            }
            var result = shape
            result[try view.axis(view.node.int("axis", default: 0), rank: shape.count)] = .unknown
            return [Fact(view.dtype(0), result)]
        },
        "NonMaxSuppression": { _ in [Fact(.int64, [.unknown, .size(3)])] },
    ]

    private static func nonZero(_ block: Block) -> Block? {
        let hits = block.elements.indices.filter { block.elements[$0].number != 0 }
        if block.shape.isEmpty {
            return Block(shape: [1, hits.count], elements: hits.map { _ in .int(0) })
        }
        let strides = block.strides
        let rows = block.shape.indices.flatMap { axis in
            hits.map { Element.int($0 / max(strides[axis], 1) % max(block.shape[axis], 1)) }
        }
        return Block(shape: [block.shape.count, hits.count], elements: rows)
    }

    private static let gather: Rule = { view in
        guard let data = view.shape(0), let index = view.shape(1) else { return [Fact(view.dtype(0))] }
        let axis = try view.axis(view.node.int("axis", default: 0), rank: data.count)
        var result = Fact(view.dtype(0), data[..<axis] + index + data[(axis + 1)...])
        guard let block = view.block(0), let positions = view.block(1), let sizes = result.sizes else { return [result] }
        let length = block.shape[axis]
        let wanted = positions.elements.compactMap(\.int).map { $0 < 0 ? $0 + length : $0 }
        guard wanted.count == positions.elements.count else { return [result] }
        guard wanted.allSatisfy({ (0..<length).contains($0) }) else { throw Contradiction("an index is not below \(length)") }
        result.elements = block.picked(axis: axis, wanted)?.reshaped(sizes)?.elements
        return [result]
    }

    private static let slice: Rule = { view in
        guard let shape = view.shape(0) else { return [Fact(view.dtype(0))] }
        let byInput = view.node.attribute("starts") == nil
        let starts = byInput ? view.vector(1) : view.node.ints("starts")?.map { .int($0) }
        let ends = byInput ? view.vector(2) : view.node.ints("ends")?.map { .int($0) }
        let steps: [Element]? = view.has(4) ? view.vector(4) : nil
        var axes = view.node.ints("axes")
        if byInput, view.has(3) {
            guard let known = view.integers(3) else { return [Fact(view.dtype(0), shape.map { _ in .unknown })] }
            axes = known
        }
        guard let count = axes?.count ?? starts?.count ?? view.shape(1)?.first?.value, count <= shape.count else {
            return [Fact(view.dtype(0), shape.map { _ in .unknown })]
        }
        let chosen = try view.axes(axes ?? Array(0..<count), rank: shape.count)
        var result = Fact(view.dtype(0), shape)
        var block = view.block(0)
        for (position, axis) in chosen.enumerated() {
            func entry(_ list: [Element]?) -> Element {
                list.flatMap { $0.indices.contains(position) ? $0[position] : nil } ?? .unknown
            }
            let step = view.has(4) ? entry(steps) : .int(1)
            let cut = try Cut(shape[axis], start: entry(starts), end: entry(ends), step: step)
            result.shape?[axis] = cut.length
            block = cut.positions.flatMap { block?.picked(axis: axis, $0) }
        }
        result.elements = block?.elements
        return [result]
    }
}

/// What a slice takes of one axis.
struct Cut {
    var length: Dimension
    /// Where the taken elements lie, if the axis is short enough to be followed.
    var positions: [Int]?

    init(_ size: Dimension, start: Element, end: Element, step: Element) throws {
        length = .unknown
        guard case .int(let step) = step else { return }
        guard step != 0 else { throw Contradiction("a slice of step 0") }
        guard let size = size.value else {
            let whole = step == 1 && start == .int(0)
            if whole, case .int(let end) = end, end >= Int(Int32.max) { length = size }
            if whole, end == Element(size), size != .unknown { length = size }
            return
        }
        guard case .int(var from) = start, case .int(var to) = end else { return }
        if from < 0 { from += size }
        if to < 0 { to += size }
        let forward = step > 0
        from = min(max(from, 0), forward ? size : size - 1)
        to = min(max(to, forward ? 0 : -1), forward ? size : size - 1)
        let distance = forward ? to - from : from - to
        let stride = Int(clamping: step.magnitude)
        let count = distance <= 0 ? 0 : (distance - 1) / stride + 1
        length = .size(count)
        if count <= Block.limit { positions = (0..<count).map { from + $0 * step } }
    }
}
