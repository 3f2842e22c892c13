import CPare

/// One entry of a plugin's option schema (`pare_option_info`).
///
/// The host parses the user's text against it, so a plugin only ever reads checked values.
public struct Option: Sendable {
    let key: String
    let type: Int32
    let help: String
    let unit: String
    /// Text form of the default; nil makes the option required.
    let fallback: String?
    let range: (minimum: Double, maximum: Double)
    let choices: [String]
    var flags: UInt32

    private init(
        _ key: String, _ type: Int32, _ help: String, unit: String = "", fallback: String?,
        range: (Double, Double) = (-.infinity, .infinity), choices: [String] = []
    ) {
        self.key = key
        self.type = type
        self.help = help
        self.unit = unit
        self.fallback = fallback
        self.range = range
        self.choices = choices
        self.flags = fallback == nil ? PARE_OPTION_REQUIRED : 0
    }

    public static func bool(_ key: String, default value: Bool?, help: String) -> Option {
        Option(key, PARE_OPTION_BOOL, help, fallback: value.map { $0 ? "true" : "false" })
    }

    /// Bounds travel as doubles: those beyond ±2⁵³ are not exact.
    public static func int(
        _ key: String, default value: Int?, min: Int? = nil, max: Int? = nil, unit: String = "", help: String
    ) -> Option {
        Option(
            key, PARE_OPTION_INT, help, unit: unit, fallback: value.map { "\($0)" },
            range: (min.map(Double.init) ?? -.infinity, max.map(Double.init) ?? .infinity))
    }

    public static func float(
        _ key: String, default value: Double?, min: Double = -.infinity, max: Double = .infinity, unit: String = "",
        help: String
    ) -> Option {
        Option(key, PARE_OPTION_FLOAT, help, unit: unit, fallback: value.map { "\($0)" }, range: (min, max))
    }

    public static func string(_ key: String, default value: String?, help: String) -> Option {
        Option(key, PARE_OPTION_STRING, help, fallback: value)
    }

    /// One of the cases of an enum with text raw values.
    public static func choice<Choice>(_ key: String, default value: Choice, help: String) -> Option
    where Choice: CaseIterable & RawRepresentable<String> {
        Option(
            key, PARE_OPTION_CHOICE, help, fallback: value.rawValue, choices: Choice.allCases.map { $0.rawValue })
    }

    public static func ints(
        _ key: String, default value: [Int]?, min: Int? = nil, max: Int? = nil, help: String
    ) -> Option {
        Option(
            key, PARE_OPTION_INT_LIST, help, fallback: value.map { $0.map { "\($0)" }.joined(separator: ",") },
            range: (min.map(Double.init) ?? -.infinity, max.map(Double.init) ?? .infinity))
    }

    public static func floats(
        _ key: String, default value: [Double]?, min: Double = -.infinity, max: Double = .infinity, help: String
    ) -> Option {
        Option(
            key, PARE_OPTION_FLOAT_LIST, help, fallback: value.map { $0.map { "\($0)" }.joined(separator: ",") },
            range: (min, max))
    }

    /// Left out of short help.
    public var advanced: Option { adding(PARE_OPTION_ADVANCED) }
    public var deprecated: Option { adding(PARE_OPTION_DEPRECATED) }
    /// The minimum itself is not allowed.
    public var aboveMinimum: Option { adding(PARE_OPTION_MIN_EXCLUSIVE) }
    /// The maximum itself is not allowed.
    public var belowMaximum: Option { adding(PARE_OPTION_MAX_EXCLUSIVE) }

    private func adding(_ flag: UInt32) -> Option {
        var copy = self
        copy.flags |= flag
        return copy
    }

    func makeImmortal() -> pare_option_info {
        var info = pare_option_info()
        info.struct_size = UInt32(MemoryLayout<pare_option_info>.size)
        info.type = type
        info.flags = flags
        info.key = Immortal.text(key)
        info.help = Immortal.text(help)
        info.unit = Immortal.text(unit)
        info.default_text = fallback.map(Immortal.text)
        (info.minimum, info.maximum) = range
        if type == PARE_OPTION_CHOICE {
            info.choices = Immortal.array(choices.map { Optional(Immortal.text($0)) } + [nil])
        }
        return info
    }
}

/// The checked values of one instance, by key. Copied, so it outlives the create call.
public struct OptionValues {
    private enum Value {
        case bool(Bool), int(Int), float(Double), text(String), ints([Int]), floats([Double])
    }

    private var values: [String: Value] = [:]

    /// Takes the host's values apart; they must match the schema one to one.
    init(_ schema: [Option], _ values: UnsafePointer<pare_value>?, count: UInt32) throws {
        guard Int(count) == schema.count, values != nil || count == 0 else {
            throw PluginError(
                PARE_E_ARGUMENT, "wrong number of option values", found: "\(count)", expected: "\(schema.count)")
        }
        for (index, option) in schema.enumerated() {
            guard let value = values?[index], value.type == option.type else {
                throw PluginError(
                    PARE_E_OPTION, "the host passed a value of another type", at: option.key,
                    found: values.map { "type \($0[index].type)" } ?? "NULL", expected: "type \(option.type)")
            }
            self.values[option.key] = try OptionValues.read(value, option)
        }
    }

    private static func read(_ value: pare_value, _ option: Option) throws -> Value {
        func items<T>(_ start: UnsafePointer<T>?) throws -> UnsafeBufferPointer<T> {
            guard value.count >= 0, start != nil || value.count == 0 else {
                throw PluginError(PARE_E_OPTION, "the host passed a list without items", at: option.key)
            }
            return UnsafeBufferPointer(start: start, count: Int(value.count))
        }
        switch option.type {
        case PARE_OPTION_BOOL: return .bool(value.integer != 0)
        case PARE_OPTION_INT: return .int(Int(value.integer))
        case PARE_OPTION_FLOAT: return .float(value.number)
        case PARE_OPTION_INT_LIST: return .ints(try items(value.integers).map(Int.init))
        case PARE_OPTION_FLOAT_LIST: return .floats(Array(try items(value.numbers)))
        default: return .text(text(value.text))
        }
    }

    public func bool(_ key: String) throws -> Bool {
        guard case .bool(let value)? = values[key] else { throw missing(key, "bool") }
        return value
    }

    public func int(_ key: String) throws -> Int {
        guard case .int(let value)? = values[key] else { throw missing(key, "int") }
        return value
    }

    public func float(_ key: String) throws -> Double {
        guard case .float(let value)? = values[key] else { throw missing(key, "float") }
        return value
    }

    public func string(_ key: String) throws -> String {
        guard case .text(let value)? = values[key] else { throw missing(key, "string") }
        return value
    }

    public func choice<Choice: RawRepresentable<String>>(_ key: String, as type: Choice.Type) throws -> Choice {
        let text = try string(key)
        guard let choice = Choice(rawValue: text) else {
            throw PluginError(PARE_E_OPTION, "not one of the choices", at: key, found: text)
        }
        return choice
    }

    public func ints(_ key: String) throws -> [Int] {
        guard case .ints(let value)? = values[key] else { throw missing(key, "int list") }
        return value
    }

    public func floats(_ key: String) throws -> [Double] {
        guard case .floats(let value)? = values[key] else { throw missing(key, "float list") }
        return value
    }

    private func missing(_ key: String, _ type: String) -> PluginError {
        PluginError(PARE_E_PLUGIN_FAULT, "the plugin reads an option that its schema lacks", at: key, expected: type)
    }
}
