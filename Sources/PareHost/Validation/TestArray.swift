import CPare
import Glibc
import PareTensor

/// An array to show to a plugin: any dtype, laid out in any way, in pages of its own with unreadable pages around them.
final class TestArray {
    enum Layout: String, CaseIterable {
        case contiguous
        /// First axis fastest.
        case transposed
        /// Elements between those that belong to the view; they read as NaN.
        case gaps
        /// Every axis runs backwards.
        case reversed
        /// One byte off its natural alignment.
        case misaligned
    }

    let view: TensorView
    private let pages: UnsafeMutableRawPointer
    private let pagesSize: Int
    private let inner: UnsafeMutableRawPointer
    private let innerSize: Int
    private static let page = Int(getpagesize())

    /// - Parameter values: in row-major order; what the dtype cannot hold is rounded.
    /// - Parameter flush: the last byte is the last one that can be read. Otherwise there is room on both sides.
    init(
        _ values: [Double], shape: [Int], dtype: DType = .float32, layout: Layout = .contiguous, flush: Bool = false
    ) throws {
        let strides = TestArray.strides(shape, layout)
        let count = shape.reduce(1, *)
        let reach = zip(shape, strides).map { (max($0, 1) - 1) * $1 }
        let (low, high) = (reach.filter { $0 < 0 }.reduce(0, +), reach.filter { $0 > 0 }.reduce(0, +))
        let bytes = count == 0 ? 0 : (high - low + 1) * dtype.size
        let room = flush ? 0 : 128
        let shift = layout == .misaligned ? 1 : 0
        innerSize = (bytes + 2 * room + shift + TestArray.page - 1) / TestArray.page * TestArray.page
        pagesSize = innerSize + 2 * TestArray.page
        guard let block = mmap(nil, pagesSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), block != MAP_FAILED else {
            throw PareError(.memory, "no memory for a test array", found: "\(pagesSize) bytes")
        }
        pages = block
        inner = block + TestArray.page
        if innerSize > 0 {
            mprotect(inner, innerSize, PROT_READ | PROT_WRITE)
            memset(inner, 0xFF, innerSize)
        }
        // Flush and aligned at once works because pages are multiples of every element size.
        let start = flush ? inner + innerSize - bytes - shift : inner + room + shift
        let base = count == 0 ? nil : start - low * dtype.size
        view = TensorView(base: base, dtype: dtype, shape: shape, strides: strides)
        guard count > 0 else { return }
        if dtype == .float64 {
            try view.writeFloat64(from: values, first: 0, count: count)
        } else {
            try view.writeFloat32(from: values.map { Float($0) }, first: 0, count: count)
        }
    }

    deinit { munmap(pages, pagesSize) }

    private static func strides(_ shape: [Int], _ layout: Layout) -> [Int] {
        let plain = TensorView.contiguousStrides(shape)
        switch layout {
        case .contiguous, .misaligned: return plain
        case .transposed: return TensorView.contiguousStrides(shape.reversed()).reversed()
        case .gaps: return TensorView.contiguousStrides(shape.map { $0 + 1 }).map { $0 * 2 }
        case .reversed: return plain.map { -$0 }
        }
    }

    /// From now on a write to it is a memory fault.
    func protect() { if innerSize > 0 { mprotect(inner, innerSize, PROT_READ) } }

    /// All its bytes, gaps included.
    var bytes: [UInt8] { [UInt8](UnsafeRawBufferPointer(start: inner, count: innerSize)) }

    /// Multiples of 1/64 below 2 in size: exact in every float type, of both signs.
    static func numbers(_ count: Int, seed: UInt64, stream: UInt64, positive: Bool = false) -> [Double] {
        var draws = [Float](repeating: 0, count: max(count, 1))
        RandomStream(seed: seed, stream: stream).uniform(first: 0, count: count, into: &draws)
        return draws.prefix(count).map { draw in
            let step = Double((draw * 127).rounded(.down)) + 1
            return (positive || Int(step) % 2 == 0 ? step : -step) / 64
        }
    }
}
