@preconcurrency import Glibc
import PareTensor

/// A file mapped for reading. Opening costs no more for a large file than for a small one.
///
/// Another process that shortens the file meanwhile makes reads of the lost part fail with SIGBUS: files that are open must be replaced
/// (renamed over), not rewritten in place, as everything that Pare writes is.
public final class MappedFile {
    public let path: String
    /// The whole contents.
    public let bytes: UnsafeRawBufferPointer
    /// nil for bytes that came from memory.
    public let identity: FileIdentity?
    private let descriptor: Int32
    private let owned: OwnedBuffer?

    /// Refuses folders, pipes and devices. An empty file is fine here.
    public init(path: String) throws {
        // Without O_NONBLOCK a pipe that nobody writes would block here.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw systemError("the file cannot be opened", at: path, code: errno) }
        do {
            let (bytes, identity) = try MappedFile.map(descriptor, path: path)
            self.bytes = bytes
            self.identity = identity
        } catch {
            close(descriptor)
            throw error
        }
        self.path = path
        self.descriptor = descriptor
        owned = nil
    }

    /// A copy of bytes in memory, under a name for messages.
    public init(bytes: UnsafeRawBufferPointer, name: String) throws {
        let buffer = try OwnedBuffer(count: bytes.count)
        buffer.mutableBytes.copyMemory(from: bytes)
        path = name
        self.bytes = buffer.bytes
        owned = buffer
        identity = nil
        descriptor = -1
    }

    deinit {
        guard descriptor >= 0 else { return }
        if let base = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: base), bytes.count) }
        close(descriptor)
    }

    private static func map(_ descriptor: Int32, path: String) throws -> (UnsafeRawBufferPointer, FileIdentity) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw systemError("the file cannot be examined", at: path, code: errno) }
        let info = FileStatus(status)
        guard info.kind == .file else {
            throw PareError(
                .io, "this is not a file", at: path, found: info.kind == .folder ? "a folder" : "a pipe or a device",
                expected: "a regular file")
        }
        guard info.size > 0 else { return (UnsafeRawBufferPointer(start: nil, count: 0), info.identity) }
        guard let base = mmap(nil, info.size, PROT_READ, MAP_SHARED, descriptor, 0), base != MAP_FAILED else {
            throw systemError("the file cannot be mapped", at: path, code: errno)
        }
        return (UnsafeRawBufferPointer(start: base, count: info.size), info.identity)
    }

    public var count: Int { bytes.count }

    /// Copy a range that lies in the file into `target`. Read through the descriptor: that costs half of what touching
    /// mapped pages for the first time does, and leaves none of them in memory.
    func read(_ offset: Int, into target: UnsafeMutableRawBufferPointer) throws {
        guard descriptor >= 0 else {
            target.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + target.count]))
            return
        }
        var done = 0
        while done < target.count {
            let got = pread(
                descriptor, target.baseAddress.map { $0 + done }, target.count - done, off_t(offset + done))
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw systemError("the file cannot be read", at: path, code: errno) }
            guard got > 0 else {
                throw PareError(
                    .io, "the file became shorter while it was being read", at: "\(path): byte \(offset + done)",
                    hint: "do not rewrite a model in place while it is open")
            }
            done += got
        }
    }

    /// Ask for a range ahead of use. A hint: failures do not matter.
    public func willNeed(_ range: Range<Int>) { advise(range, MADV_WILLNEED, outward: true) }

    /// Let the pages wholly inside a range go from this process; they come back when touched.
    public func dropPages(_ range: Range<Int>) { advise(range, MADV_DONTNEED, outward: false) }

    /// The same for every page that reading the range has brought in: the kernel maps 64 KiB around each fault.
    func releasePages(_ range: Range<Int>) {
        let window = 1 << 16
        let lower = range.lowerBound / window * window
        advise(lower..<max(lower, min((range.upperBound + window - 1) / window * window, bytes.count)), MADV_DONTNEED, outward: true)
    }

    private func advise(_ range: Range<Int>, _ advice: Int32, outward: Bool) {
        guard descriptor >= 0, let base = bytes.baseAddress else { return }
        let page = Int(getpagesize())
        let bounds = range.clamped(to: 0..<bytes.count)
        let lower = (outward ? bounds.lowerBound : bounds.lowerBound + page - 1) / page * page
        let upper = outward || bounds.upperBound == bytes.count ? bounds.upperBound : bounds.upperBound / page * page
        guard lower < upper else { return }
        _ = madvise(UnsafeMutableRawPointer(mutating: base + lower), upper - lower, advice)
    }
}
