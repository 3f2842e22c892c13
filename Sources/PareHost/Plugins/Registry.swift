import CPare
import Glibc
import PareTensor

/// The plugins of one context. All or nothing per module: an id already taken refuses the whole file and names both.
final class Registry {
    private(set) var plugins: [Plugin] = []
    private var modules: [UnsafePointer<pare_module>] = []
    private var seenFiles: Set<Loader.FileID> = []

    /// Loads a file; a file that is already here (same device and inode) is left alone.
    func load(_ path: String, host: UnsafePointer<pare_host>) throws {
        let identity = try Loader.identity(of: path)
        guard !seenFiles.contains(identity) else { return }
        try register(try Loader.open(path), path: path, host: host)
        seenFiles.insert(identity)
    }

    /// Registers all plugins of a checked module.
    func register(_ module: UnsafePointer<pare_module>, path: String, host: UnsafePointer<pare_host>) throws {
        let place = path.isEmpty ? "module \"\(fromC(module.pointee.id))\"" : path
        do {
            let found = try Loader.plugins(of: module, path: path)
            try refuseDuplicates(found, place: place)
            if let start = module.pointee.`init` {
                var record = pare_error.empty()
                let status = start(module, host, &record)
                guard status == PARE_OK else { throw pluginError(status, record, plugin: "init") }
            }
            add(found)
            modules.append(module)
        } catch let error as PareError {
            throw error.location.hasPrefix(place) ? error : error.within(place)
        }
    }

    /// Registers a plugin made by the host itself around a function (callback, plain C function).
    func register(_ plugin: Plugin, place: String) throws {
        try refuseDuplicates([plugin], place: place)
        add([plugin])
    }

    private func add(_ found: [Plugin]) {
        plugins = (plugins + found).sorted {
            let (a, b) = (PluginKind.allCases.firstIndex(of: $0.kind) ?? 0, PluginKind.allCases.firstIndex(of: $1.kind) ?? 0)
            return (a, $0.id) < (b, $1.id)
        }
    }

    private func refuseDuplicates(_ found: [Plugin], place: String) throws {
        for (index, plugin) in found.enumerated() {
            if found[..<index].contains(where: { $0.kind == plugin.kind && $0.id == plugin.id }) {
                throw PareError(.pluginDuplicate, "\(plugin.kind.name) \"\(plugin.id)\" is listed twice", at: place)
            }
            if let other = plugins.first(where: { $0.kind == plugin.kind && $0.id == plugin.id }) {
                let origin = other.path.isEmpty ? "the program (module \"\(other.moduleID)\")" : other.path
                throw PareError(
                    .pluginDuplicate, "\(plugin.kind.name) \"\(plugin.id)\" is already registered", at: place,
                    found: "the same id from \(origin)", expected: "an id that is not taken",
                    hint: "remove one of the two files")
            }
        }
    }

    func all(_ kind: PluginKind?) -> [Plugin] { kind.map { kind in plugins.filter { $0.kind == kind } } ?? plugins }

    func find(_ kind: PluginKind, _ id: String) throws -> Plugin {
        if let match = plugins.first(where: { $0.kind == kind && $0.id == id }) { return match }
        let known = all(kind).map(\.id)
        let near = nearest(to: id, in: known)
        throw PareError(
            .notFound, "there is no \(kind.name) \"\(id)\"", found: "\"\(id)\"",
            expected: known.isEmpty ? "none is loaded" : known.joined(separator: ", "),
            hint: near.map { "did you mean \"\($0)\"?" } ?? "pare plugins lists what is loaded")
    }

    /// Calls each module's deinit, last loaded first. Code stays mapped.
    func shutDown() {
        for module in modules.reversed() { module.pointee.deinit?(module) }
        modules = []
        plugins = []
    }
}
