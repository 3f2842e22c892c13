import CPare
import PareFormats
import PareTensor

/// What a JSON description says about a plain C function (docs/plain-functions.md).
struct FunctionDescription {
    /// C types by name; pointers only for arrays and text.
    enum CType: String, CaseIterable {
        case i32, i64, u32, u64, f32, f64
        case f32Pointer = "f32*"
        case f64Pointer = "f64*"
        case text = "char*"

        var isPointer: Bool { self == .f32Pointer || self == .f64Pointer || self == .text }
    }

    /// What the host passes for an argument.
    enum Role: String, CaseIterable {
        /// Array of units × elements values.
        case weights
        /// Array to write one score per unit into.
        case scores
        /// One value, for functions of a single number; units of one element only.
        case weight
        case units, elements
        /// units × elements.
        case count
        /// Name of the parameter, NUL-terminated.
        case parameter
        /// Value of the plugin option `key`.
        case option
        /// A fixed `value`.
        case constant
    }

    enum Result {
        case nothing
        /// 0 is success; anything else fails the call.
        case status(CType)
        /// The function is called once per unit and answers its score.
        case score(CType)
    }

    struct Argument {
        var role: Role
        var type: CType
        /// Index into `options` for `.option`.
        var option: Int?
        var constant: Double
    }

    var id: String
    var summary: String
    var source: String
    var library: String
    var symbol: String
    var arguments: [Argument]
    var result: Result
    var options: [OptionInfo]
    var isLocal: Bool
    var isThreadSafe: Bool

    private static let keys = [
        "id", "summary", "source", "library", "symbol", "arguments", "returns", "local", "thread-safe",
    ]

    /// Reads and checks a description. Throws `.format` with the member at fault.
    init(_ json: JSON) throws {
        let top = try Members(json, "the description", known: Self.keys)
        id = try top.string("id")
        library = try top.string("library")
        symbol = try top.string("symbol")
        summary = try top.optionalString("summary") ?? "plain function \(symbol)"
        source = try top.optionalString("source") ?? "\(library): \(symbol)"
        isLocal = try top.optionalBool("local") ?? false
        isThreadSafe = try top.optionalBool("thread-safe") ?? false
        var options: [OptionInfo] = []
        arguments = try top.array("arguments").enumerated().map { index, item in
            try Self.argument(item, "arguments[\(index)]", &options)
        }
        self.options = options
        result = try Self.result(top.member("returns"))
        try checkShape()
    }

    private static func argument(_ json: JSON, _ place: String, _ options: inout [OptionInfo]) throws -> Argument {
        let members = try Members(
            json, place, known: ["role", "type", "key", "help", "default", "minimum", "maximum", "value"])
        let role: Role = try members.choice("role")
        let type: CType = try members.choice("type")
        let wantsPointer: Bool =
            switch role {
            case .weights, .scores, .parameter: true
            default: false
            }
        guard type.isPointer == wantsPointer, (role == .parameter) == (type == .text) else {
            throw PareError(
                .format, "role \"\(role.rawValue)\" cannot have type \"\(type.rawValue)\"", at: place, found: type.rawValue,
                expected: role == .parameter ? "char*" : wantsPointer ? "f32* or f64*" : "a number type")
        }
        var argument = Argument(role: role, type: type, option: nil, constant: 0)
        if role == .constant { argument.constant = try members.number("value") }
        if role == .option {
            argument.option = options.count
            let isInteger = type != .f32 && type != .f64
            let standard = try members.optionalNumber("default")
            if isInteger, let standard, Int64(exactly: standard) == nil {
                throw PareError(.format, "the default is not a whole number", at: place, found: "\(standard)", expected: type.rawValue)
            }
            options.append(
                OptionInfo(
                    key: try members.string("key"), kind: isInteger ? .int : .float,
                    help: try members.optionalString("help") ?? "", unit: "",
                    defaultText: standard.map { number in isInteger ? Int64(exactly: number).map(String.init) ?? "0" : "\(number)" },
                    minimum: try members.optionalNumber("minimum") ?? -Double.infinity,
                    maximum: try members.optionalNumber("maximum") ?? Double.infinity, choices: [],
                    flags: standard == nil ? UInt32(PARE_OPTION_REQUIRED) : 0))
        }
        return argument
    }

