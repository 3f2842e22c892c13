import CPare
import PareTensor

/// What a plugin can be.
public enum PluginKind: String, CaseIterable, Sendable {
    case criterion = "pare.criterion/1"
    case allocator = "pare.allocator/1"
    case penalty = "pare.penalty/1"
    case solver = "pare.solver/1"
    case recipe = "pare.recipe/1"
    case metric = "pare.metric/1"
    case estimator = "pare.estimator/1"

    /// "criterion", for messages.
    public var name: String { String(rawValue.dropFirst(5).dropLast(2)) }

    /// Bytes of the kind's table in version 1.0: a shorter table is refused.
    var tableSize: Int {
        switch self {
        case .criterion: MemoryLayout<pare_criterion>.size
        case .allocator: MemoryLayout<pare_allocator>.size
        case .penalty: MemoryLayout<pare_penalty>.size
        case .solver: MemoryLayout<pare_solver>.size
        case .recipe: MemoryLayout<pare_recipe>.size
        case .metric: MemoryLayout<pare_metric>.size
        case .estimator: MemoryLayout<pare_estimator>.size
        }
    }
}

/// A registered plugin: a checked copy of its descriptor, and the factory that makes instances.
public final class Plugin {
    public let kind: PluginKind
    public let id: String
    public let version: String
    public let summary: String
    public let source: String
    public let license: String
    public let flags: UInt32
    public let needs: UInt32
    public let granularities: UInt32
    public let options: [OptionInfo]
    public let moduleID: String
    /// File it came from; "" for one that the program registered.
    public let path: String
    /// The plugin's own static schema entries, for callers of the C interface.
    public let rawOptions: [UnsafePointer<pare_option_info>]

    let factory: UnsafePointer<pare_factory>
    let descriptor: UnsafePointer<pare_descriptor>

    /// Checks the descriptor at `index` of a factory. Throws `.pluginFault`.
    init(factory: UnsafePointer<pare_factory>, index: UInt32, kind: PluginKind, moduleID: String, path: String) throws {
        let table = try readGrowing(
            factory, "factory of \(kind.rawValue)", required: MemoryLayout<pare_factory>.size, zero: pare_factory())
        guard let describe = table.descriptor else {
            throw PareError(.pluginFault, "factory of \(kind.rawValue) has no descriptor function")
        }
        guard table.create != nil else {
            throw PareError(.pluginFault, "factory of \(kind.rawValue) has no create function")
        }
        guard let pointer = describe(factory, index) else {
            throw PareError(
                .pluginFault, "factory of \(kind.rawValue) answers NULL for a descriptor", found: "index \(index)",
                expected: "a descriptor for each index below \(table.count)")
        }
        let raw = try readGrowing(
            pointer, "descriptor \(index)", required: MemoryLayout<pare_descriptor>.size, zero: pare_descriptor())
        self.factory = factory
        self.kind = kind
        self.moduleID = moduleID
        self.path = path
        descriptor = pointer
        id = fromC(raw.id)
        version = fromC(raw.version)
        summary = fromC(raw.summary)
        source = fromC(raw.source)
        license = fromC(raw.license)
        flags = raw.flags
        needs = raw.needs
        granularities = raw.granularities
        guard isIdentifier(id, dots: true) else {
            throw PareError(.pluginFault, "descriptor \(index) has an unusable id", found: "\"\(id)\"", expected: "[a-z][a-z0-9-]*")
        }
        guard fromC(raw.kind) == kind.rawValue else {
            throw PareError(
                .pluginFault, "plugin \"\(id)\" is listed under another kind", found: "\"\(fromC(raw.kind))\"",
                expected: "\"\(kind.rawValue)\"")
        }
        var pointers: [UnsafePointer<pare_option_info>] = []
        var infos: [OptionInfo] = []
        for entry in 0..<raw.option_count {
            guard let option = raw.option?(pointer, entry) else {
                throw PareError(
                    .pluginFault, "plugin \"\(id)\" answers NULL for option \(entry)",
                    expected: "\(raw.option_count) options")
            }
            do {
                infos.append(try OptionInfo(option, index: Int(entry)))
            } catch let error as PareError {
                throw error.within("plugin \"\(id)\"")
            }
            pointers.append(option)
        }
        let keys = infos.map(\.key)
        if let twice = keys.first(where: { key in keys.filter { $0 == key }.count > 1 }) {
            throw PareError(.pluginFault, "plugin \"\(id)\" declares option \"\(twice)\" twice")
        }
        options = infos
        rawOptions = pointers
    }

