import CPare

/// What a plugin throws: a status and the parts of a message, as in `pare_error`.
///
/// `what` is a sentence without a full stop. Everything else may be empty.
public struct PluginError: Error, CustomStringConvertible {
    /// One of `PARE_E_…`.
    public var status: Int32
    public var what: String
    /// Parameter, tensor, layer or option.
    public var location: String
    public var found: String
    public var expected: String
    public var hint: String

    public init(
        _ status: Int32, _ what: String, at location: String = "", found: String = "", expected: String = "",
        hint: String = ""
    ) {
        self.status = status == PARE_OK ? PARE_E_PLUGIN_FAULT : status
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

    /// The same error as the host reported it through a record that the kit lent.
    init(status: Int32, record: inout pare_error, doing what: String) {
        let said = fixedText(&record.message)
        self.init(
            status, said.isEmpty ? what : said, at: fixedText(&record.where), found: fixedText(&record.found),
            expected: fixedText(&record.expected), hint: fixedText(&record.hint))
        // The host's message has the parts in it already.
        if !said.isEmpty { (location, found, expected, hint) = ("", "", "", "") }
    }

    /// Fill the caller's record, as far as its struct_size reaches, and return the status.
    func fill(_ record: UnsafeMutablePointer<pare_error>?) -> Int32 {
        guard let record, has(record.pointee.struct_size, \pare_error.code) else { return status }
        let size = record.pointee.struct_size
        record.pointee.code = status
        func put<Field>(_ text: String, _ field: KeyPath<pare_error, Field>) {
            guard has(size, field), let offset = MemoryLayout<pare_error>.offset(of: field) else { return }
            let start = UnsafeMutableRawPointer(record) + offset
            copy(text, UnsafeMutableRawBufferPointer(start: start, count: MemoryLayout<Field>.size))
        }
        put(description, \.message)
        put(location, \.where)
        put(found, \.found)
        put(expected, \.expected)
        put(hint, \.hint)
        return status
    }
}

/// Run a body at the border: what it throws becomes a status and a filled record.
func reporting(_ record: UnsafeMutablePointer<pare_error>?, _ body: () throws -> Void) -> Int32 {
    do {
        try body()
        return PARE_OK
    } catch let error as PluginError {
        return error.fill(record)
    } catch {
        return PluginError(PARE_E_PLUGIN_FAULT, "unexpected error: \(error)").fill(record)
    }
}

/// Call into the host with a fresh record; a failure is thrown as `PluginError`.
func asking(_ what: String, _ call: (UnsafeMutablePointer<pare_error>) -> Int32) throws {
    var record = pare_error()
    record.struct_size = UInt32(MemoryLayout<pare_error>.size)
    let status = call(&record)
    if status != PARE_OK { throw PluginError(status: status, record: &record, doing: "\(what) failed") }
}

/// Copy with a NUL at the end, cut to fit but never inside a character.
private func copy(_ text: String, _ target: UnsafeMutableRawBufferPointer) {
    guard !target.isEmpty else { return }
    let bytes = Array(text.utf8.prefix { $0 != 0 })
    var length = min(bytes.count, target.count - 1)
    while length < bytes.count, length > 0, bytes[length] & 0xC0 == 0x80 { length -= 1 }
    for index in 0..<length { target[index] = bytes[index] }
    target[length] = 0
}

private func fixedText<Field>(_ field: inout Field) -> String {
    withUnsafeBytes(of: &field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
}
