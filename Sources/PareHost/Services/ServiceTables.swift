import CPare
import Glibc
import PareTensor

/// The tables of `pare/services.h`. Made once, immortal; every function checks what it is given.
enum ServiceTables {
    static func find(_ id: String) -> UnsafeRawPointer? { tables[id] }

    private nonisolated(unsafe) static let tables: [String: UnsafeRawPointer] = [
        PARE_SERVICE_MEMORY: immortal(memory),
        PARE_SERVICE_PARALLEL: immortal(parallel),
        PARE_SERVICE_RANDOM: immortal(random),
        PARE_SERVICE_VECTOR: immortal(vector),
        PARE_SERVICE_LOG: immortal(log),
        PARE_SERVICE_REGISTRY: immortal(registry),
    ]

    private static func immortal<T>(_ table: T) -> UnsafeRawPointer {
        let pointer = UnsafeMutablePointer<T>.allocate(capacity: 1)
        pointer.initialize(to: table)
        return UnsafeRawPointer(pointer)
    }

    /// The context behind a host table, nil for a foreign or NULL one.
    static func context(_ host: UnsafePointer<pare_host>?) -> Context? {
        guard let address = host?.pointee.context else { return nil }
        return Unmanaged<Context>.fromOpaque(address).takeUnretainedValue()
    }

    private static var memory: pare_memory_service {
        var table = pare_memory_service()
        table.struct_size = UInt32(MemoryLayout<pare_memory_service>.size)
        table.allocate = { _, size in
            guard size > 0, size <= UInt64(Int.max / 2) else { return nil }
            var block: UnsafeMutableRawPointer?
            return posix_memalign(&block, 64, Int(size)) == 0 ? block : nil
        }
        table.release = { _, block, _ in free(block) }
        return table
    }

    private static var parallel: pare_parallel_service {
        var table = pare_parallel_service()
        table.struct_size = UInt32(MemoryLayout<pare_parallel_service>.size)
        table.thread_count = { host in UInt32(clamping: ServiceTables.context(host)?.threads.count ?? 1) }
        table.parallel_for = { host, count, body, user in
            guard let body, count <= UInt64(Int.max) else { return }
            guard let threads = ServiceTables.context(host)?.threads else {
                for index in 0..<count { body(user, index) }
                return
            }
            threads.parallelFor(Int(count)) { body(user, UInt64($0)) }
        }
        return table
    }

    private static var random: pare_random_service {
        var table = pare_random_service()
        table.struct_size = UInt32(MemoryLayout<pare_random_service>.size)
        table.uniform_f32 = { _, seed, stream, first, count, out in
            guard let out, count <= UInt64(Int.max) else { return }
            RandomStream(seed: seed, stream: stream).uniform(first: first, count: Int(count), into: out)
        }
        table.normal_f32 = { _, seed, stream, first, count, out in
            guard let out, count <= UInt64(Int.max) else { return }
            RandomStream(seed: seed, stream: stream).normal(first: first, count: Int(count), into: out)
        }
        table.bits_u64 = { _, seed, stream, first, count, out in
            guard let out, count <= UInt64(Int.max) else { return }
            RandomStream(seed: seed, stream: stream).bits(first: first, count: Int(count), into: out)
        }
        return table
    }

    private static var log: pare_log_service {
        var table = pare_log_service()
        table.struct_size = UInt32(MemoryLayout<pare_log_service>.size)
        table.message = { host, level, message in
            guard level > PARE_LOG_DEBUG, let message else { return }
            ServiceTables.context(host)?.log.add(String(cString: message))
        }
        return table
    }

    private static var registry: pare_registry_service {
        var table = pare_registry_service()
        table.struct_size = UInt32(MemoryLayout<pare_registry_service>.size)
        table.create = { host, kind, id, options, out, error in
            border(error) {
                guard let context = ServiceTables.context(host), let kind, let id, let out else {
                    throw PareError(.argument, "host, kind, id and out must not be NULL")
                }
                guard let known = PluginKind(rawValue: String(cString: kind)) else {
                    throw PareError(.notFound, "unknown plugin kind", found: "\"\(String(cString: kind))\"")
                }
                let instance = try context.makeInstance(known, String(cString: id), try settings(options))
                out.pointee = instance.handOver()
            }
        }
        return table
    }
}

/// Runs `body`, maps its error into the record, and answers the status: the shape of every function at the border.
public func border(_ record: UnsafeMutablePointer<pare_error>?, _ body: () throws -> Void) -> Int32 {
    do {
        try body()
        return PARE_OK
    } catch let error as PareError {
        fill(record, error)
        return error.status.rawValue
    } catch {
        fill(record, PareError(.internal, "\(error)"))
        return PARE_E_INTERNAL
    }
}

/// Settings from "key, value, key, value, NULL". A key given twice is an error.
public func settings(_ list: UnsafePointer<UnsafePointer<CChar>?>?) throws -> [String: String] {
    var found: [String: String] = [:]
    var cursor = list
    while let here = cursor, let key = here.pointee {
        let name = String(cString: key)
        guard let value = here[1] else { throw PareError(.option, "option \"\(name)\" has no value", found: "the end of the list") }
        guard found.updateValue(String(cString: value), forKey: name) == nil else {
            throw PareError(.option, "option \"\(name)\" is given twice")
        }
        cursor = here + 2
    }
    return found
}
