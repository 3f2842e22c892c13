import PareFormats
import PareHost

/// Results of `pare validate` as text and JSON.
enum ValidateText {
    static func list() -> String {
        var fields = Fields()
        for check in Validator.checks { fields.add(check.name, check.about) }
        return fields.text(Style(isOn: false), width: 120)
    }

    static func heading(_ path: String, _ seed: UInt64, _ style: Style) -> String {
        style.bold(Text.printable(path)) + "  " + style.dim("seed \(seed)") + "\n"
    }

    /// What did not simply pass (or all), plugin by plugin, and the counts.
    static func text(_ results: [CheckResult], all: Bool, _ style: Style) -> String {
        var out = ""
        var place = ""
        for result in results where all || result.verdict.isFailure || result.verdict == .warn {
            let here = result.plugin.map { "\($0.kind.name) \"\($0.id)\"" } ?? ""
            if here != place { out += "  \(Text.printable(here))\n" }
            place = here
            out += line(result, style)
        }
        return out + "  " + summary(results, style) + "\n"
    }

    private static func line(_ result: CheckResult, _ style: Style) -> String {
        let name = result.verdict.name
        let word =
            result.verdict.isFailure ? style.red(name) : result.verdict == .warn ? style.yellow(name) : style.dim(name)
        var out = "  " + word + String(repeating: " ", count: 7 - name.count) + result.check
        let isPlain = result.verdict == .pass || result.verdict == .skip
        out += isPlain ? style.dim(result.what.isEmpty ? "" : "  (\(Text.printable(result.what)))") + "\n" : "\n"
        guard !isPlain else { return out }
        let parts = [("rule:", result.about), ("what:", result.what), ("found:", result.found), ("expected:", result.expected)]
        for (label, text) in parts where !text.isEmpty {
            out += "         " + style.dim(label) + String(repeating: " ", count: 10 - label.count) + Text.printable(text) + "\n"
        }
        return out
    }

    private static func summary(_ results: [CheckResult], _ style: Style) -> String {
        func count(_ verdict: Verdict) -> Int { results.filter { $0.verdict == verdict }.count }
        let failed = count(.fail) + count(.crash)
        let seconds = results.reduce(0) { $0 + $1.seconds }
        let text =
            "\(count(.pass)) passed, \(count(.warn)) warned, \(count(.skip)) skipped, \(failed) failed"
            + (count(.crash) > 0 ? " (\(count(.crash)) crashed)" : "")
        return (failed > 0 ? style.red(text) : text) + style.dim("  in \(Double(Int(seconds * 10)) / 10) s")
    }

    static func json(_ reports: [(path: String, results: [CheckResult])], seed: UInt64) -> JSON {
        .object([
            ("pare", .string(Context.version)), ("seed", .int(Int64(clamping: seed))),
            (
                "files",
                .array(
                    reports.map { report in
                        .object([
                            ("path", .string(report.path)),
                            ("passed", .bool(!report.results.contains { $0.verdict.isFailure })),
                            ("results", .array(report.results.map(json))),
                        ])
                    })
            ),
        ])
    }

    private static func json(_ result: CheckResult) -> JSON {
        .object([
            ("check", .string(result.check)),
            ("plugin", result.plugin.map { .object([("kind", .string($0.kind.name)), ("id", .string($0.id))]) } ?? .null),
            ("result", .string(result.verdict.name)), ("description", .string(result.about)), ("what", .string(result.what)),
            ("found", .string(result.found)), ("expected", .string(result.expected)), ("seconds", .double(result.seconds)),
        ])
    }
}
