/// A strided view of an n-dimensional array in memory that somebody else keeps alive.
///
/// `base` is the address of element (0, …, 0). Strides count elements; they may be 0 (broadcast) or negative.
/// A view never owns: whoever makes one guarantees the memory for as long as the view is used.
public struct TensorView {
    public var base: UnsafeMutableRawPointer?
    public var dtype: DType
    public var shape: [Int]
    public var strides: [Int]

    public init(base: UnsafeMutableRawPointer?, dtype: DType, shape: [Int], strides: [Int]) {
        self.base = base
        self.dtype = dtype
        self.shape = shape
        self.strides = strides
    }

    /// Row-major contiguous view.
    public init(base: UnsafeMutableRawPointer?, dtype: DType, shape: [Int]) {
        self.init(base: base, dtype: dtype, shape: shape, strides: TensorView.contiguousStrides(shape))
    }

    public static func contiguousStrides(_ shape: [Int]) -> [Int] {
        var strides = [Int](repeating: 1, count: shape.count)
        for axis in stride(from: shape.count - 2, through: 0, by: -1) {
            strides[axis] = strides[axis + 1] &* max(shape[axis + 1], 1)
        }
        return strides
    }

    /// Number of elements; shapes are validated where they enter, so the product does not overflow.
    public var count: Int { shape.reduce(1, &*) }

    /// Elements lie one after another in row-major order.
    public var isContiguous: Bool {
        var expected = 1
        for axis in shape.indices.reversed() {
            if shape[axis] == 0 { return true }
            if shape[axis] != 1 {
                if strides[axis] != expected { return false }
                expected = expected &* shape[axis]
            }
        }
        return true
    }
}

/// Sum of counts from outside, none negative; the largest number where it does not fit.
public func clampedSum(_ counts: some Sequence<Int>) -> Int {
    counts.reduce(0) {
        let (sum, overflow) = $0.addingReportingOverflow($1)
        return overflow ? .max : sum
    }
}

/// A count that was computed in floating point, rounded; the largest number where it does not fit.
public func clampedCount(_ count: Double) -> Int { count < 0x1p63 ? Int(count.rounded()) : .max }

/// Product of sizes from outside: nil if one is negative or the product (also in bytes) overflows.
public func checkedCount(_ shape: some Sequence<Int>, elementSize: Int = 1) -> Int? {
    var count = 1
    var empty = false
    for size in shape {
        guard size >= 0 else { return nil }
        if size == 0 {
            empty = true
            continue
        }
        let (product, overflow) = count.multipliedReportingOverflow(by: size)
        guard !overflow else { return nil }
        count = product
    }
    guard !count.multipliedReportingOverflow(by: max(elementSize, 1)).overflow else { return nil }
    return empty ? 0 : count
}
