import PareTensor

/// Strict JSON (RFC 8259): UTF-8, no comments, no trailing commas, no duplicate names, at most 64 levels.
///
/// Offsets in values and errors count from the start of `bytes` plus `origin`.
struct JSONParser {
    private let bytes: UnsafeRawBufferPointer
    private let file: String
    private let origin: Int
    private var at = 0
    private static let depthLimit = 64

    /// `file` names the text in errors; `origin` is where in that file `bytes` begins.
    static func parse(_ bytes: UnsafeRawBufferPointer, file: String, origin: Int = 0) throws -> JSONValue {
        var parser = JSONParser(bytes: bytes, file: file, origin: origin)
        let value = try parser.value(depth: 0)
        parser.skipSpace()
        guard parser.at == bytes.count else { throw parser.unexpected("nothing after the value") }
        return value
    }

    private init(bytes: UnsafeRawBufferPointer, file: String, origin: Int) {
        self.bytes = bytes
        self.file = file
        self.origin = origin
    }

    private var byte: UInt8? { at < bytes.count ? bytes[at] : nil }

    private mutating func skipSpace() {
        while let byte, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { at += 1 }
    }

    private mutating func take(_ expected: UInt8) -> Bool {
        guard byte == expected else { return false }
        at += 1
        return true
    }

    private mutating func value(depth: Int) throws -> JSONValue {
        skipSpace()
        guard depth < JSONParser.depthLimit else {
            throw error("JSON is nested too deeply", expected: "at most \(JSONParser.depthLimit) levels")
        }
        let start = at
        let kind: JSONValue.Kind
        switch byte {
        case UInt8(ascii: "{"): kind = .object(try members(depth: depth))
        case UInt8(ascii: "["): kind = .array(try elements(depth: depth))
        case UInt8(ascii: "\""): kind = .string(try string())
        case UInt8(ascii: "t"): kind = try literal("true", .bool(true))
        case UInt8(ascii: "f"): kind = try literal("false", .bool(false))
        case UInt8(ascii: "n"): kind = try literal("null", .null)
        case let byte? where byte == UInt8(ascii: "-") || JSONParser.isDigit(byte): kind = try number()
        default: throw unexpected("a value")
        }
        return JSONValue(kind: kind, range: origin + start..<origin + at)
    }

    private mutating func members(depth: Int) throws -> [JSONMember] {
        var members: [JSONMember] = []
        var names: Set<String> = []
        at += 1
        skipSpace()
        if take(UInt8(ascii: "}")) { return members }
        while true {
            skipSpace()
            let start = at
            guard byte == UInt8(ascii: "\"") else { throw unexpected("a name in quotes") }
            let name = try string()
            guard names.insert(name).inserted else {
                at = start
                throw error("a name occurs twice in one JSON object", found: JSONText.quoted(name))
            }
            skipSpace()
            guard take(UInt8(ascii: ":")) else { throw unexpected("':'") }
            let value = try value(depth: depth + 1)
            members.append(JSONMember(name: name, range: origin + start..<origin + at, value: value))
            skipSpace()
            if take(UInt8(ascii: "}")) { return members }
            guard take(UInt8(ascii: ",")) else { throw unexpected("',' or '}'") }
        }
    }

    private mutating func elements(depth: Int) throws -> [JSONValue] {
        var values: [JSONValue] = []
        at += 1
        skipSpace()
        if take(UInt8(ascii: "]")) { return values }
        while true {
            values.append(try value(depth: depth + 1))
            skipSpace()
            if take(UInt8(ascii: "]")) { return values }
            guard take(UInt8(ascii: ",")) else { throw unexpected("',' or ']'") }
        }
    }

    private mutating func literal(_ text: StaticString, _ kind: JSONValue.Kind) throws -> JSONValue.Kind {
        for index in 0..<text.utf8CodeUnitCount {
            guard take(text.utf8Start[index]) else { throw unexpected(text.description) }
        }
        return kind
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private mutating func digits() throws {
        let start = at
        while let byte, JSONParser.isDigit(byte) { at += 1 }
        guard at > start else { throw unexpected("a digit") }
    }

    private mutating func number() throws -> JSONValue.Kind {
        let start = at
        _ = take(UInt8(ascii: "-"))
        if !take(UInt8(ascii: "0")) { try digits() }
        var isWhole = true
        if take(UInt8(ascii: ".")) {
            isWhole = false
            try digits()
        }
        if byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E") {
            isWhole = false
            at += 1
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            try digits()
        }
        let text = String(decoding: bytes[start..<at], as: UTF8.self)
        if isWhole, let value = Int64(text) { return .int(value) }
        guard let value = Double(text) else { throw unexpected("a number") }
        return .double(value)
    }

    private mutating func string() throws -> String {
        let quote = at
        at += 1
        var run = at
        var text = ""
        while let byte {
            switch byte {
            case UInt8(ascii: "\""):
                try append(run..<at, to: &text)
                at += 1
                return text
            case UInt8(ascii: "\\"):
                try append(run..<at, to: &text)
                at += 1
                text.unicodeScalars.append(try escape())
                run = at
            case 0..<0x20: throw error("a control character in a JSON string", found: String.hexadecimal(byte))
            default: at += 1
            }
        }
        at = quote
        throw error("a JSON string has no end")
    }

    private mutating func append(_ run: Range<Int>, to text: inout String) throws {
        guard !run.isEmpty else { return }
        guard let piece = String(utf8: UnsafeRawBufferPointer(rebasing: bytes[run])) else {
            at = run.lowerBound
            throw error("a JSON string is not valid UTF-8")
        }
        text += piece
    }

    private mutating func escape() throws -> Unicode.Scalar {
        guard let byte else { throw unexpected("an escape") }
        at += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return try unicodeEscape()
        default:
            at -= 1
            throw unexpected("an escape: one of \" \\ / b f n r t u")
        }
    }

    /// `\uXXXX`, or two of them that form a surrogate pair.
    private mutating func unicodeEscape() throws -> Unicode.Scalar {
        let first = try hexDigits()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard first < 0xDC00, take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else {
            throw error("a JSON string holds half of a surrogate pair")
        }
        let second = try hexDigits()
        guard (0xDC00...0xDFFF).contains(second),
            let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
        else { throw error("a JSON string holds half of a surrogate pair") }
        return scalar
    }

    private mutating func hexDigits() throws -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte, let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else {
                throw unexpected("four hexadecimal digits")
            }
            value = value << 4 | UInt32(digit)
            at += 1
        }
        return value
    }

    private func unexpected(_ expected: String) -> PareError {
        let found: String
        if let byte {
            found = (0x21..<0x7F).contains(byte) ? "'\(Character(Unicode.Scalar(byte)))'" : String.hexadecimal(byte)
        } else {
            found = "the end"
        }
        return error("this is not valid JSON", found: found, expected: expected)
    }

    private func error(_ what: String, found: String = "", expected: String = "") -> PareError {
        PareError(.format, what, at: "\(file): byte \(origin + at)", found: found, expected: expected)
    }
}
