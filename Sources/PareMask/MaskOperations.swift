import CKernels
import PareTensor

extension Mask: Equatable {
    /// Same shape and same bits.
    public static func == (a: Mask, b: Mask) -> Bool {
        guard a.shape == b.shape else { return false }
        for i in 0..<a.wordCount where a.words[i] != b.words[i] { return false }
        return true
    }
}

/// Set operations in place; both masks have the same shape, else `.shape` is thrown and nothing changes.
extension Mask {
    /// Kept in both.
    public func formAnd(_ other: Mask) throws { try combine(other) { $0 & $1 } }

    /// Kept in either.
    public func formOr(_ other: Mask) throws { try combine(other) { $0 | $1 } }

    /// Kept in exactly one.
    public func formXor(_ other: Mask) throws { try combine(other) { $0 ^ $1 } }

    /// Kept here and not in the other.
    public func subtract(_ other: Mask) throws { try combine(other) { $0 & ~$1 } }

    /// Kept becomes removed and the other way round.
    public func invert() {
        for i in 0..<wordCount { words[i] = ~words[i] }
        clearTail()
    }

    private func combine(_ other: Mask, _ operation: (UInt64, UInt64) -> UInt64) throws {
        try checkShape(other.shape)
        for i in 0..<wordCount { words[i] = operation(words[i], other.words[i]) }
    }
}

extension Mask {
    /// `destination[i] = kept(first + i) ? source[i] : 0` for `count` elements of 1, 2, 4 or 8 bytes.
    ///
    /// The two may be the same memory. Runs at memory speed; a removed NaN becomes +0 too.
    /// - Throws: `.argument` for a range outside the mask, `.dtype` for another element size.
    public func apply(
        from source: UnsafeRawPointer, to destination: UnsafeMutableRawPointer, elementSize: Int, first: Int, count: Int
    ) throws {
        guard [1, 2, 4, 8].contains(elementSize) else {
            throw PareError(.dtype, "no elements of this size", found: "\(elementSize) bytes", expected: "1, 2, 4 or 8")
        }
        guard first >= 0, count >= 0, first <= self.count, count <= self.count - first else {
            throw PareError(
                .argument, "element range outside the mask", found: "\(count) elements from \(first)",
                expected: "within 0 ..< \(self.count)")
        }
        ck_apply(elementSize, source, destination, words, first, count)
    }

    /// The same by dtype.
    public func apply(
        from source: UnsafeRawPointer, to destination: UnsafeMutableRawPointer, dtype: DType, first: Int, count: Int
    ) throws {
        try apply(from: source, to: destination, elementSize: dtype.size, first: first, count: count)
    }
}
