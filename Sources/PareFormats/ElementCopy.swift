import PareTensor

/// Copy an array of any strides into contiguous row-major memory, converted to `dtype` where it has another one: rounded to the nearest
/// even, saturating for integers.
func copyElements(_ source: TensorView, to target: UnsafeMutableRawPointer, as dtype: DType) throws {
    if source.dtype == dtype { return try source.copyContiguous(into: target) }
    try source.validate()
    let view = TensorView(base: target, dtype: dtype, shape: [source.count])
    let chunk = 8192
    try withUnsafeTemporaryAllocation(of: Double.self, capacity: chunk) { buffer in
        guard let values = buffer.baseAddress else { return }
        for first in stride(from: 0, to: source.count, by: chunk) {
            let count = min(chunk, source.count - first)
            try source.readFloat64(from: first, count: count, into: values)
            try view.writeFloat64(from: values, first: first, count: count)
        }
    }
}
