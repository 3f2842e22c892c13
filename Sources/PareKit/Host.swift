import CPare

/// The running host and its services. Valid for the life of an instance; any thread.
///
/// A service that this host lacks throws `PARE_E_UNSUPPORTED` when it is used. Threads and log are different: without
/// them work runs on the calling thread and messages are dropped, as results depend on neither.
public struct Host {
    let pointer: UnsafePointer<pare_host>

    init(_ pointer: UnsafePointer<pare_host>?) throws {
        self.pointer = try require(pointer, through: \.get_service, \.struct_size)
    }

    /// Interface version of the running host.
    public var version: (major: UInt32, minor: UInt32) { (pointer.pointee.abi_major, pointer.pointee.abi_minor) }

    public var vector: VectorService { VectorService(host: self) }
    public var parallel: ParallelService { ParallelService(host: self) }
    public var random: RandomService { RandomService(host: self) }
    public var memory: MemoryService { MemoryService(host: self) }
    public var log: LogService { LogService(host: self) }
    public var registry: RegistryService { RegistryService(host: self) }

    /// The table of a service by id, or nil when this host has none.
    func find<Table>(_ id: String, as type: Table.Type) -> UnsafePointer<Table>? {
        pointer.pointee.get_service?(pointer, id)?.assumingMemoryBound(to: Table.self)
    }

    func service<Table, Member>(
        _ id: String, through member: KeyPath<Table, Member>, _ size: KeyPath<Table, UInt32>
    ) throws -> Table {
        guard let table = find(id, as: Table.self), has(table.pointee[keyPath: size], member) else {
            throw PluginError(
                PARE_E_UNSUPPORTED, "this host does not offer a service that the plugin needs", at: id,
                hint: "use a newer host")
        }
        return table.pointee
    }
}

/// The host's threads.
public struct ParallelService {
    let host: Host

    /// Run `body(i)` for 0 ≤ i < count, in any order and concurrently; back when all are done.
    ///
    /// Choose `count` from the data, never from the number of threads, so that results do not depend on it. Bodies must
    /// write to places of their own.
    public func forEach(_ count: Int, _ body: (Int) -> Void) {
        guard count > 0 else { return }
        guard let table = host.find(PARE_SERVICE_PARALLEL, as: pare_parallel_service.self),
            has(table.pointee.struct_size, \pare_parallel_service.parallel_for),
            let parallelFor = table.pointee.parallel_for
        else { return (0..<count).forEach(body) }
        withoutActuallyEscaping(body) { body in
            withUnsafePointer(to: body) { pointer in
                parallelFor(
                    host.pointer, UInt64(count),
                    { user, index in user?.assumingMemoryBound(to: ((Int) -> Void).self).pointee(Int(index)) },
                    UnsafeMutableRawPointer(mutating: pointer))
            }
        }
    }
}

/// Counter-based random numbers: draw i of a stream under a seed is the same for every call order and thread.
public struct RandomService {
    let host: Host

    private func table() throws -> pare_random_service {
        try host.service(PARE_SERVICE_RANDOM, through: \.bits_u64, \.struct_size)
    }

    /// Draws first … first + out.count - 1, uniform in [0, 1).
    public func uniform(seed: UInt64, stream: UInt64, first: UInt64, into out: UnsafeMutableBufferPointer<Float>) throws {
        let draw = try require(try table().uniform_f32, "uniform_f32")
        draw(host.pointer, seed, stream, first, UInt64(out.count), out.baseAddress)
    }

    /// The same, standard normal.
    public func normal(seed: UInt64, stream: UInt64, first: UInt64, into out: UnsafeMutableBufferPointer<Float>) throws {
        let draw = try require(try table().normal_f32, "normal_f32")
        draw(host.pointer, seed, stream, first, UInt64(out.count), out.baseAddress)
    }
}

/// Scratch memory that the host can account for.
public struct MemoryService {
    let host: Host

    /// Lend `count` elements, not cleared, to `body`. Throws `PARE_E_MEMORY` if there are none.
    public func withScratch<T, Result>(
        of type: T.Type, count: Int, _ body: (UnsafeMutableBufferPointer<T>) throws -> Result
    ) throws -> Result {
        let table = try host.service(PARE_SERVICE_MEMORY, through: \pare_memory_service.release, \.struct_size)
        let allocate = try require(table.allocate, "allocate")
        let release = try require(table.release, "release")
        guard count > 0 else { return try body(.init(start: nil, count: 0)) }
        let (bytes, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<T>.stride)
        guard !overflow, let block = allocate(host.pointer, UInt64(bytes)) else {
            throw PluginError(PARE_E_MEMORY, "not enough memory", expected: overflow ? "" : "\(bytes) bytes")
        }
        defer { release(host.pointer, block, UInt64(bytes)) }
        return try body(.init(start: block.bindMemory(to: T.self, capacity: count), count: count))
    }
}

/// Messages for the user; the host decides where they go.
public struct LogService {
    let host: Host

    public func debug(_ text: String) { send(PARE_LOG_DEBUG, text) }
    public func info(_ text: String) { send(PARE_LOG_INFO, text) }
    public func warning(_ text: String) { send(PARE_LOG_WARNING, text) }

    private func send(_ level: Int32, _ text: String) {
        guard let table = host.find(PARE_SERVICE_LOG, as: pare_log_service.self),
            has(table.pointee.struct_size, \pare_log_service.message)
        else { return }
        table.pointee.message?(host.pointer, level, text)
    }
}

/// Other plugins, for those that build on one: a recipe on a solver, an estimator on a penalty.
public struct RegistryService {
    let host: Host

    /// Make an instance of another plugin; `options` are texts as a user would write them.
    public func create(kind: String, id: String, options: [(key: String, value: String)] = []) throws -> NestedInstance {
        let table = try host.service(PARE_SERVICE_REGISTRY, through: \pare_registry_service.create, \.struct_size)
        let create = try require(table.create, "create")
        var words: [UnsafePointer<CChar>?] = options.flatMap { [Immortal.text($0.key), Immortal.text($0.value)] }
        defer { words.forEach { $0?.deallocate() } }
        words.append(nil)
        var instance: UnsafeMutablePointer<pare_instance>?
        try asking("making \(id)") { create(host.pointer, kind, id, words, &instance, $0) }
        guard let instance else { throw PluginError(PARE_E_INTERNAL, "the host made no instance", at: id) }
        return NestedInstance(instance)
    }
}

/// An instance of another plugin; destroyed with this object.
public final class NestedInstance {
    public let pointer: UnsafeMutablePointer<pare_instance>

    init(_ pointer: UnsafeMutablePointer<pare_instance>) { self.pointer = pointer }

    deinit { pointer.pointee.destroy?(pointer) }
}
