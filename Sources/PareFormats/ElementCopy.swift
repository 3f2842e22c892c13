import PareTensor

/// Copy a strided array into contiguous row-major memory, element for element.
func copyElements(_ source: TensorView, to target: UnsafeMutableRawPointer, as dtype: DType, at name: String) throws {
    guard source.dtype == dtype else {
        throw PareError(.dtype, "new values have another type", at: name, found: source.dtype.name, expected: dtype.name)
    }
    let size = dtype.size
    guard let base = source.base, source.count > 0 else { return }
    if source.isContiguous {
        target.copyMemory(from: base, byteCount: source.count * size)
        return
    }
    let rank = source.shape.count
    let inner = source.shape[rank - 1]
    let step = source.strides[rank - 1] * size
    var index = [Int](repeating: 0, count: rank)
    var from = 0
    for row in 0..<source.count / inner {
        for column in 0..<inner {
            (target + (row * inner + column) * size).copyMemory(from: base + from * size + column * step, byteCount: size)
        }
        for axis in stride(from: rank - 2, through: 0, by: -1) {
            index[axis] += 1
            from += source.strides[axis]
            if index[axis] < source.shape[axis] { break }
            from -= source.strides[axis] * source.shape[axis]
            index[axis] = 0
        }
    }
}
