import PareMask
import PareTensor

/// Where a tensor is zero by itself, noted while it is read, so that zeros can be counted under a mask without reading it again.
final class ZeroNotes {
    private let lock = Lock()
    private var places: [Int] = []
    private var seen = 0
    private var overflowed = false
    private static let limit = 4096
    private static let piece = 1 << 14

    /// Looks at a chunk of values in stored order whose first element has a known place; chunks may come from several threads.
    func note(_ values: TensorView, firstElement: Int) throws {
        guard values.isContiguous else {
            return lock.withLock {
                seen += values.count
                overflowed = true
            }
        }
        let zeros = try values.countZeros()
        let found = zeros > 0 && zeros <= ZeroNotes.limit ? try zeroPlaces(values).map { $0 + firstElement } : []
        lock.withLock {
            seen += values.count
            overflowed = overflowed || found.count < zeros || places.count + zeros > ZeroNotes.limit
            if !overflowed { places += found }
        }
    }

    private func zeroPlaces(_ values: TensorView) throws -> [Int] {
        try withUnsafeTemporaryAllocation(of: Double.self, capacity: ZeroNotes.piece) { buffer in
            guard let numbers = buffer.baseAddress else { return [] }
            var found: [Int] = []
            for first in stride(from: 0, to: values.count, by: ZeroNotes.piece) {
                let count = min(ZeroNotes.piece, values.count - first)
                try values.readFloat64(from: first, count: count, into: numbers)
                for index in 0..<count where numbers[index] == 0 { found.append(first + index) }
            }
            return found
        }
    }

    /// Whether all of so many elements were looked at: a reading that makes no new scores looks at none.
    func covers(_ count: Int) -> Bool { lock.withLock { seen >= count } }

    /// Zeros that the mask keeps; nil if not every element was noted exactly once, in stored order (padding adds some).
    func kept(by mask: Mask) -> Int? {
        lock.withLock { overflowed || seen != mask.count ? nil : places.filter { mask[$0] }.count }
    }
}
