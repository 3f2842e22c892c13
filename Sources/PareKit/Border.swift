@_exported import CPare

/// Whether whoever filled a growing struct knew `member` (the header's `PARE_HAS`).
///
/// `size` is the struct's own `struct_size`; a member counts when it lies inside as a whole.
func has<Struct, Member>(_ size: UInt32, _ member: KeyPath<Struct, Member>) -> Bool {
    guard let offset = MemoryLayout<Struct>.offset(of: member) else { return false }
    return Int(size) >= offset + MemoryLayout<Member>.size
}

/// A pointer from the host that must be there, to a struct that reaches at least to `member` (the end of version 1.0).
func require<Struct, Member>(
    _ pointer: UnsafePointer<Struct>?, through member: KeyPath<Struct, Member>, _ size: KeyPath<Struct, UInt32>
) throws -> UnsafePointer<Struct> {
    guard let pointer else {
        throw PluginError(PARE_E_ARGUMENT, "the host passed NULL", at: "\(Struct.self)", expected: "a pointer")
    }
    let found = pointer.pointee[keyPath: size]
    guard has(found, member) else {
        let needed = (MemoryLayout<Struct>.offset(of: member) ?? 0) + MemoryLayout<Member>.size
        throw PluginError(
            PARE_E_ARGUMENT, "struct_size is too small", at: "\(Struct.self)", found: "\(found)",
            expected: "at least \(needed)")
    }
    return pointer
}

/// The same for a struct that the plugin writes to.
func require<Struct, Member>(
    _ pointer: UnsafeMutablePointer<Struct>?, through member: KeyPath<Struct, Member>, _ size: KeyPath<Struct, UInt32>
) throws -> UnsafeMutablePointer<Struct> {
    UnsafeMutablePointer(mutating: try require(UnsafePointer(pointer), through: member, size))
}

/// A function that the host must have filled in.
func require<Function>(_ function: Function?, _ name: String) throws -> Function {
    guard let function else {
        throw PluginError(PARE_E_UNSUPPORTED, "the host left this function NULL", at: name)
    }
    return function
}

/// The string at a pointer from the host; empty for NULL.
func text(_ pointer: UnsafePointer<CChar>?) -> String { pointer.map { String(cString: $0) } ?? "" }

/// Tables and texts that live as long as the process: made once per module, never freed.
enum Immortal {
    static func text(_ value: String) -> UnsafePointer<CChar> {
        array(Array(value.utf8CString))
    }

    static func value<T>(_ value: T) -> UnsafePointer<T> {
        let copy = UnsafeMutablePointer<T>.allocate(capacity: 1)
        copy.initialize(to: value)
        return UnsafePointer(copy)
    }

    static func array<T>(_ values: [T]) -> UnsafePointer<T> {
        let copy = UnsafeMutablePointer<T>.allocate(capacity: max(values.count, 1))
        for (index, value) in values.enumerated() { (copy + index).initialize(to: value) }
        return UnsafePointer(copy)
    }
}
