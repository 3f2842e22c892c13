import CPare
import CShim
import Glibc
import PareTensor

/// Opens a plugin file and checks what its entry returns. Nothing is ever closed: unmapping a Swift image crashes later.
enum Loader {
    /// Identity of a file on disk, so that one library is never opened under two names.
    struct FileID: Hashable {
        var device: UInt
        var inode: UInt
    }

    static func identity(of path: String) throws -> FileID {
        var info = stat()
        guard stat(path, &info) == 0 else {
            let status: Status = errno == ENOENT ? .notFound : .io
            throw PareError(status, "the plugin file cannot be read", at: path, found: String(cString: cshim_error_text(errno)))
        }
        guard info.st_mode & S_IFMT == S_IFREG else {
            throw PareError(.pluginLoad, "not a regular file", at: path, expected: "a shared library ending in \(PARE_PLUGIN_SUFFIX)")
        }
        return FileID(device: UInt(info.st_dev), inode: UInt(info.st_ino))
    }

    /// The module of a plugin file. Throws `.pluginLoad` or `.pluginVersion` or `.pluginFault`, with the path.
    static func open(_ path: String) throws -> UnsafePointer<pare_module> {
        guard path.utf8.count < 4096 else { throw PareError(.argument, "the path is longer than 4095 bytes", at: path) }
        guard let absolute = realpath(path, nil) else {
            throw PareError(.notFound, "no such plugin file", at: path, found: String(cString: cshim_error_text(errno)))
        }
        defer { free(absolute) }
        try ElfHeader.check(path)
        let (handle, problem) = openLibrary(absolute, RTLD_NODELETE)
        guard let handle else {
            throw PareError(
                .pluginLoad, "the library cannot be loaded", at: path, found: problem, hint: "ldd shows what it needs")
        }
        guard let symbol = dlsym(handle, PARE_ENTRY_SYMBOL) else {
            throw PareError(
                .pluginLoad, "not a Pare plugin: it does not export \(PARE_ENTRY_SYMBOL)", at: path,
                hint: "see docs/plugins.md")
        }
        do {
            return try check(unsafeBitCast(symbol, to: pare_plugin_entry_fn.self))
        } catch let error as PareError {
            throw error.within(path)
        }
    }

    /// Held while a library is loaded, and while a child process is made that will load one: glibc does not give a child the
    /// loader's lock back if another thread held it, and the child would wait for ever. Recursive, because loading runs
    /// constructors, which may come back here.
    static let loading = Lock(isRecursive: true)

    /// The library's handle, or nil and what was wrong.
    static func openLibrary(_ path: UnsafePointer<CChar>, _ flags: Int32 = 0) -> (handle: UnsafeMutableRawPointer?, problem: String) {
        loading.withLock {
            let handle = dlopen(path, RTLD_NOW | RTLD_LOCAL | flags)
            return (handle, handle == nil ? fromC(dlerror()) : "")
        }
    }

    /// Calls the entry and checks the module: magic, sizes, versions. Both numbers are in the message of a version error.
    static func check(_ entry: pare_plugin_entry_fn) throws -> UnsafePointer<pare_module> {
        guard let module = entry(UInt32(PARE_ABI_MAJOR), UInt32(PARE_ABI_MINOR)) else {
            throw PareError(.pluginFault, "\(PARE_ENTRY_SYMBOL) returned NULL")
        }
        let magic = UnsafeRawPointer(module).loadUnaligned(as: UInt64.self)
        guard magic == PARE_MODULE_MAGIC else {
            throw PareError(
                .pluginFault, "the module has a wrong magic number", found: "0x" + String(magic, radix: 16),
                expected: "0x" + String(UInt64(PARE_MODULE_MAGIC), radix: 16))
        }
        let raw = try readGrowing(
            module, "the module", required: MemoryLayout<pare_module>.size, sizeOffset: 8, zero: pare_module())
        let host = "\(PARE_ABI_MAJOR).\(PARE_ABI_MINOR)"
        guard raw.abi_major == PARE_ABI_MAJOR else {
            throw PareError(
                .pluginVersion, "the plugin speaks another major version of the interface",
                found: "\(raw.abi_major).\(raw.abi_minor)", expected: host,
                hint: raw.abi_major > PARE_ABI_MAJOR ? "a newer Pare is needed" : "rebuild the plugin")
        }
        guard raw.min_host_minor <= PARE_ABI_MINOR else {
            throw PareError(
                .pluginVersion, "the plugin needs a newer host", found: "host \(host)",
                expected: "at least \(raw.abi_major).\(raw.min_host_minor)", hint: "update Pare")
        }
        guard raw.get_factory != nil else { throw PareError(.pluginFault, "the module has no get_factory function") }
        guard raw.id != nil, raw.version != nil else { throw PareError(.pluginFault, "the module has no id or no version") }
        return module
    }

    /// Every plugin of a module, kind by kind.
    static func plugins(of module: UnsafePointer<pare_module>, path: String) throws -> [Plugin] {
        guard let getFactory = module.pointee.get_factory else { return [] }
        let moduleID = fromC(module.pointee.id)
        var found: [Plugin] = []
        for kind in PluginKind.allCases {
            guard let factory = getFactory(module, kind.rawValue) else { continue }
            let table = try readGrowing(
                factory, "factory of \(kind.rawValue)", required: MemoryLayout<pare_factory>.size, zero: pare_factory())
            guard table.count <= 4096 else {
                throw PareError(.pluginFault, "factory of \(kind.rawValue) claims \(table.count) plugins", expected: "at most 4096")
            }
            for index in 0..<table.count {
                found.append(try Plugin(factory: factory, index: index, kind: kind, moduleID: moduleID, path: path))
            }
        }
        guard !found.isEmpty else { throw PareError(.pluginFault, "the module holds no plugin of a kind that this host knows") }
        return found
    }

    /// Plugin files of a folder, sorted by name; a folder that cannot be read is an error, an absent one is empty.
    static func scan(_ folder: String) throws -> [String] {
        guard let handle = opendir(folder) else {
            if errno == ENOENT { return [] }
            throw PareError(.io, "the plugin folder cannot be read", at: folder, found: String(cString: cshim_error_text(errno)))
        }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name.utf8.count > 5, name.hasSuffix(PARE_PLUGIN_SUFFIX), !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted().map { "\(folder)/\($0)" }
    }
}
