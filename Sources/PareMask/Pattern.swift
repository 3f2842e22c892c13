import PareTensor

/// What is kept or removed together. Raw values equal the `PARE_GRANULARITY_*` macros.
public enum Granularity: Int32, Sendable, CaseIterable {
    case element = 0
    case nm = 1
    case block = 2
    case row = 3
    case column = 4
    case channel = 5
}

/// What to do where m or a block does not divide the dimension. Raw values equal the `PARE_REMAINDER_*` macros.
public enum Remainder: Int32, Sendable, CaseIterable {
    case refuse = 0
    case skip = 1
    case pad = 2
}

/// Granularity of a mask with its sizes. Only valid patterns exist.
///
/// A weight is seen as a matrix: rows are output features, columns are input features times kernel positions.
public struct Pattern: Equatable, Sendable {
    public let granularity: Granularity
    /// N:M: how many of each `m` are kept; 0 otherwise.
    public let n: Int
    public let m: Int
    /// Block: its size in rows and columns; 0 otherwise.
    public let blockRows: Int
    public let blockCols: Int
    public var remainder: Remainder

    private init(
        _ granularity: Granularity, n: Int = 0, m: Int = 0, rows: Int = 0, cols: Int = 0,
        remainder: Remainder = .refuse
    ) {
        self.granularity = granularity
        self.n = n
        self.m = m
        blockRows = rows
        blockCols = cols
        self.remainder = remainder
    }

    public static let element = Pattern(.element)
    public static let row = Pattern(.row)
    public static let column = Pattern(.column)
    public static let channel = Pattern(.channel)

    /// `n` kept of every `m` along the input dimension; 1 ≤ n < m ≤ 64.
    public static func nm(_ n: Int, _ m: Int, remainder: Remainder = .refuse) throws -> Pattern {
        guard n >= 1, m > n, m <= 64 else {
            throw PareError(
                .argument, "impossible N:M pattern", found: "\(n):\(m)",
                expected: "1 ≤ N < M ≤ 64, N being the number kept of every M")
        }
        return Pattern(.nm, n: n, m: m, remainder: remainder)
    }

    /// Blocks of `rows` × `cols` elements of the matrix, each at least 1.
    public static func block(_ rows: Int, _ cols: Int, remainder: Remainder = .refuse) throws -> Pattern {
        guard rows >= 1, cols >= 1, !rows.multipliedReportingOverflow(by: cols).overflow else {
            throw PareError(
                .argument, "impossible block pattern", found: "\(rows)x\(cols)",
                expected: "HEIGHTxWIDTH, both at least 1")
        }
        return Pattern(.block, rows: rows, cols: cols, remainder: remainder)
    }

    /// From the numbers of a `pare_pattern`; sizes of other granularities are ignored.
    public init(
        granularity: Int32, n: Int32, m: Int32, blockRows: Int32, blockCols: Int32, remainder: Int32
    ) throws {
        guard let kind = Granularity(rawValue: granularity) else {
            throw PareError(.argument, "unknown granularity", found: "\(granularity)", expected: "0 … 5")
        }
        guard let rest = Remainder(rawValue: remainder) else {
            throw PareError(.argument, "unknown way to treat a remainder", found: "\(remainder)", expected: "0 … 2")
        }
        switch kind {
        case .nm: self = try .nm(Int(n), Int(m), remainder: rest)
        case .block: self = try .block(Int(blockRows), Int(blockCols), remainder: rest)
        default: self = Pattern(kind, remainder: rest)
        }
    }

    /// Sparsity that the pattern itself fixes: 1 − n/m for N:M, nil for the others.
    public var fixedSparsity: Double? { granularity == .nm ? 1 - Double(n) / Double(m) : nil }
}

extension Pattern: CustomStringConvertible {
    /// Short form, as `parse` reads it.
    public var text: String {
        switch granularity {
        case .element: "element"
        case .nm: "\(n):\(m)"
        case .block: "block:\(blockRows)x\(blockCols)"
        case .row: "row"
        case .column: "column"
        case .channel: "channel"
        }
    }

    /// Long form for reports, which cannot be read the other way round.
    public var reading: String {
        switch granularity {
        case .element: "element (single weights)"
        case .nm: "\(text) (\(n) kept and \(m - n) removed of every \(m) along the input dimension)"
        case .block:
            "\(text) (blocks of \(blockRows) output rows by \(blockCols) input columns of the weight matrix)"
        case .row: "row (all weights of one output feature)"
        case .column: "column (all weights of one input feature at one kernel position)"
        case .channel: "channel (all weights of one input channel)"
        }
    }

    public var description: String { text }

    /// Reads RATIO | N:M | PATTERN[@RATIO] with PATTERN = element | block:HxW | row | column | channel.
    ///
    /// A bare ratio means single elements. The ratio is the fraction removed, in [0, 1); nil where none is given and
    /// for N:M, which fixes its own.
    /// - Throws: `.argument` with what was found and what is expected.
    public static func parse(_ text: String) throws -> (pattern: Pattern, sparsity: Double?) {
        let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        if parts.count == 1, let first = text.utf8.first, !text.contains(":"), "0123456789.+-".utf8.contains(first) {
            return (.element, try ratio(text))
        }
        if parts.count == 1, ["nan", "inf"].contains(text.lowercased()) { return (.element, try ratio(text)) }
        let pattern = try named(parts[0])
        guard parts.count == 2 else { return (pattern, nil) }
        guard pattern.granularity != .nm else {
            throw PareError(
                .argument, "N:M patterns take no ratio", found: text, expected: pattern.text,
                hint: "\(pattern.reading)")
        }
        return (pattern, try ratio(parts[1]))
    }

    private static func ratio(_ text: String) throws -> Double {
        let isPlain = text.utf8.allSatisfy { "0123456789.eE+-".utf8.contains($0) }
        guard isPlain, let value = Double(text), value >= 0, value < 1 else {
            let percent = text.hasSuffix("%") ? Double(text.dropLast()) : Double(text)
            let hint = percent.map { $0 > 1 && $0 < 100 ? "write \($0 / 100) for \($0) %" : "" } ?? ""
            throw PareError(
                .argument, "not a sparsity", found: "'\(text)'",
                expected: "the fraction to remove, at least 0 and below 1", hint: hint)
        }
        return value
    }

    private static func named(_ text: String) throws -> Pattern {
        switch text {
        case "element": return .element
        case "row": return .row
        case "column": return .column
        case "channel": return .channel
        default: break
        }
        let halves = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        if halves.count == 2, halves[0] == "block" {
            let sizes = halves[1].split(separator: "x", omittingEmptySubsequences: false).map { whole($0) }
            if sizes.count == 2, let rows = sizes[0], let cols = sizes[1] { return try block(rows, cols) }
            throw PareError(
                .argument, "not a block size", found: "'\(halves[1])'", expected: "HEIGHTxWIDTH, as in block:4x1")
        }
        if halves.count == 2, let n = whole(halves[0]), let m = whole(halves[1]) { return try nm(n, m) }
        let known = ["element", "row", "column", "channel", "block"]
        let hint = nearest(to: halves[0], in: known).map { "did you mean \($0)?" } ?? ""
        throw PareError(
            .argument, "unknown pattern", found: "'\(text)'",
            expected: "a ratio, N:M, element, block:HxW, row, column or channel", hint: hint)
    }

    private static func whole(_ text: some StringProtocol) -> Int? {
        text.utf8.allSatisfy { (48...57).contains($0) } ? Int(text) : nil
    }
}