    private static func result(_ json: JSON?) throws -> Result {
        guard let json else { return .nothing }
        let members = try Members(json, "returns", known: ["type", "role"])
        let type: CType = try members.choice("type")
        guard !type.isPointer else { throw PareError(.format, "a pointer cannot be returned", at: "returns", found: type.rawValue) }
        switch try members.string("role") {
        case "status":
            guard type != .f32, type != .f64 else {
                throw PareError(.format, "a status must be an integer", at: "returns", found: type.rawValue)
            }
            return .status(type)
        case "score":
            guard type == .f32 || type == .f64 else {
                throw PareError(.format, "a score must be f32 or f64", at: "returns", found: type.rawValue)
            }
            return .score(type)
        case "ignored": return .nothing
        case let other:
            throw PareError(
                .format, "unknown role of the result", at: "returns", found: "\"\(other)\"", expected: "status, score or ignored")
        }
    }

    /// A function must be given weights and a place for scores, each once.
    private func checkShape() throws {
        func count(_ role: Role) -> Int { arguments.filter { $0.role == role }.count }
        guard count(.weights) + count(.weight) == 1 else {
            throw PareError(
                .format, "exactly one argument must take the weights", at: "arguments",
                found: "\(count(.weights) + count(.weight))", expected: "one of role \"weights\" or \"weight\"")
        }
        if case .score = result {
            guard count(.scores) == 0 else {
                throw PareError(.format, "the score is returned and also written", at: "arguments", expected: "one of the two")
            }
        } else {
            guard count(.scores) == 1, count(.weight) == 0 else {
                throw PareError(
                    .format, "there is no way to get the scores back", at: "arguments",
                    expected: "one argument of role \"scores\", or returns of role \"score\"")
            }
        }
        guard arguments.count <= 32 else { throw PareError(.format, "too many arguments", at: "arguments", expected: "at most 32") }
        let names = options.map(\.key)
        guard Set(names).count == names.count else { throw PareError(.format, "two options have the same key", at: "arguments") }
    }
}

/// Members of a JSON object, with errors that name the place.
private struct Members {
    let place: String
    let pairs: [(key: String, value: JSON)]

    init(_ json: JSON, _ place: String, known: [String]) throws {
        guard case .object(let pairs) = json else { throw PareError(.format, "not an object", at: place) }
        self.place = place
        self.pairs = pairs.map { (key: $0.0, value: $0.1) }
        for pair in self.pairs where !known.contains(pair.key) {
            throw PareError(
                .format, "unknown member \"\(pair.key)\"", at: place, found: "\"\(pair.key)\"", expected: known.joined(separator: ", "),
                hint: nearest(to: pair.key, in: known).map { "did you mean \"\($0)\"?" } ?? "")
        }
    }

    func member(_ key: String) -> JSON? { pairs.first { $0.key == key }?.value }

    private func required(_ key: String) throws -> JSON {
        guard let value = member(key) else { throw PareError(.format, "member \"\(key)\" is missing", at: place) }
        return value
    }

    private func wrong(_ key: String, _ expected: String) -> PareError {
        PareError(.format, "member \"\(key)\" has the wrong type", at: place, expected: expected)
    }

    func string(_ key: String) throws -> String {
        guard case .string(let value) = try required(key) else { throw wrong(key, "a string") }
        return value
    }

    func optionalString(_ key: String) throws -> String? { member(key) == nil ? nil : try string(key) }

    func optionalBool(_ key: String) throws -> Bool? {
        guard let found = member(key) else { return nil }
        guard case .bool(let value) = found else { throw wrong(key, "true or false") }
        return value
    }

    func number(_ key: String) throws -> Double {
        switch try required(key) {
        case .int(let value): return Double(value)
        case .double(let value): return value
        default: throw wrong(key, "a number")
        }
    }

    func optionalNumber(_ key: String) throws -> Double? { member(key) == nil ? nil : try number(key) }

    func array(_ key: String) throws -> [JSON] {
        guard case .array(let items) = try required(key) else { throw wrong(key, "an array") }
        return items
    }

    func choice<T: RawRepresentable & CaseIterable>(_ key: String) throws -> T where T.RawValue == String {
        let spelt = try string(key)
        guard let value = T(rawValue: spelt) else {
            throw PareError(
                .format, "unknown \(key)", at: place, found: "\"\(spelt)\"",
                expected: T.allCases.map(\.rawValue).joined(separator: ", "))
        }
        return value
    }
}
