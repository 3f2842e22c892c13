@preconcurrency import Glibc

/// Memory of our own, 64-byte aligned, freed with the object. Its contents are undefined until written.
public final class OwnedBuffer {
    public let base: UnsafeMutableRawPointer
    public let count: Int

    /// Throws `.memory` where the system has not that much.
    public init(count: Int, alignment: Int = 64) throws {
        var pointer: UnsafeMutableRawPointer?
        guard count >= 0, posix_memalign(&pointer, alignment, max(count, 1)) == 0, let pointer else {
            throw PareError(.memory, "not enough memory", found: "a request for \(count) bytes")
        }
        base = pointer
        self.count = count
    }

    deinit { free(base) }

    public var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }
    public var mutableBytes: UnsafeMutableRawBufferPointer { UnsafeMutableRawBufferPointer(start: base, count: count) }
}

/// Throws `.memory` where the system would refuse a block of this size: for what is then held in arrays, which cannot fail softly.
/// Small requests are taken for granted.
public func checkMemory(bytes: Int) throws {
    if bytes > 1 << 26 || bytes < 0 { _ = try OwnedBuffer(count: bytes) }
}
