import CShim
@preconcurrency import Glibc
import PareTensor

/// A file that appears whole under its name or not at all.
///
/// Bytes go in order into a temporary file in the target's folder; `commit` makes them durable (fsync) and renames. Whatever else
/// happens — an error, a cancelled save, the object going away — removes the temporary file.
///
/// Large files bypass the page cache where the file system allows it: copying into the cache costs more processor time than all the
/// rest of saving a model.
public final class AtomicFile {
    public let path: String
    private let overwrite: Bool
    private let temporary: String
    private let buffer: OwnedBuffer
    private var descriptor: Int32
    private var direct: Bool
    private var filled = 0
    private var flushed = 0

    private static let chunk = 4 << 20
    /// Room behind the chunk for the last piece of a `write(count:granule:)`, and the unit of direct writes.
    private static let slack = 4096
    nonisolated(unsafe) private static var serial: Int32 = 0

    /// `expectedSize`: bytes to come, as far as known; checked against the free space and used to choose the way of writing.
    /// `inputs`: files that must not be replaced, because they are being read.
    public init(
        path: String, overwrite: Bool = false, expectedSize: Int = 0, inputs: Set<FileIdentity> = []
    ) throws {
        self.path = path
        self.overwrite = overwrite
        try AtomicFile.checkTarget(path, overwrite: overwrite, inputs: inputs)
        try AtomicFile.checkSpace(path, size: expectedSize)
        buffer = try OwnedBuffer(count: AtomicFile.chunk + AtomicFile.slack, alignment: AtomicFile.slack)
        temporary = AtomicFile.temporaryName(for: path)
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC
        direct = expectedSize >= 2 * AtomicFile.chunk
        descriptor = direct ? cshim_open_direct(temporary, flags, 0o666) : -1
        if descriptor < 0 {
            // Some file systems create the file before they refuse O_DIRECT.
            if direct { unlink(temporary) }
            direct = false
            descriptor = open(temporary, flags, 0o666)
        }
        guard descriptor >= 0 else { throw systemError("cannot be created", at: path, code: errno) }
        TemporaryFiles.register(temporary)
    }

    deinit { discard() }

    /// Append bytes.
    public func write(_ bytes: UnsafeRawBufferPointer) throws {
        try write(count: bytes.count) { target, done in
            target.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[done..<done + target.count]))
        }
    }

    public func write(_ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { try write($0) }
    }

    /// Append a range of a mapped file.
    public func copy(_ range: Range<Int>, of file: MappedFile) throws {
        try write(count: range.count) { target, done in try file.read(range.lowerBound + done, into: target) }
    }

    /// Append `count` bytes that `fill` puts straight into the write buffer, piece by piece: it gets the place for a piece and how many
    /// bytes came before it. Every piece but the last has a multiple of `granule` (≤ 4096) bytes.
    public func write(
        count: Int, granule: Int = 1, fill: (UnsafeMutableRawBufferPointer, Int) throws -> Void
    ) throws {
        var done = 0
        while done < count {
            let room = AtomicFile.chunk - filled
            let piece = min(count - done, (room + granule - 1) / granule * granule)
            try fill(UnsafeMutableRawBufferPointer(start: buffer.base + filled, count: piece), done)
            filled += piece
            done += piece
            if filled >= AtomicFile.chunk { try flushChunk() }
        }
    }

    /// Finish, make durable and show under the final name.
    public func commit() throws {
        try finish()
        try publish()
    }

    /// Write what is left and make it durable; the target is still untouched. Step one of committing several files together.
    func finish() throws {
        let size = flushed + filled
        let pad = direct
        if pad {
            // Direct writes are whole blocks: pad the last one, then cut.
            let padded = (filled + AtomicFile.slack - 1) / AtomicFile.slack * AtomicFile.slack
            memset(buffer.base + filled, 0, padded - filled)
            try put(padded)
        } else {
            try put(filled)
        }
        if pad, ftruncate(descriptor, off_t(size)) != 0 { throw failure("cannot be written") }
        if fsync(descriptor) != 0 { throw failure("cannot be written") }
        let result = close(descriptor)
        descriptor = -1
        if result != 0 { throw failure("cannot be written") }
    }

    /// Step two: rename. Looks once more for a file that appeared under the name meanwhile.
    func publish() throws {
        if !overwrite { try AtomicFile.checkTarget(path, overwrite: false, inputs: []) }
        guard rename(temporary, path) == 0 else { throw failure("cannot be renamed into place") }
        TemporaryFiles.unregister(temporary)
        committed = true
        syncFolder(of: path)
    }

    private var committed = false

    /// Give up: the temporary file goes, the target stays as it was. Does nothing after `commit`.
    public func discard() {
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
        guard !committed else { return }
        unlink(temporary)
        TemporaryFiles.unregister(temporary)
        committed = true
    }

    private func flushChunk() throws {
        let rest = filled - AtomicFile.chunk
        try put(AtomicFile.chunk)
        memmove(buffer.base, buffer.base + AtomicFile.chunk, rest)
        filled = rest
        flushed += AtomicFile.chunk
    }

    private func put(_ count: Int) throws {
        var done = 0
        while done < count {
            let wrote = Glibc.write(descriptor, buffer.base + done, count - done)
            if wrote < 0, errno == EINTR { continue }
            if wrote < 0, errno == EINVAL, direct, disableDirect() { continue }
            guard wrote > 0 else { throw failure("cannot be written") }
            done += wrote
            // A short direct write would leave the rest misaligned.
            if done < count, direct, done % AtomicFile.slack != 0 { _ = disableDirect() }
        }
    }

    /// Some file systems accept O_DIRECT when opening and refuse it when writing.
    private func disableDirect() -> Bool {
        direct = false
        return cshim_clear_direct(descriptor) == 0
    }

    private func failure(_ what: String) -> PareError { systemError(what, at: path, code: errno) }
}

