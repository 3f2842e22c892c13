/// Status codes, equal to the `PARE_E_*` macros of `pare/base.h` (a test compares them).
public enum Status: Int32, Sendable {
    case argument = 101
    case option = 102
    case notFound = 103
    case unsupported = 104
    case state = 105
    case nothingToDo = 106
    case format = 201
    case shape = 202
    case dtype = 203
    case nonfinite = 204
    case missing = 205
    case memory = 301
    case io = 302
    case cancelled = 401
    case pluginLoad = 501
    case pluginVersion = 502
    case pluginDuplicate = 503
    case pluginFault = 504
    case `internal` = 901
}

/// What went wrong, in parts that a caller can show or act upon.
///
/// `what` is a sentence without a full stop; the other parts may be empty. Wording is here, at the place that knows;
/// only the border (C record, command line) decides how it is laid out.
public struct PareError: Error, Equatable, Sendable, CustomStringConvertible {
    public var status: Status
    public var what: String
    /// File, tensor, node, option or plugin; with a byte offset where one is known.
    public var location: String
    public var found: String
    public var expected: String
    public var hint: String

    public init(
        _ status: Status, _ what: String, at location: String = "", found: String = "", expected: String = "",
        hint: String = ""
    ) {
        self.status = status
        self.what = what
        self.location = location
        self.found = found
        self.expected = expected
        self.hint = hint
    }

    /// One line with everything in it.
    public var description: String {
        var text = location.isEmpty ? what : "\(location): \(what)"
        if !found.isEmpty { text += "; found \(found)" }
        if !expected.isEmpty { text += "; expected \(expected)" }
        if !hint.isEmpty { text += " (\(hint))" }
        return text
    }

    /// The same error, placed inside something larger (a file around a tensor).
    public func within(_ outer: String) -> PareError {
        var copy = self
        copy.location = location.isEmpty ? outer : "\(outer): \(location)"
        return copy
    }
}

/// The known name closest to a misspelt one: fewest edits, at most a third of its length (at least two).
public func nearest(to name: String, in known: some Sequence<String>) -> String? {
    let wanted = Array(name.utf8)
    // Nobody mistypes a name this long, and comparing it takes the square of its length.
    guard wanted.count <= 512 else { return nil }
    let limit = max(2, wanted.count / 3)
    var best: (distance: Int, name: String)?
    for candidate in known where abs(candidate.utf8.count - wanted.count) <= limit {
        let distance = editDistance(wanted, Array(candidate.utf8))
        if distance <= limit, distance < (best?.distance ?? Int.max) { best = (distance, candidate) }
    }
    return best?.name
}

/// Levenshtein distance, with swapped neighbours counted as one edit.
func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    var before = [Int](repeating: 0, count: b.count + 1)
    var last = Array(0...b.count)
    for i in a.indices {
        var row = [i + 1] + [Int](repeating: 0, count: b.count)
        for j in b.indices {
            row[j + 1] = min(last[j + 1] + 1, row[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { row[j + 1] = min(row[j + 1], before[j - 1] + 1) }
        }
        before = last
        last = row
    }
    return last[b.count]
}
