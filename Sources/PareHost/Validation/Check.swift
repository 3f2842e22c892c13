import PareTensor

/// How a check came out.
public enum Verdict: Int32, Sendable {
    case pass = 0
    /// Allowed, but likely to trouble somebody.
    case warn = 1
    /// Not applicable, or what it builds on failed.
    case skip = 2
    case fail = 3
    /// The plugin took its process down, or did not come back in time.
    case crash = 4

    public var name: String {
        switch self {
        case .pass: "pass"
        case .warn: "warn"
        case .skip: "skip"
        case .fail: "fail"
        case .crash: "crash"
        }
    }

    /// A plugin with such a result is not fit for use.
    public var isFailure: Bool { self == .fail || self == .crash }
}

/// Why a check did not simply pass.
struct Finding: Error {
    var verdict: Verdict
    var what: String
    var found = ""
    var expected = ""

    static func fail(_ what: String, found: String = "", expected: String = "") -> Finding {
        Finding(verdict: .fail, what: what, found: found, expected: expected)
    }

    static func warn(_ what: String, found: String = "", expected: String = "") -> Finding {
        Finding(verdict: .warn, what: what, found: found, expected: expected)
    }

    static func skip(_ why: String) -> Finding { Finding(verdict: .skip, what: why) }
}

/// One question put to a plugin, in a process of its own.
struct Check {
    enum Scope: Equatable {
        /// Once per file.
        case module
        /// Once per plugin of any kind, or of one kind.
        case plugin
        case kind(PluginKind)
        /// Once per plugin of the kinds whose calls are exercised.
        case call
    }

    let name: String
    /// One sentence: what has to hold.
    let about: String
    let scope: Scope
    /// Names of the checks that this one builds on: it is skipped where one of them did not pass.
    let needs: [String]
    /// What a memory fault in this check means; nil for a crash like any other.
    var fault: String?
    let body: (Subject) throws -> Void

    init(
        _ name: String, _ about: String, _ scope: Scope, needs: [String] = [], fault: String? = nil,
        _ body: @escaping (Subject) throws -> Void
    ) {
        self.name = name
        self.about = about
        self.scope = scope
        self.needs = needs
        self.fault = fault
        self.body = body
    }
}

/// A plugin as the survey of its module found it.
public struct PluginName: Equatable, Sendable {
    public var kind: PluginKind
    /// Position in the factory of its kind.
    public var index: UInt32
    public var id: String
}

/// The answer to one check.
public struct CheckResult: Sendable {
    public var check: String
    public var about: String
    /// nil for what concerns the whole file.
    public var plugin: PluginName?
    public var verdict: Verdict
    /// One sentence; "" for a plain pass.
    public var what: String
    public var found: String
    public var expected: String
    public var seconds: Double

    init(_ check: Check, _ plugin: PluginName?, _ finding: Finding, seconds: Double = 0) {
        self.check = check.name
        about = check.about
        self.plugin = plugin
        verdict = finding.verdict
        what = finding.what
        found = finding.found
        expected = finding.expected
        self.seconds = seconds
    }
}
