import CShim
import Glibc
import PareTensor

/// Runs one check where it can do no harm: in a child process with a time limit, or in this one for a debugger.
struct Trial {
    var inProcess = false
    /// Seconds.
    var timeout = 10.0

    /// The finding of `body`, which writes it to the board itself; crashes and timeouts are told from outside.
    /// - Parameter fault: what a memory fault means here, nil for nothing special.
    /// - Throws: `.internal` if there is no child process to be had.
    func run(_ board: Board, fault: String?, _ body: @escaping () throws -> Void) throws -> Finding {
        let limit = UInt32(clamping: Int(min(timeout, 86_400) * 1000))
        let task = TrialTask(board, limit: limit, body)
        guard !inProcess else {
            task.run()
            return board.finding ?? .fail("the check came to no end")
        }
        var detail: Int32 = 0
        let outcome = withExtendedLifetime(task) {
            cshim_trial(
                { user in
                    guard let user else { return 1 }
                    let task = Unmanaged<TrialTask>.fromOpaque(user).takeUnretainedValue()
                    Trial.prepareChild(limit: task.limit)
                    task.run()
                    return 0
                }, Unmanaged.passUnretained(task).toOpaque(), limit, &detail)
        }
        let stage = board.stage.isEmpty ? "" : " while \(board.stage)"
        switch outcome {
        case CSHIM_TRIAL_RETURNED:
            return board.finding ?? .fail("the check came to no end")
        case CSHIM_TRIAL_EXITED:
            return Finding(
                verdict: .crash, what: "the plugin ended the process\(stage)", found: "exit code \(detail)",
                expected: "a status")
        case CSHIM_TRIAL_SIGNALLED:
            if let fault, detail == SIGSEGV || detail == SIGBUS {
                return .fail("\(fault)\(stage)", found: Trial.signalName(detail))
            }
            return Finding(verdict: .crash, what: "the plugin crashed\(stage)", found: Trial.signalName(detail))
        case CSHIM_TRIAL_TIMED_OUT:
            return Finding(
                verdict: .crash, what: "the plugin did not return\(stage)", found: "nothing after \(timeout) s",
                expected: "an answer in time (--timeout)")
        default:
            throw PareError(
                .internal, "no child process for a check", found: String(cString: cshim_error_text(detail)))
        }
    }

    /// The child is the one to go when memory runs out, and does not outlive a parent that is gone.
    private static func prepareChild(limit: UInt32) {
        let file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC)
        if file >= 0 {
            _ = write(file, "1000", 4)
            close(file)
        }
        alarm(limit / 1000 + 10)
    }

    static func signalName(_ number: Int32) -> String {
        let names: [Int32: String] = [
            SIGSEGV: "SIGSEGV", SIGBUS: "SIGBUS", SIGABRT: "SIGABRT", SIGILL: "SIGILL", SIGTRAP: "SIGTRAP",
            SIGFPE: "SIGFPE", SIGKILL: "SIGKILL", SIGPIPE: "SIGPIPE", SIGINT: "SIGINT",
        ]
        return names[number].map { "signal \(number), \($0)" } ?? "signal \(number)"
    }
}

/// A check's body with a place for its finding.
private final class TrialTask {
    /// Milliseconds.
    let limit: UInt32
    private let board: Board
    private let body: () throws -> Void

    init(_ board: Board, limit: UInt32, _ body: @escaping () throws -> Void) {
        self.board = board
        self.limit = limit
        self.body = body
    }

    func run() {
        do {
            try body()
            board.finding = board.finding ?? Finding(verdict: .pass, what: "")
        } catch let finding as Finding {
            board.finding = finding
        } catch let error as PareError where error.status == .unsupported {
            board.finding = .skip("this host lacks what it needs: \(error.what)")
        } catch let error as PareError {
            let place = error.location.isEmpty ? "" : "\(error.location): "
            board.finding = .fail(place + error.what, found: error.found, expected: error.expected)
        } catch {
            board.finding = .fail("\(error)")
        }
    }
}
