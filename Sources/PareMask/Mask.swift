import CKernels
import PareTensor

/// Which elements of one array are kept: one bit each, 1 = keep, in row-major order of the stored array.
///
/// Bits are little-endian in 64-bit words, element i in bit i % 64 of word i / 64; bits past the last element are 0.
/// Changing a mask is not safe while another thread uses it.
public final class Mask: @unchecked Sendable {
    public let shape: [Int]
    /// Number of elements.
    public let count: Int
    let words: UnsafeMutablePointer<UInt64>
    private let memory: OwnedBuffer

    public var wordCount: Int { (count + 63) / 64 }

    private init(checked shape: [Int], _ count: Int) throws {
        self.shape = shape
        self.count = count
        let words = max(1, count / 64 + (count % 64 == 0 ? 0 : 1))
        memory = try OwnedBuffer(count: words * 8)
        self.words = memory.base.bindMemory(to: UInt64.self, capacity: words)
        self.words.initialize(repeating: 0, count: words)
    }

    private convenience init(validating shape: [Int]) throws {
        guard let count = checkedCount(shape) else {
            throw PareError(
                .shape, "impossible mask shape", found: "\(shape)", expected: "sizes ≥ 0 whose product fits")
        }
        try self.init(checked: shape, count)
    }

    /// All ones.
    public convenience init(shape: [Int]) throws {
        try self.init(validating: shape)
        ck_set_range(words, 0, count)
    }

    /// All zeros.
    public convenience init(zeros shape: [Int]) throws { try self.init(validating: shape) }

    public convenience init(copying other: Mask) throws {
        try self.init(checked: other.shape, other.count)
        words.update(from: other.words, count: max(1, wordCount))
    }

    /// From bytes of any strides, non-zero = keep.
    /// - Throws: `.dtype` unless the view is bool or uint8.
    public convenience init(bytes view: TensorView) throws {
        try Mask.checkBytes(view)
        try self.init(validating: view.shape)
        view.forEachRun { address, stride, position, run in
            ck_pack_bytes(address, stride, run, words, position)
        }
    }

    /// Ones where the elements of a view, of any dtype, are not zero.
    public convenience init(nonzeroOf view: TensorView) throws {
        try view.validate()
        try self.init(validating: view.shape)
        if view.isContiguous {
            if let base = view.base { ck_nonzero_bits(Int32(view.dtype.rawValue), base, count, words) }
            return
        }
        let chunk = 4096
        try withUnsafeTemporaryAllocation(of: Double.self, capacity: chunk) { buffer in
            guard let values = buffer.baseAddress else { return }
            for first in stride(from: 0, to: count, by: chunk) {
                let part = min(chunk, count - first)
                try view.readFloat64(from: first, count: part, into: values)
                ck_nonzero_bits(Int32(DType.float64.rawValue), values, part, words + first / 64)
            }
        }
    }

    /// From packed little-endian bytes, eight elements each, as `packedBytes` gives them.
    /// - Throws: `.format` for a wrong number of bytes or ones past the last element.
    public convenience init(shape: [Int], packed bytes: UnsafeRawBufferPointer) throws {
        try self.init(validating: shape)
        guard bytes.count == (count + 7) / 8 else {
            throw PareError(
                .format, "wrong size of a packed mask", found: "\(bytes.count) bytes",
                expected: "\((count + 7) / 8) for shape \(shape)")
        }
        for (index, byte) in bytes.enumerated() {
            words[index / 8] |= UInt64(byte) << UInt64(index % 8 * 8)
        }
        guard tailIsClear else {
            throw PareError(.format, "packed mask has ones past its last element", found: "shape \(shape)")
        }
    }

    /// Kept or not, by row-major position; traps out of bounds, as an array does.
    public subscript(index: Int) -> Bool {
        get {
            // Unreachable from outside: positions come from a scan of the array that the mask belongs to.
            precondition(index >= 0 && index < count)
            return words[index / 64] >> UInt64(index % 64) & 1 == 1
        }
        set {
            // Unreachable from outside: positions come from a scan of the array that the mask belongs to.
            precondition(index >= 0 && index < count)
            let bit = UInt64(1) << UInt64(index % 64)
            if newValue { words[index / 64] |= bit } else { words[index / 64] &= ~bit }
        }
    }

    /// Number of ones.
    public var kept: Int { ck_popcount(words, wordCount) }

    public var isAllOnes: Bool { kept == count }

    /// The packed words, `wordCount` of them.
    public func withWords<R>(_ body: (UnsafeBufferPointer<UInt64>) throws -> R) rethrows -> R {
        try body(UnsafeBufferPointer(start: words, count: wordCount))
    }

    /// The packed words for writing; bits past the last element are cleared afterwards.
    public func withMutableWords<R>(_ body: (UnsafeMutableBufferPointer<UInt64>) throws -> R) rethrows -> R {
        defer { clearTail() }
        return try body(UnsafeMutableBufferPointer(start: words, count: wordCount))
    }

    /// Packed little-endian bytes: element i is bit i % 8 of byte i / 8.
    public func packedBytes() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: (count + 7) / 8) { buffer, filled in
            for index in 0..<(count + 7) / 8 {
                buffer.initializeElement(
                    at: index, to: UInt8(truncatingIfNeeded: words[index / 8] >> UInt64(index % 8 * 8)))
            }
            filled = (count + 7) / 8
        }
    }

    /// Writes 0 or 1 into a bool or uint8 view of the same shape.
    public func write(bytes view: TensorView) throws {
        try Mask.checkBytes(view)
        try checkShape(view.shape)
        view.forEachRun { address, stride, position, run in
            ck_unpack_bytes(words, position, run, address, stride)
        }
    }

    func checkShape(_ other: [Int]) throws {
        guard other == shape else {
            throw PareError(.shape, "shapes of masks differ", found: "\(other)", expected: "\(shape)")
        }
    }

    private static func checkBytes(_ view: TensorView) throws {
        guard view.dtype == .bool || view.dtype == .uint8 else {
            throw PareError(
                .dtype, "a mask is read from and written to bytes", found: view.dtype.name, expected: "bool or u8")
        }
        try view.validate()
    }

    func clearTail() {
        if count % 64 != 0 { words[wordCount - 1] &= (1 << UInt64(count % 64)) - 1 }
    }

    private var tailIsClear: Bool { count % 64 == 0 || words[wordCount - 1] >> UInt64(count % 64) == 0 }

    /// Bits past the last element are zero; anything else is a fault of ours.
    public func _checkInvariants() throws {
        guard tailIsClear else { throw PareError(.internal, "mask has ones past its last element") }
    }
}

extension TensorView {
    /// Runs of a byte view along its innermost axis: address, stride, row-major position of the first, length.
    fileprivate func forEachRun(_ body: (UnsafeMutablePointer<UInt8>, Int, Int, Int) -> Void) {
        guard count > 0, let base else { return }
        let bytes = base.assumingMemoryBound(to: UInt8.self)
        if isContiguous { return body(bytes, 1, 0, count) }
        let inner = shape.last ?? 1
        var index = [Int](repeating: 0, count: shape.count)
        for position in stride(from: 0, to: count, by: inner) {
            var rest = position / inner
            var offset = 0
            for axis in shape.indices.dropLast().reversed() {
                index[axis] = rest % shape[axis]
                rest /= shape[axis]
                offset &+= index[axis] &* strides[axis]
            }
            body(bytes + offset, strides.last ?? 1, position, inner)
        }
    }
}
