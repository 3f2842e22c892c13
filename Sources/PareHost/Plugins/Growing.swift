import CPare
import PareTensor

/// A copy of a struct that may be shorter or longer than this build's: missing members read as zero, later ones are dropped.
///
/// - Parameter sizeOffset: where `struct_size` lies (0 everywhere but in `pare_module`).
/// - Parameter required: bytes of version 1.0, the least that is accepted.
/// - Parameter fault: whose fault a NULL or short struct is: `.argument` for those of a caller.
public func readGrowing<T>(
    _ pointer: UnsafePointer<T>?, _ name: String, required: Int, sizeOffset: Int = 0, zero: T, fault: Status = .pluginFault
) throws -> T {
    guard let pointer else { throw PareError(fault, "\(name) is NULL") }
    let raw = UnsafeRawPointer(pointer)
    let size = Int(raw.loadUnaligned(fromByteOffset: sizeOffset, as: UInt32.self))
    guard size >= required else {
        throw PareError(
            fault, "\(name) is too short", found: "struct_size \(size)", expected: "at least \(required)")
    }
    var copy = zero
    withUnsafeMutableBytes(of: &copy) { target in
        target.copyMemory(from: UnsafeRawBufferPointer(start: raw, count: min(size, target.count)))
    }
    return copy
}

/// A static string of a plugin; NULL becomes "".
func fromC(_ pointer: UnsafePointer<CChar>?) -> String { pointer.map { String(cString: $0) } ?? "" }

/// The text of a `char[N]` member, which imports as a tuple.
func fromC<Tuple>(ofArray tuple: Tuple) -> String {
    withUnsafeBytes(of: tuple) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
}
