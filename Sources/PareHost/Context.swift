import CPare
import CShim
import Glibc
import PareTensor

/// Loaded plugins, threads and settings. Everything a plugin sees of the host hangs on `host`.
///
/// Set-up (loading, registering) is one call at a time; afterwards a context may be used from any thread.
public final class Context {
    public static let version = "0.1.0"

    public let threads: Threads
    /// The table handed to plugins; valid until this object goes away.
    public let host: UnsafeMutablePointer<pare_host>
    /// Problems met while loading the search path; the plugins they concern were left out.
    public private(set) var problems: [PareError] = []

    let registry = Registry()
    private var kept: [AnyObject] = []
    let log = MessageLog()

    /// - Parameter threads: 0 = one per available processor.
    /// - Parameter searchPath: colon-separated folders; nil = `PARE_PLUGIN_PATH`, then the folder beside this library; "" = none.
    public init(threads: Int = 0, searchPath: String? = nil) {
        self.threads = Threads(count: threads)
        host = .allocate(capacity: 1)
        host.initialize(to: pare_host())
        host.pointee.struct_size = UInt32(MemoryLayout<pare_host>.size)
        host.pointee.abi_major = UInt32(PARE_ABI_MAJOR)
        host.pointee.abi_minor = UInt32(PARE_ABI_MINOR)
        host.pointee.name = StaticText.name
        host.pointee.version = StaticText.version
        host.pointee.get_service = { _, id in id.flatMap { ServiceTables.find(String(cString: $0)) } }
        host.pointee.context = UnsafeRawPointer(Unmanaged.passUnretained(self).toOpaque())
        for folder in Context.folders(searchPath) {
            do {
                for file in try Loader.scan(folder) { attempt { try load(file) } }
            } catch let error as PareError {
                problems.append(error)
            } catch {
                problems.append(PareError(.internal, "\(error)", at: folder))
            }
        }
    }

    deinit {
        registry.shutDown()
        host.deallocate()
        threads.shutdown()
    }

    private func attempt(_ body: () throws -> Void) {
        do { try body() } catch let error as PareError { problems.append(error) } catch {
            problems.append(PareError(.internal, "\(error)"))
        }
    }

    /// Folders to search, in order.
    static func folders(_ searchPath: String?) -> [String] {
        func split(_ text: String) -> [String] { text.split(separator: ":").map(String.init) }
        if let searchPath { return split(searchPath) }
        if cshim_is_privileged() == 0, let variable = getenv("PARE_PLUGIN_PATH") { return split(String(cString: variable)) }
        return standardFolder.map { [$0] } ?? []
    }

    /// Folders that a new context searches by default, in order.
    public static var searchFolders: [String] { folders(nil) }

    /// Where plugins lie relative to the image that holds this code: `pare/` beside libpare.so, `../lib/pare/` from the program.
    public static var standardFolder: String? {
        guard let image = cshim_image_path(#dsohandle), let resolved = realpath(image, nil) else { return nil }
        defer { free(resolved) }
        let path = String(cString: resolved)
        guard let slash = path.utf8.lastIndex(of: 0x2F) else { return nil }
        let folder = String(path[..<slash])
        for candidate in ["\(folder)/pare", "\(folder)/../lib/pare"] {
            var info = stat()
            guard stat(candidate, &info) == 0, info.st_mode & S_IFMT == S_IFDIR else { continue }
            guard let plain = realpath(candidate, nil) else { continue }
            defer { free(plain) }
            return String(cString: plain)
        }
        return nil
    }

    /// Loads one plugin file; see `pare_context_load`.
    public func load(_ path: String) throws { try registry.load(path, host: host) }

    /// Registers a module of the calling program.
    public func register(_ entry: pare_plugin_entry_fn) throws {
        try registry.register(try Loader.check(entry), path: "", host: host)
    }

    public func plugins(_ kind: PluginKind? = nil) -> [Plugin] { registry.all(kind) }

    public func plugin(_ kind: PluginKind, _ id: String) throws -> Plugin { try registry.find(kind, id) }

    public func makeInstance(_ kind: PluginKind, _ id: String, _ settings: [String: String] = [:]) throws -> Instance {
        try plugin(kind, id).makeInstance(settings, host: host)
    }

    /// Keeps something alive for as long as the context.
    func keep(_ object: AnyObject) { kept.append(object) }

    /// Messages that plugins have sent since the last call.
    public func drainMessages() -> [String] { log.drain() }
}

/// C strings that live as long as the process.
enum StaticText {
    nonisolated(unsafe) static let name: UnsafePointer<CChar>? = immortal("Pare")
    nonisolated(unsafe) static let version: UnsafePointer<CChar>? = immortal(Context.version)

    static func immortal(_ text: String) -> UnsafePointer<CChar>? { strdup(text).map { UnsafePointer($0) } }
}

/// Messages of plugins, in order of arrival.
final class MessageLog {
    private let lock = Lock()
    private var messages: [String] = []

    func add(_ text: String) { lock.withLock { messages.append(text) } }

    func drain() -> [String] {
        lock.withLock {
            defer { messages = [] }
            return messages
        }
    }
}
