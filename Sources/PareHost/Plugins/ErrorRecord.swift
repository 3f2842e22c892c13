import CPare
import PareTensor

extension pare_error {
    /// An empty record of this build's size.
    public static func empty() -> pare_error {
        var record = pare_error()
        record.struct_size = UInt32(MemoryLayout<pare_error>.size)
        return record
    }
}

/// Writes `error` into a caller's record, cutting each text to fit and never inside a UTF-8 sequence.
public func fill(_ record: UnsafeMutablePointer<pare_error>?, _ error: PareError) {
    guard let record else { return }
    let raw = UnsafeMutableRawPointer(record)
    let size = Int(raw.load(as: UInt32.self))
    func has(_ end: Int) -> Bool { size >= end }
    func put<T>(_ text: String, _ path: KeyPath<pare_error, T>) {
        guard let offset = MemoryLayout<pare_error>.offset(of: path) else { return }
        let capacity = MemoryLayout<T>.size
        guard has(offset + capacity) else { return }
        let bytes = Array(text.utf8)
        var end = min(bytes.count, capacity - 1)
        // Back to where a sequence starts: the cut must not fall in front of a continuation byte.
        while end > 0, end < bytes.count, bytes[end] & 0xC0 == 0x80 { end -= 1 }
        let target = raw.advanced(by: offset).assumingMemoryBound(to: UInt8.self)
        for index in 0..<end { target[index] = bytes[index] == 0 ? 0x20 : bytes[index] }
        target[end] = 0
    }
    if let offset = MemoryLayout<pare_error>.offset(of: \pare_error.code), has(offset + 4) {
        raw.storeBytes(of: error.status.rawValue, toByteOffset: offset, as: Int32.self)
    }
    put(error.description, \pare_error.message)
    put(error.location, \pare_error.where)
    put(error.found, \pare_error.found)
    put(error.expected, \pare_error.expected)
    put(error.hint, \pare_error.hint)
}

/// The error behind a plugin's failing status: its own words if it gave some.
func pluginError(_ status: Int32, _ record: pare_error, plugin: String) -> PareError {
    let known = Status(rawValue: status) ?? .pluginFault
    let what = fromC(ofArray: record.message)
    return PareError(
        known, what.isEmpty ? "the plugin failed with status \(status) and gave no reason" : what, at: plugin,
        found: "", expected: "", hint: ""
    )
    .with(found: fromC(ofArray: record.found), expected: fromC(ofArray: record.expected), hint: fromC(ofArray: record.hint), in: what)
}

extension PareError {
    /// Adds parts that are not already spelt out in `message`.
    fileprivate func with(found: String, expected: String, hint: String, in message: String) -> PareError {
        var copy = self
        if !message.contains(found) { copy.found = found }
        if !message.contains(expected) { copy.expected = expected }
        if !message.contains(hint) { copy.hint = hint }
        return copy
    }
}

extension String {
    /// Plain substring search (the standard library's needs string processing, which is not linked).
    fileprivate func contains(_ other: String) -> Bool {
        let needle = Array(other.utf8)
        if needle.isEmpty { return true }
        let hay = Array(utf8)
        guard hay.count >= needle.count else { return false }
        return (0...(hay.count - needle.count)).contains { hay[$0..<($0 + needle.count)].elementsEqual(needle) }
    }
}
