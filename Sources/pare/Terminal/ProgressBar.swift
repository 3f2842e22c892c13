@preconcurrency import Glibc

/// A line on standard error that says how far the work is; nothing at all unless that is a terminal.
final class ProgressBar {
    private let isShown: Bool
    private let width: Int
    /// Set ahead at first: work that is done in a moment shows no bar.
    private var lastDrawn = ProgressBar.seconds() + 0.15
    private var isDirty = false

    init(quiet: Bool) {
        isShown = !quiet && Console.isTerminal(Console.error)
        width = Console.width(Console.error) ?? 80
    }

    /// What long calls are given: draws, and answers false once the user wants to stop.
    var report: (Double, String) -> Bool {
        { fraction, text in
            self.draw(fraction, text)
            return !Signals.shouldStop
        }
    }

    /// The same for one stage of several: its share of the whole bar.
    func report(from: Double, to: Double, _ stage: String) -> (Double, String) -> Bool {
        { fraction, text in
            self.draw(from + (to - from) * fraction, text.isEmpty ? stage : "\(stage) \(text)")
            return !Signals.shouldStop
        }
    }

    /// Removes the line, so that what follows starts on a clean one.
    func finish() {
        if isDirty { Console.printError("\r\u{1B}[K") }
        isDirty = false
    }

    /// At most twenty times a second: terminals are slow.
    private func draw(_ fraction: Double, _ text: String) {
        guard isShown else { return }
        let now = ProgressBar.seconds()
        guard now - lastDrawn >= 0.05 else { return }
        lastDrawn = now
        isDirty = true
        let cells = 24
        let done = Int((min(max(fraction, 0), 1) * Double(cells)).rounded())
        let bar = String(repeating: "█", count: done) + String(repeating: "░", count: cells - done)
        let percent = Numbers.fixed(fraction * 100, 0)
        let head = "\(bar) \(String(repeating: " ", count: max(3 - percent.count, 0)))\(percent) % "
        var line = head + Text.printable(text)
        while Text.width(line) >= width, !line.isEmpty { line.removeLast() }
        Console.printError("\r\(line)\u{1B}[K")
    }

    private static func seconds() -> Double {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
    }
}
