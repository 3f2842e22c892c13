@preconcurrency import Glibc
import PareFormats
import PareTensor

/// Ctrl-C and friends. The first asks the work to stop, which then cleans up after itself; the second ends the process at
/// once, after removing what is half-written.
enum Signals {
    nonisolated(unsafe) private static var count: sig_atomic_t = 0

    static func install() {
        count = 0
        let handler: @convention(c) (Int32) -> Void = { _ in
            Signals.count += 1
            guard Signals.count > 1 else { return }
            removeTemporaryFiles()
            _exit(ExitStatus.cancelled)
        }
        signal(SIGINT, handler)
        signal(SIGTERM, handler)
        // A reader who goes away shows as an error of write, not as a sudden end in the middle of saving.
        signal(SIGPIPE, SIG_IGN)
        // Likewise a limit on the size of files (ulimit -f): the write fails, and what was written is removed.
        signal(SIGXFSZ, SIG_IGN)
    }

    static var shouldStop: Bool { count > 0 }

    /// Throws `.cancelled` once a signal has come: for the places between long calls.
    static func check() throws {
        if shouldStop { throw PareError(.cancelled, "cancelled") }
    }
}