extension AtomicFile {
    /// Refuse a target that may not be replaced. Called before any work is done.
    static func checkTarget(_ path: String, overwrite: Bool, inputs: Set<FileIdentity>) throws {
        if path.isEmpty || path.utf8.contains(0) {
            throw PareError(.argument, "the path to save to is not a path", found: "\"\(path)\"")
        }
        guard let status = try FileStatus.of(path) else {
            // A dangling link is still something that a rename would replace.
            if !overwrite, try FileStatus.of(path, followLinks: false) != nil { throw exists(path) }
            return
        }
        if inputs.contains(status.identity) {
            throw PareError(
                .argument, "cannot be saved over the file that is open", at: path, hint: "save under another name")
        }
        guard status.kind == .file else {
            throw PareError(
                .argument, "cannot be replaced", at: path, found: status.kind == .folder ? "a folder" : "not a file",
                expected: "a file, or nothing")
        }
        if !overwrite { throw exists(path) }
    }

    private static func exists(_ path: String) -> PareError {
        PareError(.io, "exists already", at: path, hint: "choose another name or allow overwriting")
    }

    private static func checkSpace(_ path: String, size: Int) throws {
        var info = statvfs()
        guard size > 0, statvfs(Path.folder(of: path), &info) == 0, info.f_blocks > 0 else { return }
        let (free, overflow) = Int(clamping: info.f_bavail).multipliedReportingOverflow(by: Int(clamping: info.f_frsize))
        guard !overflow, free < size else { return }
        throw PareError(
            .io, "not enough space on the disk", at: path, found: "\(free) bytes free", expected: "\(size) bytes",
            hint: "free some space or save elsewhere")
    }

    /// A name in the same folder that no other save uses: process, then a running number.
    static func temporaryName(for path: String) -> String {
        pthread_mutex_lock(&serialLock)
        serial &+= 1
        let number = serial
        pthread_mutex_unlock(&serialLock)
        let stem = String(Path.name(of: path).prefix(40))
        return Path.join(Path.folder(of: path), ".\(stem).pare-\(getpid())-\(number).tmp")
    }

    nonisolated(unsafe) private static var serialLock = pthread_mutex_t()
}

/// Make a rename in a folder durable. Not every file system can; the file itself is safe either way.
func syncFolder(of path: String) {
    let descriptor = open(Path.folder(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return }
    fsync(descriptor)
    close(descriptor)
}
