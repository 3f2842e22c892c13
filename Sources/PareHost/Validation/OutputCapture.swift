@preconcurrency import Glibc
import PareTensor

/// What is written to the standard streams while something runs.
enum OutputCapture {
    static func during(_ body: () throws -> Void) throws -> String {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw PareError(.internal, "no pipe to catch output with") }
        // A full pipe must neither stop the plugin nor this check.
        for end in ends { _ = fcntl(end, F_SETFL, fcntl(end, F_GETFL) | O_NONBLOCK) }
        fflush(nil)
        let saved = [dup(1), dup(2)]
        dup2(ends[1], 1)
        dup2(ends[1], 2)
        defer {
            fflush(nil)
            for (stream, copy) in saved.enumerated() where copy >= 0 {
                dup2(copy, Int32(stream + 1))
                close(copy)
            }
            close(ends[0])
            close(ends[1])
        }
        try body()
        fflush(nil)
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = read(ends[0], &buffer, buffer.count)
        return String(decoding: buffer.prefix(max(count, 0)), as: UTF8.self)
    }
}
