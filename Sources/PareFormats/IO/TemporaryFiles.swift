@preconcurrency import Glibc

/// Paths of the temporary files that exist now, so that a signal handler can remove them.
///
/// Fixed slots of plain memory, because a handler may neither allocate nor lock. A path that finds no free slot, or is too long for
/// one, is merely not removed when the process is killed.
enum TemporaryFiles {
    private static let slots = 512
    private static let width = 4096
    nonisolated(unsafe) private static var table: UnsafeMutablePointer<CChar>? = nil
    /// Process that the table belongs to: a forked child inherits a copy, but not the files.
    nonisolated(unsafe) private static var owner: pid_t = 0
    nonisolated(unsafe) private static var lock = pthread_mutex_t()

    static func register(_ path: String) {
        pthread_mutex_lock(&lock)
        defer { pthread_mutex_unlock(&lock) }
        if table == nil { table = calloc(slots, width)?.assumingMemoryBound(to: CChar.self) }
        guard let table, path.utf8.count < width else { return }
        if owner != getpid() { memset(table, 0, slots * width) }
        owner = getpid()
        for slot in 0..<slots where table[slot * width] == 0 {
            // The first byte last: until then the slot reads as free.
            let bytes = path.utf8.map { CChar(bitPattern: $0) }
            for index in bytes.indices.reversed() { table[slot * width + index] = bytes[index] }
            return
        }
    }

    static func unregister(_ path: String) {
        pthread_mutex_lock(&lock)
        defer { pthread_mutex_unlock(&lock) }
        guard let table else { return }
        for slot in 0..<slots where strcmp(table + slot * width, path) == 0 {
            memset(table + slot * width, 0, width)
        }
    }

    /// Async-signal-safe: only `getpid`, `unlink` and `rmdir`. Files first, then the folders they were in.
    fileprivate static func removeAll() {
        guard let table, owner == getpid() else { return }
        for slot in 0..<slots where table[slot * width] != 0 { unlink(table + slot * width) }
        for slot in 0..<slots where table[slot * width] != 0 { rmdir(table + slot * width) }
    }
}

/// Remove every temporary file that this process is writing. For a handler of SIGINT or SIGTERM that then ends the process:
/// async-signal-safe.
public func removeTemporaryFiles() { TemporaryFiles.removeAll() }
