import PareMask
import PareTensor

extension TensorView {
    /// Zero elements once `mask` is applied: those that it removes, and those that are zero by themselves.
    ///
    /// The view is contiguous. Cost: one reading of the data, by all threads.
    func countZeros(under mask: Mask?, threads: Threads) throws -> Int {
        guard let mask, let base else { return try countZeros() }
        let chunk = 1 << 16
        let chunks = (count + chunk - 1) / chunk
        let counts = UnsafeMutablePointer<Int>.allocate(capacity: max(chunks, 1))
        defer { counts.deallocate() }
        try threads.tryParallelFor(chunks) { index in
            let first = index * chunk
            let length = min(chunk, count - first)
            let block = UnsafeMutableRawPointer.allocate(byteCount: length * dtype.size, alignment: 64)
            defer { block.deallocate() }
            try mask.apply(from: base + first * dtype.size, to: block, dtype: dtype, first: first, count: length)
            counts[index] = try TensorView(base: block, dtype: dtype, shape: [length]).countZeros()
        }
        return (0..<chunks).reduce(0) { $0 + counts[$1] }
    }
}
