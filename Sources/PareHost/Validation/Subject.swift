import CPare
import Glibc
import PareTensor

/// The file under test as one check sees it, inside the child process: nothing of it is loaded before it is asked for.
final class Subject {
    let path: String
    let target: PluginName?
    let seed: UInt64
    let board: Board

    init(path: String, target: PluginName?, seed: UInt64, board: Board) {
        self.path = path
        self.target = target
        self.seed = seed
        self.board = board
    }

    /// Says what comes next, for the message of a crash.
    func stage(_ text: String) { board.stage = text }

    /// A remark that goes with a pass.
    func note(_ text: String) { board.finding = Finding(verdict: .pass, what: text) }

    /// Opens the library as the host does.
    func open() throws -> UnsafeMutableRawPointer {
        guard let absolute = realpath(path, nil) else { throw Finding.fail("the file is gone") }
        defer { free(absolute) }
        stage("opening the library")
        guard let handle = dlopen(absolute, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) else {
            throw Finding.fail("the library cannot be loaded", found: fromC(dlerror()))
        }
        return handle
    }

    func entry() throws -> pare_plugin_entry_fn {
        guard let symbol = dlsym(try open(), PARE_ENTRY_SYMBOL) else {
            throw Finding.fail("the library has no \(PARE_ENTRY_SYMBOL)")
        }
        stage("calling \(PARE_ENTRY_SYMBOL)")
        return unsafeBitCast(symbol, to: pare_plugin_entry_fn.self)
    }

    /// What the entry returns, not looked at.
    func rawModule() throws -> UnsafePointer<pare_module> {
        guard let module = try entry()(UInt32(PARE_ABI_MAJOR), UInt32(PARE_ABI_MINOR)) else {
            throw Finding.fail("\(PARE_ENTRY_SYMBOL) returned NULL", expected: "a module")
        }
        stage("reading the module")
        return module
    }

    /// The module, which checks before have found complete.
    lazy var module: Result<UnsafePointer<pare_module>, any Error> = Result { try rawModule() }

    /// Its factory of one kind, nil if it has none. The table was found complete before.
    func factory(_ kind: PluginKind) throws -> UnsafePointer<pare_factory>? {
        let module = try module.get()
        stage("asking for the factory of \(kind.rawValue)")
        return module.pointee.get_factory?(module, kind.rawValue)
    }

    /// The plugin that this check is about.
    func named() throws -> PluginName {
        guard let target else { throw Finding.fail("this check is about one plugin") }
        return target
    }

    func targetFactory() throws -> UnsafePointer<pare_factory> {
        guard let factory = try factory(try named().kind) else { throw Finding.fail("the factory is gone") }
        return factory
    }

    /// Its descriptor, not looked at.
    func rawDescriptor() throws -> UnsafePointer<pare_descriptor> {
        let factory = try targetFactory()
        let index = try named().index
        stage("asking for descriptor \(index)")
        guard let descriptor = factory.pointee.descriptor?(factory, index) else {
            throw Finding.fail("the descriptor is gone")
        }
        stage("reading descriptor \(index)")
        return descriptor
    }

    /// The plugin as the host reads it.
    func plugin() throws -> Plugin {
        let target = try named()
        return try Plugin(
            factory: try targetFactory(), index: target.index, kind: target.kind,
            moduleID: fromC(try module.get().pointee.id), path: path)
    }

    private var started: Set<UnsafeMutablePointer<pare_host>> = []

    /// Lets the module know of a host, once.
    func start(_ host: TrialHost) throws {
        let module = try module.get()
        guard started.insert(host.pointer).inserted, let start = module.pointee.`init` else { return }
        stage("calling init")
        var record = pare_error.empty()
        let status = start(module, host.pointer, &record)
        guard status == PARE_OK else { throw pluginError(status, record, plugin: "init") }
    }

    /// An instance with these settings and defaults for all others.
    func make(_ settings: [String: String] = [:], _ host: TrialHost) throws -> Instance {
        try start(host)
        let plugin = try plugin()
        let required = OptionSamples.required(plugin)
        stage("calling create with " + Subject.text(settings))
        return try plugin.makeInstance(required.merging(settings) { $1 }, host: host.pointer)
    }

    static func text(_ settings: [String: String]) -> String {
        guard !settings.isEmpty else { return "default options" }
        return settings.keys.sorted().map { "\($0)=\(settings[$0].map { String($0.prefix(60)) } ?? "")" }
            .joined(separator: " ")
    }
}
