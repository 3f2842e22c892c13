import ArgumentParser
@preconcurrency import Glibc
import PareFormats
import PareHost
import PareTensor

struct Validate: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check that plugins keep to the rules, each check in a process of its own.",
        discussion: """
            A plugin that crashes or hangs ends one check, not the command. A check is skipped where one that it builds on did \
            not pass. The exit code is 0 when nothing failed, 1 otherwise. docs/validate.md describes every check.
            """)

    @Argument(
        help: "Plugin files, or names of installed plugins' files without .pare.", completion: .file(extensions: ["pare"]))
    var plugins: [String] = []

    @Flag(help: "Print JSON instead of text.")
    var json = false

    @Flag(help: "List checks that passed, too.")
    var all = false

    @Flag(help: "List the checks and end.")
    var list = false

    @Option(help: ArgumentHelp("Only checks that match (* and ?; repeatable).", valueName: "pattern"))
    var include: [String] = []

    @Option(help: ArgumentHelp("Leave out checks that match (repeatable).", valueName: "pattern"))
    var exclude: [String] = []

    @Option(help: "Seed of what is drawn at random; the output names the one used.")
    var seed: UInt64?

    @Flag(help: "Run the checks in this process, for a debugger: the first crash ends it.")
    var inProcess = false

    @Option(help: ArgumentHelp("Time limit of one check.", valueName: "seconds"))
    var timeout = 10.0

    func validate() throws {
        guard list || !plugins.isEmpty else { throw ValidationError("Missing expected argument '<plugins> ...'") }
        guard timeout >= 0.01, timeout <= 86_400 else {
            throw ValidationError("The time limit must lie between 0.01 and 86400 seconds.")
        }
    }

    func run() throws {
        if list { return try Console.print(ValidateText.list()) }
        for pattern in include + exclude where !Validator.checks.contains(where: { NamePattern(pattern).matches($0.name) }) {
            throw PareError(
                .argument, "the pattern matches no check", found: "\"\(pattern)\"", expected: "names as listed by --list",
                hint: nearest(to: pattern, in: Validator.checks.map(\.name)).map { "did you mean \"\($0)\"?" } ?? "")
        }
        var validator = Validator()
        validator.include = include.map { NamePattern($0) }
        validator.exclude = exclude.map { NamePattern($0) }
        validator.seed = seed ?? Validate.freshSeed()
        validator.inProcess = inProcess
        validator.timeout = timeout
        let style = Console.style(Console.output)
        var reports: [(path: String, results: [CheckResult])] = []
        for plugin in plugins {
            let path = Validate.resolve(plugin)
            if !json { try Console.print(ValidateText.heading(path, validator.seed, style)) }
            let results = try validator.validate(path, keepGoing: { !Signals.shouldStop })
            reports.append((path, results))
            if !json { try Console.print(ValidateText.text(results, all: all, style)) }
        }
        if json { try Console.print(ValidateText.json(reports, seed: validator.seed)) }
        if reports.contains(where: { $0.results.contains { $0.verdict.isFailure } }) { throw ExitCode(1) }
    }

    /// A file, or the installed plugin of that name.
    private static func resolve(_ name: String) -> String {
        guard !name.contains("/"), access(name, F_OK) != 0 else { return name }
        let file = name.hasSuffix(".pare") ? name : name + ".pare"
        let candidates = Context.searchFolders.map { "\($0)/\(file)" }
        return candidates.first { access($0, F_OK) == 0 } ?? name
    }

    private static func freshSeed() -> UInt64 {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return UInt64(truncatingIfNeeded: now.tv_nsec / 1000 ^ now.tv_sec) % 1_000_000
    }
}
