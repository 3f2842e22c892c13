/// A JSON value for reports and descriptions: no positions, plain cases, members in order.
public indirect enum JSON {
    case null
    case bool(Bool)
    case int(Int64)
    case double(Double)
    case string(String)
    case array([JSON])
    case object([(String, JSON)])

    init(_ value: JSONValue) {
        switch value.kind {
        case .null: self = .null
        case .bool(let value): self = .bool(value)
        case .int(let value): self = .int(value)
        case .double(let value): self = .double(value)
        case .string(let value): self = .string(value)
        case .array(let items): self = .array(items.map(JSON.init))
        case .object(let members): self = .object(members.map { ($0.name, JSON($0.value)) })
        }
    }

    /// Parses strict JSON; errors name `file` and the byte offset.
    public static func parse(_ bytes: UnsafeRawBufferPointer, file: String = "JSON") throws -> JSON {
        JSON(try JSONParser.parse(bytes, file: file))
    }

    public static func parse(_ text: String, file: String = "JSON") throws -> JSON {
        try Array(text.utf8).withUnsafeBytes { try parse($0, file: file) }
    }

    public subscript(key: String) -> JSON? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.0 == key }?.1
    }

    /// The value as text; `indent` > 0 breaks lines. Numbers that JSON has no word for (NaN, infinity) become null.
    public func text(indent: Int = 0) -> String {
        var out = ""
        write(to: &out, indent: indent, depth: 0)
        return out
    }

    private func write(to out: inout String, indent: Int, depth: Int) {
        func newline(_ depth: Int) {
            guard indent > 0 else { return }
            out += "\n" + String(repeating: " ", count: indent * depth)
        }
        switch self {
        case .null: out += "null"
        case .bool(let value): out += value ? "true" : "false"
        case .int(let value): out += String(value)
        case .double(let value):
            out += value.isFinite ? (value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) + ".0" : "\(value)") : "null"
        case .string(let value): out += JSONText.quoted(value)
        case .array(let items):
            // Short lists of numbers stay on one line.
            let flat = items.allSatisfy { if case .array = $0 { false } else if case .object = $0 { false } else { true } }
            out += "["
            for (position, item) in items.enumerated() {
                if position > 0 { out += flat && indent > 0 ? ", " : "," }
                if !flat { newline(depth + 1) }
                item.write(to: &out, indent: indent, depth: depth + 1)
            }
            if !flat, !items.isEmpty { newline(depth) }
            out += "]"
        case .object(let members):
            out += "{"
            for (position, member) in members.enumerated() {
                if position > 0 { out += "," }
                newline(depth + 1)
                out += JSONText.quoted(member.0) + (indent > 0 ? ": " : ":")
                member.1.write(to: &out, indent: indent, depth: depth + 1)
            }
            if !members.isEmpty { newline(depth) }
            out += "}"
        }
    }
}
