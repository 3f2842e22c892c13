import PareTensor

/// A small tensor whose elements are followed one by one, row-major; never more than `Block.limit` of them.
struct Block {
    static let limit = 4096

    var shape: [Int]
    var elements: [Element]

    /// nil if the count does not fit the shape or is above the limit.
    init?(shape: [Int], elements: [Element]) {
        guard elements.count <= Block.limit, checkedCount(shape) == elements.count else { return nil }
        self.shape = shape
        self.elements = elements
    }

    /// Reads a constant of at most `limit` elements.
    init?(_ data: TensorData) {
        guard let count = checkedCount(data.shape, elementSize: data.dtype.size), count <= Block.limit,
            data.bytes.count >= count * data.dtype.size
        else { return nil }
        let raw = data.bytes
        func load<T: FixedWidthInteger>(_ type: T.Type) -> [Element] {
            (0..<count).map { .int(Int(raw.loadUnaligned(fromByteOffset: $0 * MemoryLayout<T>.size, as: T.self))) }
        }
        shape = data.shape
        switch data.dtype {
        case .int8: elements = load(Int8.self)
        case .uint8: elements = load(UInt8.self)
        case .int16: elements = load(Int16.self)
        case .int32: elements = load(Int32.self)
        case .int64: elements = load(Int64.self)
        case .bool: elements = load(UInt8.self).map { .int($0 == .int(0) ? 0 : 1) }
        case .float32:
            elements = (0..<count).map { .real(Double(raw.loadUnaligned(fromByteOffset: $0 * 4, as: Float.self))) }
        case .float64:
            elements = (0..<count).map { .real(raw.loadUnaligned(fromByteOffset: $0 * 8, as: Double.self)) }
        case .float16, .bfloat16: return nil
        }
    }

    var strides: [Int] { TensorView.contiguousStrides(shape) }

    /// A block of `newShape` whose element at an index is this block's at `offset(index)`.
    func rearranged(_ newShape: [Int], _ offset: ([Int]) -> Int?) -> Block? {
        guard let count = checkedCount(newShape), count <= Block.limit else { return nil }
        var picked: [Element] = []
        picked.reserveCapacity(count)
        var index = [Int](repeating: 0, count: newShape.count)
        for _ in 0..<count {
            guard let position = offset(index), elements.indices.contains(position) else { return nil }
            picked.append(elements[position])
            for axis in index.indices.reversed() {
                index[axis] += 1
                if index[axis] < newShape[axis] { break }
                index[axis] = 0
            }
        }
        return Block(shape: newShape, elements: picked)
    }

    func reshaped(_ newShape: [Int]) -> Block? { Block(shape: newShape, elements: elements) }

    /// Numpy broadcasting; nil if the shapes do not fit.
    func expanded(to target: [Int]) -> Block? {
        if target == shape { return self }
        guard target.count >= shape.count else { return nil }
        let lead = target.count - shape.count
        let steps = strides
        for axis in shape.indices where shape[axis] != 1 && shape[axis] != target[lead + axis] { return nil }
        return rearranged(target) { index in
            shape.indices.reduce(0) { shape[$1] == 1 ? $0 : $0 + index[lead + $1] * steps[$1] }
        }
    }

    func transposed(_ order: [Int]) -> Block? {
        guard order.count == shape.count, order.allSatisfy(shape.indices.contains) else { return nil }
        let steps = strides
        return rearranged(order.map { shape[$0] }) { index in
            order.indices.reduce(0) { $0 + index[$1] * steps[order[$1]] }
        }
    }

    /// Entries of one axis, in the order of `positions`; those are non-negative.
    func picked(axis: Int, _ positions: [Int]) -> Block? {
        guard shape.indices.contains(axis), positions.allSatisfy({ (0..<shape[axis]).contains($0) }) else { return nil }
        var newShape = shape
        newShape[axis] = positions.count
        let steps = strides
        return rearranged(newShape) { index in
            index.indices.reduce(0) { $0 + ($1 == axis ? positions[index[$1]] : index[$1]) * steps[$1] }
        }
    }

    static func joined(_ blocks: [Block], axis: Int) -> Block? {
        guard let first = blocks.first, first.shape.indices.contains(axis) else { return nil }
        guard blocks.allSatisfy({ $0.shape.count == first.shape.count }) else { return nil }
        var shape = first.shape
        shape[axis] = blocks.reduce(0) { $0 + $1.shape[axis] }
        let rows = first.shape[..<axis].reduce(1, &*)
        var elements: [Element] = []
        for row in 0..<rows {
            for block in blocks {
                let width = block.shape[axis...].reduce(1, &*)
                guard width >= 0, (row + 1) * width <= block.elements.count else { return nil }
                elements += block.elements[row * width..<(row + 1) * width]
            }
        }
        return Block(shape: shape, elements: elements)
    }
}
