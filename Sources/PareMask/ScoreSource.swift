import PareTensor

/// Scores of one tensor's units, made on demand: selection asks for them several times instead of keeping them.
///
/// A larger score means keep. Asked twice for a range, a source gives the same bits.
public protocol ScoreSource: AnyObject {
    var unitCount: Int { get }
    /// Scores are float64 rather than float32.
    var isFloat64: Bool { get }
    /// Writes the scores of units `first ..< first + count`; `out` is aligned to 64 bytes and filled with NaN.
    func fill(first: Int, count: Int, into out: UnsafeMutableRawPointer) throws
    /// `fill` may be called for disjoint ranges, and beside other sources' `fill`, at the same time. Sources that say
    /// no are asked by one thread, one after another.
    var isConcurrent: Bool { get }
    /// nil: any range may be asked for. Else ranges start at multiples of it and are this long, but for the last;
    /// `unitCount` means all at once.
    var chunkLimit: Int? { get }
    /// Tensor's name for messages; may be empty.
    var name: String { get }
}

extension ScoreSource {
    public var name: String { "" }
}

/// Scores that lie in memory; the memory outlives the source.
public final class BufferScores: ScoreSource {
    public let unitCount: Int
    public let isFloat64: Bool
    public var isConcurrent: Bool { true }
    public var chunkLimit: Int? { nil }
    private let base: UnsafeRawPointer

    public init(float32 base: UnsafePointer<Float>, count: Int) {
        self.base = UnsafeRawPointer(base)
        unitCount = count
        isFloat64 = false
    }

    public init(float64 base: UnsafePointer<Double>, count: Int) {
        self.base = UnsafeRawPointer(base)
        unitCount = count
        isFloat64 = true
    }

    public func fill(first: Int, count: Int, into out: UnsafeMutableRawPointer) throws {
        let size = isFloat64 ? 8 : 4
        out.copyMemory(from: base + first * size, byteCount: count * size)
    }
}

/// Absolute values of the elements of a view, as float32: what magnitude pruning of single elements ranks by.
public final class MagnitudeScores: ScoreSource {
    public let unitCount: Int
    public var isFloat64: Bool { false }
    public var isConcurrent: Bool { true }
    public var chunkLimit: Int? { nil }
    private let view: TensorView

    /// - Throws: `.shape` for a malformed view.
    public init(_ view: TensorView) throws {
        try view.validate()
        self.view = view
        unitCount = view.count
    }

    public func fill(first: Int, count: Int, into out: UnsafeMutableRawPointer) throws {
        try view.readAbsFloat32(from: first, count: count, into: out.assumingMemoryBound(to: Float.self))
    }
}

/// float32 and float64 scores behind one interface of kernels.
protocol Score: BinaryFloatingPoint {
    associatedtype Key: FixedWidthInteger & SignedInteger & Sendable
    /// An integer of the same order, equal for −0 and +0.
    static func key(_ score: Self) -> Key
    static func tally(
        _ scores: UnsafePointer<Self>, _ count: Int, _ bracket: ClosedRange<Key>, _ list: UnsafeMutablePointer<Key>?,
        _ capacity: Int, _ tally: inout Tally
    ) -> Int
    static func histogram(
        _ scores: UnsafePointer<Self>, _ count: Int, _ bracket: ClosedRange<Key>, _ shift: Int,
        _ bins: UnsafeMutablePointer<UInt64>, _ tally: inout Tally)
    static func histogram(
        keys: UnsafePointer<Key>, _ count: Int, _ bracket: ClosedRange<Key>, _ shift: Int,
        _ bins: UnsafeMutablePointer<UInt64>)
    static func keep(
        _ scores: UnsafePointer<Self>, _ count: Int, above threshold: Key, ties: Bool,
        _ words: UnsafeMutablePointer<UInt64>
    ) -> Int
    static func keepTies(
        _ scores: UnsafePointer<Self>, _ count: Int, at threshold: Key, first: Int,
        _ words: UnsafeMutablePointer<UInt64>)
}
