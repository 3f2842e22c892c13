import PareTensor

/// Memory of a constant that was computed rather than read.
final class FoldedBytes {
    let pointer: UnsafeMutableRawBufferPointer

    init(count: Int) { pointer = .allocate(byteCount: count, alignment: 8) }

    deinit { pointer.deallocate() }
}

extension TensorData {
    /// A tensor of integers or booleans, held by its own buffer; values are cut to the element type's width.
    init(integers: [Int], dtype: DType, shape: [Int]) {
        let memory = FoldedBytes(count: integers.count * dtype.size)
        for (index, value) in integers.enumerated() {
            let offset = index * dtype.size
            switch dtype.size {
            case 1: memory.pointer.storeBytes(of: UInt8(truncatingIfNeeded: value), toByteOffset: offset, as: UInt8.self)
            case 2: memory.pointer.storeBytes(of: Int16(truncatingIfNeeded: value), toByteOffset: offset, as: Int16.self)
            case 4: memory.pointer.storeBytes(of: Int32(truncatingIfNeeded: value), toByteOffset: offset, as: Int32.self)
            default: memory.pointer.storeBytes(of: Int64(value), toByteOffset: offset, as: Int64.self)
            }
        }
        self.init(dtype: dtype, shape: shape, bytes: UnsafeRawBufferPointer(memory.pointer), owner: memory)
    }
}
