import CPare
import Glibc
import PareFormats
import PareHost
import PareMask
import PareTensor

/// C strings handed out by an object, made once per text and freed with it.
final class StringPool: @unchecked Sendable {
    private let lock = Lock()
    private var made: [String: UnsafeMutablePointer<CChar>] = [:]

    func pointer(_ text: String) -> UnsafePointer<CChar>? {
        lock.withLock {
            if let known = made[text] { return UnsafePointer(known) }
            guard let copy = strdup(text) else { return nil }
            made[text] = copy
            return UnsafePointer(copy)
        }
    }

    deinit { for pointer in made.values { free(pointer) } }
}

/// What a `pare_context *` is.
final class ContextBox {
    let context: Context
    let strings = StringPool()

    init(_ context: Context) { self.context = context }

    static func kind(_ kind: UnsafePointer<CChar>?) throws -> PluginKind {
        let spelt = try string(kind, "kind")
        guard let known = PluginKind(rawValue: spelt) else {
            throw PareError(
                .notFound, "unknown plugin kind", found: "\"\(spelt)\"",
                expected: PluginKind.allCases.map(\.rawValue).joined(separator: ", "))
        }
        return known
    }

    func plugins(_ kind: UnsafePointer<CChar>?) throws -> [Plugin] { context.plugins(try kind.map { try Self.kind($0) }) }

    func info(_ plugin: Plugin) -> pare_plugin_info {
        var info = pare_plugin_info()
        info.flags = plugin.flags
        info.needs = plugin.needs
        info.granularities = plugin.granularities
        info.option_count = UInt32(plugin.options.count)
        info.kind = strings.pointer(plugin.kind.rawValue)
        info.id = strings.pointer(plugin.id)
        info.version = strings.pointer(plugin.version)
        info.summary = strings.pointer(plugin.summary)
        info.source = strings.pointer(plugin.source)
        info.license = strings.pointer(plugin.license)
        info.module_id = strings.pointer(plugin.moduleID)
        info.path = strings.pointer(plugin.path)
        return info
    }
}

/// Strings that live as long as the process.
enum StaticStrings {
    private static let pool = StringPool()

    static var version: UnsafePointer<CChar>? { pool.pointer(Context.version) }

    static func name(of status: Int32) -> UnsafePointer<CChar>? {
        let names: [Int32: String] = [
            PARE_OK: "PARE_OK", PARE_E_ARGUMENT: "PARE_E_ARGUMENT", PARE_E_OPTION: "PARE_E_OPTION",
            PARE_E_NOT_FOUND: "PARE_E_NOT_FOUND", PARE_E_UNSUPPORTED: "PARE_E_UNSUPPORTED", PARE_E_STATE: "PARE_E_STATE",
            PARE_E_NOTHING_TO_DO: "PARE_E_NOTHING_TO_DO", PARE_E_FORMAT: "PARE_E_FORMAT", PARE_E_SHAPE: "PARE_E_SHAPE",
            PARE_E_DTYPE: "PARE_E_DTYPE", PARE_E_NONFINITE: "PARE_E_NONFINITE", PARE_E_MISSING: "PARE_E_MISSING",
            PARE_E_MEMORY: "PARE_E_MEMORY", PARE_E_IO: "PARE_E_IO", PARE_E_CANCELLED: "PARE_E_CANCELLED",
            PARE_E_PLUGIN_LOAD: "PARE_E_PLUGIN_LOAD", PARE_E_PLUGIN_VERSION: "PARE_E_PLUGIN_VERSION",
            PARE_E_PLUGIN_DUPLICATE: "PARE_E_PLUGIN_DUPLICATE", PARE_E_PLUGIN_FAULT: "PARE_E_PLUGIN_FAULT",
            PARE_E_INTERNAL: "PARE_E_INTERNAL",
        ]
        return pool.pointer(names[status] ?? "PARE_E_?")
    }
}

/// Progress callbacks of a run struct; nil for none.
func progress(_ run: UnsafePointer<pare_run>?) throws -> Progress? {
    guard let run else { return nil }
    let raw = try readGrowing(run, "run", required: MemoryLayout<pare_run>.size, zero: pare_run(), fault: .argument)
    guard raw.progress != nil || raw.keep_going != nil else { return nil }
    var highest = 0.0
    return { fraction, text in
        highest = max(highest, min(max(fraction, 0), 1))
        raw.progress?(raw.user, highest, text)
        return raw.keep_going.map { $0(raw.user) != 0 } ?? true
    }
}

extension Pattern {
    /// The C struct, checked; NULL is the element pattern.
    init(_ pointer: UnsafePointer<pare_pattern>?) throws {
        guard let pointer else {
            self = .element
            return
        }
        let raw = try readGrowing(
            pointer, "pattern", required: MemoryLayout<pare_pattern>.size, zero: pare_pattern(), fault: .argument)
        self = try Pattern(
            granularity: raw.granularity, n: raw.n, m: raw.m, blockRows: raw.block_rows, blockCols: raw.block_cols,
            remainder: raw.remainder)
    }
}
