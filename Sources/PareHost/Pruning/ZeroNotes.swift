import PareMask
import PareTensor

/// Where a tensor is zero by itself, noted while it is read, so that zeros can be counted under a mask without reading it again.
final class ZeroNotes {
    private let lock = Lock()
    private var places: [Int] = []
    private var overflowed = false
    private static let limit = 4096

    /// Looks at a chunk of values in stored order whose first element has a known place; chunks may come from several threads.
    func note(_ values: TensorView, firstElement: Int) throws {
        guard values.isContiguous else { return giveUp() }
        let zeros = try values.countZeros()
        guard zeros > 0 else { return }
        var found: [Int] = []
        if zeros <= ZeroNotes.limit {
            let numbers = UnsafeMutablePointer<Double>.allocate(capacity: values.count)
            defer { numbers.deallocate() }
            try values.readFloat64(from: 0, count: values.count, into: numbers)
            found = (0..<values.count).filter { numbers[$0] == 0 }
        }
        lock.withLock {
            overflowed = overflowed || found.count < zeros || places.count + zeros > ZeroNotes.limit
            if !overflowed { places += found.map { $0 + firstElement } }
        }
    }

    /// The values are about to be read from the start again.
    func forget() {
        lock.withLock {
            places = []
            overflowed = false
        }
    }

    /// The values do not lie in stored order.
    func giveUp() { lock.withLock { overflowed = true } }

    /// Zeros that the mask keeps; nil if there were too many to note, or the order was another one.
    func kept(by mask: Mask) -> Int? { lock.withLock { overflowed ? nil : places.filter { mask[$0] }.count } }
}
