import ArgumentParser
import PareTensor

/// Errors and warnings as the user sees them.
enum ErrorText {
    /// "pare: error: WHAT", then an indented line for each part that is set.
    static func text(_ error: PareError, _ style: Style) -> String {
        var out = "pare: \(style.red("error:")) \(Text.printable(error.what))\n"
        for line in details(error) { out += "  \(line)\n" }
        return out
    }

    static func warning(_ error: PareError, _ style: Style) -> String {
        var out = "pare: \(style.yellow("warning:")) \(Text.printable(error.what))\n"
        for line in details(error) { out += "  \(line)\n" }
        return out
    }

    private static func details(_ error: PareError) -> [String] {
        let parts = [
            ("where:", error.location), ("found:", error.found), ("expected:", error.expected), ("hint:", error.hint),
        ]
        return parts.filter { !$0.1.isEmpty }.map { label, text in
            label + String(repeating: " ", count: 10 - label.count) + Text.printable(text)
        }
    }

    /// The argument parser's message in the same form; `full` is its long form, which ends with the place to get help.
    static func usage(message: String, full: String, _ style: Style) -> String {
        var message = message
        if message.hasSuffix(".") { message.removeLast() }
        if let first = message.first, let second = message.dropFirst().first, first.isUppercase, second.isLowercase {
            message = first.lowercased() + message.dropFirst()
        }
        var out = "pare: \(style.red("error:")) \(Text.printable(message))\n"
        if let see = full.split(separator: "\n").last(where: { $0.hasPrefix("  See '") }) {
            out += "  hint:     see '" + see.dropFirst(7).prefix { $0 != "'" } + "'\n"
        }
        return out
    }
}
