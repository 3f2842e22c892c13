import CPare
import PareTensor

/// Puts a plugin file through the battery of checks, each in a process of its own.
public struct Validator {
    /// Patterns of check names; no `include` means all.
    public var include: [NamePattern] = []
    public var exclude: [NamePattern] = []
    /// Of everything drawn at random.
    public var seed: UInt64 = 0
    /// Run the checks in this process, without time limits: for debuggers.
    public var inProcess = false
    /// Seconds that one check may take.
    public var timeout = 10.0

    public init() {}

    /// Name and description of every check, in the order in which they run.
    public static var checks: [(name: String, about: String)] { (moduleChecks + pluginChecks).map { ($0.name, $0.about) } }

    private static var moduleChecks: [Check] { Check.file + Check.module + Check.factories }
    private static var pluginChecks: [Check] {
        Check.descriptor + Check.schema + Check.instance + Check.calls + Check.criterion + Check.allocator + Check.metric
            + [Check.otherKinds]
    }

    /// All results for one file, in order; each is also handed to `each` as soon as it is there.
    ///
    /// - Parameter keepGoing: asked between checks; false ends the battery.
    /// - Throws: `.notFound` or `.io` for a file that cannot be read, `.cancelled`, `.internal` without child processes.
    public func validate(
        _ path: String, keepGoing: () -> Bool = { true }, each: (CheckResult) -> Void = { _ in }
    ) throws -> [CheckResult] {
        _ = try Loader.identity(of: path)
        var session = Session(path: path, settings: self)
        for check in Validator.moduleChecks {
            guard keepGoing() else { throw PareError(.cancelled, "cancelled", at: path) }
            try session.run(check, nil, each)
        }
        for plugin in session.plugins {
            for check in Validator.pluginChecks where check.concerns(plugin.kind) {
                guard keepGoing() else { throw PareError(.cancelled, "cancelled", at: path) }
                try session.run(check, plugin, each)
            }
        }
        return session.results
    }

    fileprivate func wants(_ check: Check) -> Bool {
        guard !exclude.contains(where: { $0.matches(check.name) }) else { return false }
        return include.isEmpty || include.contains { $0.matches(check.name) }
    }
}

extension Check {
    fileprivate func concerns(_ kind: PluginKind) -> Bool {
        switch scope {
        case .module: false
        case .plugin: true
        case .kind(let own): own == kind
        case .call: Subject.exercised.contains(kind)
        }
    }

    /// Says what is left out for kinds without checks of their own.
    fileprivate static var otherKinds: Check {
        Check("kind-calls", "Calls of the kind's own functions.", .plugin) { subject in
            guard !Subject.exercised.contains(try subject.named().kind) else { return }
            throw Finding.skip("this kind's own functions are not called: file, module, descriptor, schema, create and destroy are checked")
        }
    }
}

/// One run of the battery over one file.
private struct Session {
    let path: String
    let settings: Validator
    private(set) var results: [CheckResult] = []
    private(set) var plugins: [PluginName] = []
    /// Checks that did not pass, or were skipped for such a one; those of a plugin begin with its kind and index.
    private var obstacles: Set<String> = []

    init(path: String, settings: Validator) {
        self.path = path
        self.settings = settings
    }

    mutating func run(_ check: Check, _ plugin: PluginName?, _ each: (CheckResult) -> Void) throws {
        // The list of plugins is needed whether or not its check was asked for.
        let isSurvey = check.name == Check.survey
        guard settings.wants(check) || isSurvey else { return }
        let started = Stopwatch.seconds
        let finding: Finding
        let obstacle = check.needs.first { stands(in: plugin, $0) }
        if let obstacle {
            finding = .skip("it builds on \(obstacle), which did not pass")
        } else {
            let board = try Board()
            let (path, seed) = (path, settings.seed)
            let trial = Trial(inProcess: settings.inProcess, timeout: settings.timeout)
            finding = try trial.run(board, fault: check.fault) {
                try check.body(Subject(path: path, target: plugin, seed: seed, board: board))
            }
            if isSurvey, finding.verdict == .pass { plugins = Survey.read(board.payload) }
        }
        if obstacle != nil || finding.verdict.isFailure { obstacles.insert(Session.key(check.name, plugin)) }
        guard settings.wants(check) || finding.verdict.isFailure else { return }
        let result = CheckResult(check, plugin, finding, seconds: Stopwatch.seconds - started)
        results.append(result)
        each(result)
    }

    /// A check that was not run, or does not apply, is no obstacle.
    private func stands(in plugin: PluginName?, _ name: String) -> Bool {
        obstacles.contains(Session.key(name, plugin)) || obstacles.contains(Session.key(name, nil))
    }

    private static func key(_ name: String, _ plugin: PluginName?) -> String {
        plugin.map { "\($0.kind.rawValue) \($0.index) \(name)" } ?? name
    }
}
