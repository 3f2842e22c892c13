import PareTensor

/// One field of a protocol-buffer message. Offsets count from the start of the file.
struct WireField {
    enum Kind: UInt8 {
        case varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5
    }

    var number: Int
    var kind: Kind
    /// Tag, length and contents.
    var range: Range<Int>
    /// The contents: of a varint its bytes, of a message or string what follows the length.
    var body: Range<Int>
    /// Value of a varint or fixed field.
    var value: UInt64
}

/// Walks the fields of one message in place: nothing is copied, every length is checked against the message that holds it.
struct WireReader {
    let file: MappedFile
    private(set) var at: Int
    let end: Int

    /// `range` must lie in the file.
    init(_ file: MappedFile, _ range: Range<Int>) {
        self.file = file
        at = range.lowerBound
        end = range.upperBound
    }

    /// The next field, nil at the end of the message.
    mutating func next() throws -> WireField? {
        guard at < end else { return nil }
        let start = at
        let tag = try varint()
        let number = tag >> 3
        guard number >= 1, number < 1 << 29, let kind = WireField.Kind(rawValue: UInt8(tag & 7)) else {
            throw error(
                "is not a valid protocol buffer", offset: start, found: "field \(number) of wire type \(tag & 7)",
                expected: "wire type 0, 1, 2 or 5")
        }
        var body = at..<at
        var value: UInt64 = 0
        switch kind {
        case .varint:
            value = try varint()
            body = body.lowerBound..<at
        case .fixed32: (body, value) = try fixed(4, start)
        case .fixed64: (body, value) = try fixed(8, start)
        case .bytes:
            let length = try varint()
            guard length <= UInt64(end - at) else {
                throw error(
                    "the file is cut short or corrupt", offset: start, found: "field \(number) of \(length) bytes",
                    expected: "at most \(end - at) bytes", hint: "the file may not have been downloaded completely")
            }
            body = at..<at + Int(length)
            at = body.upperBound
        }
        return WireField(number: Int(number), kind: kind, range: start..<at, body: body, value: value)
    }

    private mutating func fixed(_ size: Int, _ start: Int) throws -> (Range<Int>, UInt64) {
        guard size <= end - at else { throw error("the file is cut short", offset: start, expected: "\(size) more bytes") }
        let body = at..<at + size
        at += size
        var value: UInt64 = 0
        for index in body.reversed() { value = value << 8 | UInt64(file.bytes[index]) }
        return (body, value)
    }

    /// At most ten bytes; the value is cut to 64 bits as the encoding says.
    mutating func varint() throws -> UInt64 {
        let start = at
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while at < end {
            let byte = file.bytes[at]
            at += 1
            if shift < 64 { value |= UInt64(byte & 0x7F) << shift }
            if byte < 0x80 { return value }
            shift += 7
            if shift >= 70 { throw error("a varint is longer than ten bytes", offset: start) }
        }
        throw error("the file is cut short", offset: start, expected: "the rest of a varint")
    }

    private func error(
        _ what: String, offset: Int, found: String = "", expected: String = "", hint: String = ""
    ) -> PareError {
        PareError(.format, what, at: "\(file.path): byte \(offset)", found: found, expected: expected, hint: hint)
    }
}

extension WireReader {
    /// The text of a string field; strict UTF-8.
    func string(_ field: WireField, _ name: String) throws -> String {
        try expect(.bytes, field, name)
        guard let text = String(utf8: UnsafeRawBufferPointer(rebasing: file.bytes[field.body])) else {
            throw error("the \(name) is not valid UTF-8", offset: field.range.lowerBound)
        }
        return text
    }

    func int(_ field: WireField, _ name: String) throws -> Int {
        try expect(.varint, field, name)
        return Int(truncatingIfNeeded: field.value)
    }

    func float(_ field: WireField, _ name: String) throws -> Float {
        try expect(.fixed32, field, name)
        return Float(bitPattern: UInt32(truncatingIfNeeded: field.value))
    }

    /// A reader for the message in a field.
    func message(_ field: WireField, _ name: String) throws -> WireReader {
        try expect(.bytes, field, name)
        return WireReader(file, field.body)
    }

    /// Append the integers of one occurrence of a repeated field, packed or not.
    func appendInts(_ field: WireField, _ name: String, to values: inout [Int]) throws {
        if field.kind == .varint { return values.append(Int(truncatingIfNeeded: field.value)) }
        var packed = try message(field, name)
        while packed.at < packed.end { values.append(Int(truncatingIfNeeded: try packed.varint())) }
    }

    /// The same for 32-bit floats.
    func appendFloats(_ field: WireField, _ name: String, to values: inout [Float]) throws {
        if field.kind == .fixed32 { return values.append(try float(field, name)) }
        try expect(.bytes, field, name)
        try expectMultiple(of: 4, field, name)
        for index in stride(from: field.body.lowerBound, to: field.body.upperBound, by: 4) {
            let bits = file.bytes.loadUnaligned(fromByteOffset: index, as: UInt32.self)
            values.append(Float(bitPattern: UInt32(littleEndian: bits)))
        }
    }

    func expectMultiple(of size: Int, _ field: WireField, _ name: String) throws {
        guard field.body.count % size == 0 else {
            throw error(
                "the \(name) ends inside an element", offset: field.range.lowerBound,
                found: "\(field.body.count) bytes", expected: "a multiple of \(size)")
        }
    }

    func expect(_ kind: WireField.Kind, _ field: WireField, _ name: String) throws {
        guard field.kind == kind else {
            throw error(
                "the \(name) is not encoded as it should be", offset: field.range.lowerBound,
                found: "wire type \(field.kind.rawValue)", expected: "wire type \(kind.rawValue)")
        }
    }
}

/// Encoding of the few fields that Pare writes.
enum Wire {
    static func varint(_ value: UInt64) -> [UInt8] {
        var rest = value
        var out: [UInt8] = []
        while rest >= 0x80 {
            out.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        out.append(UInt8(truncatingIfNeeded: rest))
        return out
    }

    static func field(_ number: Int, _ kind: WireField.Kind) -> [UInt8] {
        varint(UInt64(number) << 3 | UInt64(kind.rawValue))
    }

    static func bytes(_ number: Int, _ contents: [UInt8]) -> [UInt8] {
        field(number, .bytes) + varint(UInt64(contents.count)) + contents
    }

    static func string(_ number: Int, _ text: String) -> [UInt8] { bytes(number, Array(text.utf8)) }

    static func int(_ number: Int, _ value: UInt64) -> [UInt8] { field(number, .varint) + varint(value) }
}
