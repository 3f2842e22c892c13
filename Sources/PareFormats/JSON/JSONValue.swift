/// A JSON value that remembers where in the text it was.
struct JSONValue {
    indirect enum Kind {
        case null
        case bool(Bool)
        /// Exact; what does not fit, or has a fraction or exponent, is a `double`.
        case int(Int64)
        case double(Double)
        case string(String)
        case array([JSONValue])
        /// In the order of the text; names are unique.
        case object([JSONMember])
    }

    var kind: Kind
    /// Byte offsets in the text.
    var range: Range<Int>

    var string: String? {
        if case .string(let value) = kind { return value }
        return nil
    }

    var int: Int? {
        if case .int(let value) = kind { return Int(exactly: value) }
        return nil
    }

    var bool: Bool? {
        if case .bool(let value) = kind { return value }
        return nil
    }

    var array: [JSONValue]? {
        if case .array(let values) = kind { return values }
        return nil
    }

    var members: [JSONMember]? {
        if case .object(let members) = kind { return members }
        return nil
    }

    subscript(name: String) -> JSONValue? { members?.first { $0.name == name }?.value }

    /// For messages: what kind of value this is.
    var kindName: String {
        switch kind {
        case .null: "null"
        case .bool: "a truth value"
        case .int, .double: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

struct JSONMember {
    var name: String
    /// From the opening quote of the name to the end of the value.
    var range: Range<Int>
    var value: JSONValue
}

/// Text of values that Pare writes.
enum JSONText {
    /// A quoted string. Only what must be escaped is.
    static func quoted(_ text: String) -> String {
        var out = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": out += "\\\""
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out + "\""
    }

    /// `{"a":"b",…}`, in the order given.
    static func object(_ entries: [(key: String, value: String)]) -> String {
        "{" + entries.map { quoted($0.key) + ":" + quoted($0.value) }.joined(separator: ",") + "}"
    }

    static func array(_ values: [Int]) -> String {
        "[" + values.map { String($0) }.joined(separator: ",") + "]"
    }
}