    /// Granularities it can serve: 0 in the descriptor means all.
    public func serves(granularity: Int32) -> Bool { granularities == 0 || granularities & (1 << UInt32(granularity)) != 0 }

    public func has(flag: UInt32) -> Bool { flags & flag != 0 }

    /// Full, checked values in schema order from what the user set; unknown keys name the nearest known one.
    public func values(for settings: [String: String]) throws -> [(info: OptionInfo, value: OptionValue)] {
        for key in settings.keys.sorted() where !options.contains(where: { $0.key == key }) {
            let known = options.map(\.key)
            throw PareError(
                .option, "\(kind.name) \"\(id)\" has no option \"\(key)\"", found: "\"\(key)\"",
                expected: known.isEmpty ? "no options" : known.joined(separator: ", "),
                hint: nearest(to: key, in: known).map { "did you mean \"\($0)\"?" } ?? "")
        }
        return try options.map { info in
            if let set = settings[info.key] { return (info, try located { try info.parse(set) }) }
            guard let standard = info.defaultText else {
                throw PareError(
                    .option, "\(kind.name) \"\(id)\" needs option \"\(info.key)\"", expected: "\(info.kind.name) \(info.range)",
                    hint: info.help)
            }
            return (info, try info.parse(standard))
        }
    }

    private func located<T>(_ body: () throws -> T) throws -> T {
        do { return try body() } catch let error as PareError { throw error.within("\(kind.name) \"\(id)\"") }
    }

    /// Makes an instance with these settings. Throws `.option` for bad settings, the plugin's own error, or `.pluginFault`
    /// when what it returns breaks the contract.
    public func makeInstance(_ settings: [String: String], host: UnsafePointer<pare_host>) throws -> Instance {
        let storage = OptionStorage(try values(for: settings))
        let table = try readGrowing(
            factory, "factory of \(kind.rawValue)", required: MemoryLayout<pare_factory>.size, zero: pare_factory())
        guard let create = table.create else { throw PareError(.pluginFault, "no create function", at: id) }
        var made: UnsafeMutablePointer<pare_instance>?
        var record = pare_error.empty()
        let status = create(factory, host, id, storage.values, UInt32(storage.count), &made, &record)
        guard status == PARE_OK else { throw pluginError(status, record, plugin: "\(kind.name) \"\(id)\"") }
        guard let made else {
            throw PareError(.pluginFault, "create succeeded but returned NULL", at: "\(kind.name) \"\(id)\"")
        }
        return try Instance(made, plugin: self)
    }
}

/// A live instance; destroyed with this object.
public final class Instance {
    public let plugin: Plugin
    public let pointer: UnsafeMutablePointer<pare_instance>
    let table: UnsafeRawPointer
    private let destroy: (@convention(c) (UnsafeMutablePointer<pare_instance>?) -> Void)?

    init(_ pointer: UnsafeMutablePointer<pare_instance>, plugin: Plugin) throws {
        let place = "\(plugin.kind.name) \"\(plugin.id)\""
        let raw = try readGrowing(
            UnsafePointer(pointer), "instance of \(place)", required: MemoryLayout<pare_instance>.size,
            zero: pare_instance())
        guard let table = raw.table else {
            raw.destroy?(pointer)
            throw PareError(.pluginFault, "the instance's table is NULL", at: place)
        }
        let size = Int(table.load(as: UInt32.self))
        guard size >= plugin.kind.tableSize else {
            raw.destroy?(pointer)
            throw PareError(
                .pluginFault, "the instance's table is too short", at: place, found: "struct_size \(size)",
                expected: "at least \(plugin.kind.tableSize)")
        }
        self.plugin = plugin
        self.pointer = pointer
        self.table = table
        destroy = raw.destroy
    }

    /// The kind's table as this build knows it; the caller names the type that belongs to `plugin.kind`.
    func table<T>(as type: T.Type) -> T { table.load(as: type) }

    fileprivate var owned = true

    deinit { if owned { destroy?(pointer) } }
}

extension Instance {
    /// Gives the C instance to a new owner, who calls its destroy; this object no longer will.
    func handOver() -> UnsafeMutablePointer<pare_instance> {
        owned = false
        return pointer
    }
}
