import PareHost
import PareTensor

/// Handles at the border: numbers in the guise of pointers, never used twice and never followed, with a table of the live ones. So a
/// stale, foreign or wrong handle gives a status instead of a crash, even where its object's memory serves another one by now.
enum Handle {
    private static let lock = Lock()
    private nonisolated(unsafe) static var live: [OpaquePointer: AnyObject] = [:]
    private nonisolated(unsafe) static var last: UInt = 0

    /// Hands an object to the caller.
    static func make(_ object: AnyObject) -> OpaquePointer? {
        lock.withLock {
            last &+= 16
            let handle = OpaquePointer(bitPattern: last)
            if let handle { live[handle] = object }
            return handle
        }
    }

    /// The object behind a handle. Throws `.argument` if it is NULL, was destroyed, or is of another type.
    static func get<T: AnyObject>(_ pointer: OpaquePointer?, _ type: T.Type, _ name: String) throws -> T {
        guard let pointer else { throw PareError(.argument, "\(name) is NULL") }
        guard let object = lock.withLock({ live[pointer] }) else {
            throw PareError(.argument, "\(name) is not a live handle", hint: "it was destroyed, or never made by this library")
        }
        guard let typed = object as? T else {
            throw PareError(.argument, "\(name) is a handle of another kind")
        }
        return typed
    }

    /// The same for functions that answer a plain value.
    static func peek<T: AnyObject>(_ pointer: OpaquePointer?, _ type: T.Type) -> T? {
        guard let pointer else { return nil }
        return lock.withLock { live[pointer] } as? T
    }

    /// Ends a handle of type T; anything else is left alone.
    static func destroy<T: AnyObject>(_ pointer: OpaquePointer?, _ type: T.Type) {
        guard let pointer else { return }
        // Released outside the lock: a deinit may call back.
        let object: AnyObject? = lock.withLock { live[pointer] is T ? live.removeValue(forKey: pointer) : nil }
        withExtendedLifetime(object) {}
    }
}

/// Writes a result, refusing a NULL place for it.
func deliver<T>(_ value: T, to out: UnsafeMutablePointer<T>?, _ name: String) throws {
    guard let out else { throw PareError(.argument, "\(name) is NULL") }
    out.pointee = value
}

/// Copies a filled struct into a caller's growing struct: as many bytes as the caller has, its struct_size kept.
func deliver<T>(growing value: T, to out: UnsafeMutablePointer<T>?, required: Int) throws {
    guard let out else { throw PareError(.argument, "out is NULL") }
    let raw = UnsafeMutableRawPointer(out)
    let size = raw.load(as: UInt32.self)
    guard Int(size) >= required else {
        throw PareError(
            .argument, "out->struct_size is too small", found: "\(size)", expected: "at least \(required)",
            hint: "set it to sizeof before the call")
    }
    withUnsafeBytes(of: value) { bytes in
        raw.copyMemory(from: bytes.baseAddress ?? UnsafeRawPointer(raw), byteCount: min(Int(size), bytes.count))
    }
    raw.storeBytes(of: size, as: UInt32.self)
}

/// A C string argument.
func string(_ pointer: UnsafePointer<CChar>?, _ name: String) throws -> String {
    guard let pointer else { throw PareError(.argument, "\(name) is NULL") }
    return String(cString: pointer)
}

/// Strings from a NULL-terminated list; NULL is the empty list.
func strings(_ list: UnsafePointer<UnsafePointer<CChar>?>?) -> [String] {
    var found: [String] = []
    var cursor = list
    while let item = cursor?.pointee {
        found.append(String(cString: item))
        cursor = cursor.map { $0 + 1 }
    }
    return found
}
