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

    /// The argument parser's message in the same form. `full` is its long form, which ends with where to get help.
    static func usage(message: String, full: String, hint: String?, _ style: Style) -> String {
        var lines = message.split(separator: "\n").map(String.init)
        let choices = lines.dropFirst().map { $0.hasPrefix("  - ") ? String($0.dropFirst(4)) : $0 }
        var what = lines.isEmpty ? message : lines.removeFirst()
        for ending in [" Please provide one of the following:", "."] where what.hasSuffix(ending) {
            what.removeLast(ending.count)
        }
        if let first = what.first, let second = what.dropFirst().first, first.isUppercase, second.isLowercase {
            what = first.lowercased() + what.dropFirst()
        }
        let see = full.split(separator: "\n").last { $0.hasPrefix("  See '") }.map { line in
            "see '" + line.dropFirst(7).prefix { $0 != "'" } + "'"
        }
        let hints = [hint, see].compactMap { $0 }
        return text(
            PareError(.argument, what, expected: choices.joined(separator: ", "), hint: hints.joined(separator: "; ")), style)
    }
}
