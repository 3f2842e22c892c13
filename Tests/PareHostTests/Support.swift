import CPare
import Glibc
import PareTensor
import Testing

@testable import PareHost

func error(_ body: () throws -> Void) -> PareError? {
    do {
        try body()
        return nil
    } catch { return error as? PareError }
}

/// A C string that stays, as the strings of a plugin do.
func c(_ text: String) -> UnsafePointer<CChar> {
    Kept.lock.withLock {
        if let known = Kept.texts[text] { return known }
        let copy = text.withCString { source in
            let length = strlen(source) + 1
            let room = UnsafeMutablePointer<CChar>.allocate(capacity: length)
            room.initialize(from: source, count: length)
            return UnsafePointer(room)
        }
        Kept.texts[text] = copy
        return copy
    }
}

/// A value in C memory that stays, as the static tables of a plugin do.
func immortal<T>(_ value: T) -> UnsafeMutablePointer<T> {
    let pointer = UnsafeMutablePointer<T>.allocate(capacity: 1)
    pointer.initialize(to: value)
    Kept.lock.withLock { Kept.blocks.append(pointer) }
    return pointer
}

/// What fixtures never free stays reachable, so that a leak checker has nothing to say.
enum Kept {
    static let lock = Lock()
    nonisolated(unsafe) static var texts: [String: UnsafePointer<CChar>] = [:]
    nonisolated(unsafe) static var blocks: [UnsafeMutableRawPointer] = []
    nonisolated(unsafe) static var objects: [AnyObject] = []

    static func keep(_ object: AnyObject) { lock.withLock { objects.append(object) } }
}

/// Numbers in memory of their own, and views of them, which may outlive every reference to the object: it stays.
final class Numbers<T> {
    let base: UnsafeMutablePointer<T>
    let count: Int

    init(_ values: [T]) {
        count = values.count
        base = .allocate(capacity: max(count, 1))
        for (index, value) in values.enumerated() { (base + index).initialize(to: value) }
        Kept.keep(self)
    }

    var values: [T] { Array(UnsafeBufferPointer(start: base, count: count)) }

    var dtype: DType {
        switch T.self {
        case is Double.Type: .float64
        case is Int32.Type: .int32
        default: .float32
        }
    }

    func view(_ shape: [Int]) -> TensorView { TensorView(base: base, dtype: dtype, shape: shape) }
    func view(_ shape: [Int], strides: [Int]) -> TensorView {
        TensorView(base: base, dtype: dtype, shape: shape, strides: strides)
    }
}

func floats(_ values: Float...) -> Numbers<Float> { Numbers(values) }

/// A raw schema entry.
func rawOption(
    _ key: String, _ type: Int32, standard: String? = nil, _ range: ClosedRange<Double> = -Double.infinity...Double.infinity,
    choices: [String] = [], flags: Int32 = 0
) -> pare_option_info {
    var raw = pare_option_info()
    raw.struct_size = UInt32(MemoryLayout<pare_option_info>.size)
    raw.type = type
    raw.flags = UInt32(flags)
    raw.key = c(key)
    raw.help = c("help of \(key)")
    raw.unit = c("")
    raw.default_text = standard.map { c($0) }
    raw.minimum = range.lowerBound
    raw.maximum = range.upperBound
    if type == PARE_OPTION_CHOICE {
        let list = UnsafeMutablePointer<UnsafePointer<CChar>?>.allocate(capacity: choices.count + 1)
        for (index, choice) in choices.enumerated() { list[index] = c(choice) }
        list[choices.count] = nil
        Kept.lock.withLock { Kept.blocks.append(list) }
        raw.choices = UnsafePointer(list)
    }
    return raw
}

func option(_ raw: pare_option_info) throws -> OptionInfo {
    try withUnsafePointer(to: raw) { try OptionInfo($0, index: 0) }
}
