import CPare
import PareTensor

/// One entry of a plugin's schema, copied and checked.
public struct OptionInfo: Sendable {
    public enum Kind: Int32, Sendable {
        case bool = 1
        case int, float, string, choice, intList, floatList

        public var name: String {
            switch self {
            case .bool: "bool"
            case .int: "int"
            case .float: "float"
            case .string: "string"
            case .choice: "choice"
            case .intList: "int list"
            case .floatList: "float list"
            }
        }
    }

    public var key: String
    public var kind: Kind
    public var help: String
    public var unit: String
    public var defaultText: String?
    public var minimum: Double
    public var maximum: Double
    public var choices: [String]
    public var flags: UInt32

    public var isRequired: Bool { flags & PARE_OPTION_REQUIRED != 0 }
    public var isAdvanced: Bool { flags & PARE_OPTION_ADVANCED != 0 }

    /// The range in words: "≥ 0", "in [0, 1)", "l1 or l2".
    public var range: String {
        if kind == .choice { return choices.joined(separator: ", ") }
        let low = flags & PARE_OPTION_MIN_EXCLUSIVE != 0 ? "(" : "["
        let high = flags & PARE_OPTION_MAX_EXCLUSIVE != 0 ? ")" : "]"
        switch (minimum.isFinite, maximum.isFinite) {
        case (false, false): return ""
        case (true, false): return (low == "(" ? "> " : "≥ ") + number(minimum)
        case (false, true): return (high == ")" ? "< " : "≤ ") + number(maximum)
        case (true, true): return "in \(low)\(number(minimum)), \(number(maximum))\(high)"
        }
    }

    private func number(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : "\(value)"
    }

    func admits(_ value: Double) -> Bool {
        guard !value.isNaN else { return false }
        let low = flags & PARE_OPTION_MIN_EXCLUSIVE != 0 ? value > minimum : value >= minimum
        let high = flags & PARE_OPTION_MAX_EXCLUSIVE != 0 ? value < maximum : value <= maximum
        return low && high
    }
}

/// A value after checking.
public enum OptionValue: Equatable, Sendable {
    case bool(Bool)
    case int(Int64)
    case float(Double)
    case string(String)
    case choice(Int, String)
    case ints([Int64])
    case floats([Double])

    /// The text form that parses to the same value.
    public var text: String {
        switch self {
        case .bool(let value): value ? "true" : "false"
        case .int(let value): String(value)
        case .float(let value): "\(value)"
        case .string(let value), .choice(_, let value): value
        case .ints(let values): values.map(String.init).joined(separator: ",")
        case .floats(let values): values.map { "\($0)" }.joined(separator: ",")
        }
    }
}

extension OptionInfo {
    /// Copies and checks a schema entry; anything odd is the plugin's fault and names the entry.
    init(_ pointer: UnsafePointer<pare_option_info>?, index: Int) throws {
        let raw = try readGrowing(
            pointer, "option \(index)", required: MemoryLayout<pare_option_info>.size, zero: pare_option_info())
        key = fromC(raw.key)
        guard let kind = Kind(rawValue: raw.type) else {
            throw PareError(.pluginFault, "option \(index) has an unknown type", at: key, found: "\(raw.type)", expected: "1 … 7")
        }
        guard isIdentifier(key) else {
            throw PareError(
                .pluginFault, "option \(index) has an unusable key", found: "\"\(key)\"", expected: "[a-z][a-z0-9-]*")
        }
        self.kind = kind
        help = fromC(raw.help)
        unit = fromC(raw.unit)
        defaultText = raw.default_text.map { String(cString: $0) }
        minimum = raw.minimum
        maximum = raw.maximum
        flags = raw.flags
        choices = []
        if kind == .choice {
            var cursor = raw.choices
            while let entry = cursor?.pointee {
                choices.append(String(cString: entry))
                cursor = cursor?.advanced(by: 1)
            }
            guard !choices.isEmpty, Set(choices).count == choices.count else {
                throw PareError(.pluginFault, "option \"\(key)\" has no choices or names one twice")
            }
        } else {
            guard !minimum.isNaN, !maximum.isNaN, minimum <= maximum else {
                throw PareError(.pluginFault, "option \"\(key)\" has an empty range", found: "\(minimum) … \(maximum)")
            }
        }
        if let defaultText {
            do {
                _ = try parse(defaultText)
            } catch let error as PareError {
                throw PareError(
                    .pluginFault, "option \"\(key)\" has a default outside its own range", found: error.found,
                    expected: error.expected)
            }
        } else if !isRequired {
            throw PareError(.pluginFault, "option \"\(key)\" has no default and is not marked as required")
        }
    }

    /// The value that `input` spells, or an error that says what would do.
    public func parse(_ input: String) throws -> OptionValue {
        func refuse(_ expected: String) -> PareError {
            PareError(.option, "option \"\(key)\" cannot be \"\(input)\"", found: "\"\(input)\"", expected: expected)
        }
        let spelt = range.isEmpty ? "" : " \(range)"
        func checked(_ value: Double) throws -> Double {
            guard admits(value) else { throw refuse("\(kind.name)\(spelt)") }
            return value
        }
        func integer(_ item: String) throws -> Int64 {
            guard let value = Int64(item) else { throw refuse("\(kind.name)\(spelt)") }
            _ = try checked(Double(value))
            return value
        }
        func float(_ item: String) throws -> Double {
            guard let value = Double(item) else { throw refuse("\(kind.name)\(spelt)") }
            return try checked(value)
        }
        switch kind {
        case .bool:
            switch input.lowercased() {
            case "true", "yes", "on", "1": return .bool(true)
            case "false", "no", "off", "0": return .bool(false)
            default: throw refuse("true or false")
            }
        case .int: return .int(try integer(input))
        case .float: return .float(try float(input))
        case .string: return .string(input)
        case .choice:
            guard let index = choices.firstIndex(of: input) else {
                var error = refuse("one of \(range)")
                if let near = nearest(to: input, in: choices) { error.hint = "did you mean \"\(near)\"?" }
                throw error
            }
            return .choice(index, input)
        case .intList: return .ints(try items(input).map(integer))
        case .floatList: return .floats(try items(input).map(float))
        }
    }

    private func items(_ input: String) -> [String] {
        input.isEmpty ? [] : input.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }
}

/// [a-z][a-z0-9-]*; with `dots` also dots, for reverse-DNS ids of third parties.
func isIdentifier(_ text: String, dots: Bool = false) -> Bool {
    guard let first = text.utf8.first, first >= 0x61, first <= 0x7A else { return false }
    return text.utf8.allSatisfy {
        ($0 >= 0x61 && $0 <= 0x7A) || ($0 >= 0x30 && $0 <= 0x39) || $0 == 0x2D || (dots && ($0 == 0x2E || $0 == 0x5F))
    }
}
