@preconcurrency import Glibc
import PareFormats
import PareTensor

/// Colours and weights, or plain text where nobody could see them.
struct Style {
    var isOn: Bool

    func bold(_ text: String) -> String { wrap(text, "1") }
    func dim(_ text: String) -> String { wrap(text, "2") }
    func red(_ text: String) -> String { wrap(text, "1;31") }
    func yellow(_ text: String) -> String { wrap(text, "1;33") }

    private func wrap(_ text: String, _ code: String) -> String {
        isOn && !text.isEmpty ? "\u{1B}[\(code)m\(text)\u{1B}[0m" : text
    }
}

/// The standard streams.
enum Console {
    static let output: Int32 = 1
    static let error: Int32 = 2

    static func isTerminal(_ stream: Int32) -> Bool { isatty(stream) == 1 }

    /// Colours go to terminals only, and not against NO_COLOR (no-color.org).
    static func style(_ stream: Int32) -> Style {
        guard isTerminal(stream), environment("NO_COLOR").isEmpty, environment("TERM") != "dumb" else {
            return Style(isOn: false)
        }
        return Style(isOn: true)
    }

    static func environment(_ name: String) -> String { getenv(name).map { String(cString: $0) } ?? "" }

    /// Columns of the terminal behind a stream; nil where there is none.
    static func width(_ stream: Int32) -> Int? {
        var size = winsize()
        guard ioctl(stream, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
        return Int(size.ws_col)
    }

    /// Writes the result to standard output. A reader who has gone away (`pare … | head`) is no error; a full disk is one.
    static func print(_ text: String) throws {
        let code = write(text, to: output)
        guard code == 0 || code == EPIPE else {
            throw PareError(
                .io, "the result could not be written", at: "standard output", found: String(cString: strerror(code)))
        }
    }

    static func print(_ json: JSON) throws { try print(json.text(indent: 2) + "\n") }

    /// Writes to standard error; there is nobody to tell if that fails.
    static func printError(_ text: String) { _ = write(text, to: error) }

    /// 0, or the errno.
    private static func write(_ text: String, to stream: Int32) -> Int32 {
        var text = text
        return text.withUTF8 { bytes in
            var done = 0
            while done < bytes.count {
                let wrote = Glibc.write(stream, bytes.baseAddress.map { $0 + done }, bytes.count - done)
                if wrote < 0, errno == EINTR { continue }
                guard wrote > 0 else { return errno }
                done += wrote
            }
            return 0
        }
    }
}
