import PareFormats
import PareMask
import PareTensor

extension Parameter {
    /// Zero elements once `mask` is applied: those that it removes, and those that are zero by themselves.
    ///
    /// Cost: one reading of the values, by all threads; pages of a large mapped file do not stay in memory.
    func countZeros(under mask: Mask?, threads: Threads) throws -> Int {
        let view = originalView
        guard let base = view.base, view.count > 0 else { return 0 }
        let chunk = 1 << 16
        let chunks = (view.count + chunk - 1) / chunk
        let counts = UnsafeMutablePointer<Int>.allocate(capacity: chunks)
        defer { counts.deallocate() }
        let size = dtype.size
        try threads.tryParallelFor(chunks) { index in
            let first = index * chunk
            let length = min(chunk, view.count - first)
            let part = TensorView(base: base + first * size, dtype: dtype, shape: [length])
            if let mask {
                let block = UnsafeMutableRawPointer.allocate(byteCount: length * size, alignment: 64)
                defer { block.deallocate() }
                try mask.apply(from: base + first * size, to: block, dtype: dtype, first: first, count: length)
                counts[index] = try TensorView(base: block, dtype: dtype, shape: [length]).countZeros()
            } else {
                counts[index] = try part.countZeros()
            }
            releasePages(first..<first + length)
        }
        return (0..<chunks).reduce(0) { $0 + counts[$1] }
    }
}
