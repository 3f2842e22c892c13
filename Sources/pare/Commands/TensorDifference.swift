import Glibc
import PareTensor

/// Element-by-element comparison of two contiguous arrays of one type and shape.
struct TensorDifference {
    /// Elements whose bits differ; −0 and +0 do.
    private(set) var changed = 0
    private(set) var zerosBefore = 0
    private(set) var zerosAfter = 0
    /// Largest absolute difference of two finite elements.
    private(set) var largest = 0.0
    /// Changed elements of which at least one is NaN or infinite.
    private(set) var nonfinite = 0

    private static let chunk = 1 << 14

    /// Cost: one reading of both; equal stretches are compared as bytes.
    init(_ a: TensorView, _ b: TensorView) throws {
        guard a.count > 0, let first = a.base, let second = b.base else { return }
        var before = [Double](repeating: 0, count: TensorDifference.chunk)
        var after = before
        var start = 0
        while start < a.count {
            let count = min(TensorDifference.chunk, a.count - start)
            let offset = start * a.dtype.size
            try before.withUnsafeMutableBufferPointer { try read(a, start, count, $0) }
            if memcmp(first + offset, second + offset, count * a.dtype.size) == 0 {
                let zeros = before[..<count].reduce(0) { $0 + ($1 == 0 ? 1 : 0) }
                zerosBefore += zeros
                zerosAfter += zeros
            } else {
                try after.withUnsafeMutableBufferPointer { try read(b, start, count, $0) }
                compare(before, after, count, first + offset, second + offset, a.dtype.size)
            }
            start += count
        }
    }

    private func read(_ view: TensorView, _ start: Int, _ count: Int, _ out: UnsafeMutableBufferPointer<Double>) throws {
        guard let base = out.baseAddress else { return }
        try view.readFloat64(from: start, count: count, into: base)
    }

    private mutating func compare(
        _ before: [Double], _ after: [Double], _ count: Int, _ first: UnsafeRawPointer, _ second: UnsafeRawPointer, _ size: Int
    ) {
        for index in 0..<count {
            let (x, y) = (before[index], after[index])
            zerosBefore += x == 0 ? 1 : 0
            zerosAfter += y == 0 ? 1 : 0
            guard memcmp(first + index * size, second + index * size, size) != 0 else { continue }
            changed += 1
            let difference = (x - y).magnitude
            if difference.isFinite { largest = max(largest, difference) } else { nonfinite += 1 }
        }
    }
}
