import CPare
import Glibc
import PareTensor

/// A host made for one trial: the real services, or some, or none, over memory that is kept account of.
final class TrialHost {
    enum Services {
        case all
        /// get_service answers NULL whatever it is asked.
        case none
        /// Every table is larger than this version's, as a later host's would be.
        case larger
    }

    let pointer: UnsafeMutablePointer<pare_host>
    let ledger: MemoryLedger
    private let context: Context
    private var tables: [String: UnsafeRawPointer] = [:]

    private static let lock = Lock()
    /// By context, which is what reaches a service; never emptied: a plugin may keep a host until its process ends.
    private nonisolated(unsafe) static var hosts: [UnsafeRawPointer: TrialHost] = [:]
    /// Bytes that a later version's struct is longer.
    static let growth = 64
    static let filler: UInt8 = 0xA5

    /// - Parameter failAt: the allocation, counted from 1, that is refused.
    init(threads: Int = 1, services: Services = .all, failAt: Int? = nil) {
        context = Context(threads: threads, searchPath: "")
        ledger = MemoryLedger(failAt: failAt)
        let size = MemoryLayout<pare_host>.size + TrialHost.growth
        let block = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
        block.initializeMemory(as: UInt8.self, repeating: TrialHost.filler, count: size)
        pointer = block.bindMemory(to: pare_host.self, capacity: 1)
        pointer.pointee = context.host.pointee
        if case .larger = services {
            pointer.pointee.struct_size += UInt32(TrialHost.growth)
            pointer.pointee.abi_minor += 1
        }
        pointer.pointee.get_service = { host, id in
            guard let host, let id else { return nil }
            return TrialHost.of(host)?.tables[String(cString: id)]
        }
        fillTables(services)
        let key = UnsafeRawPointer(Unmanaged.passUnretained(context).toOpaque())
        TrialHost.lock.withLock { TrialHost.hosts[key] = self }
    }

    static func of(_ host: UnsafePointer<pare_host>?) -> TrialHost? {
        guard let key = host?.pointee.context else { return nil }
        return lock.withLock { hosts[key] }
    }

    private func fillTables(_ services: Services) {
        if case .none = services { return }
        func add<T>(_ id: String, _ type: T.Type) {
            guard let source = id == PARE_SERVICE_MEMORY ? MemoryLedger.table : ServiceTables.find(id) else { return }
            guard case .larger = services else {
                tables[id] = source
                return
            }
            let size = MemoryLayout<T>.size
            let copy = UnsafeMutableRawPointer.allocate(byteCount: size + TrialHost.growth, alignment: 16)
            copy.initializeMemory(as: UInt8.self, repeating: TrialHost.filler, count: size + TrialHost.growth)
            copy.copyMemory(from: source, byteCount: size)
            copy.storeBytes(of: UInt32(size + TrialHost.growth), as: UInt32.self)
            tables[id] = UnsafeRawPointer(copy)
        }
        add(PARE_SERVICE_MEMORY, pare_memory_service.self)
        add(PARE_SERVICE_PARALLEL, pare_parallel_service.self)
        add(PARE_SERVICE_RANDOM, pare_random_service.self)
        add(PARE_SERVICE_VECTOR, pare_vector_service.self)
        add(PARE_SERVICE_LOG, pare_log_service.self)
        add(PARE_SERVICE_REGISTRY, pare_registry_service.self)
    }
}

/// Every block that a plugin has asked a host for, with guard bytes around it.
final class MemoryLedger: @unchecked Sendable {
    private let lock = Lock()
    private let failAt: Int?
    private var live: [UnsafeMutableRawPointer: Int] = [:]
    private var asked = 0
    private var faults: [String] = []

    private static let guardBytes = 64

    init(failAt: Int?) { self.failAt = failAt }

    /// Allocations asked for until now, refused ones included.
    var allocations: Int { lock.withLock { asked } }
    var liveBlocks: Int { lock.withLock { live.count } }
    var liveBytes: Int { lock.withLock { live.values.reduce(0, +) } }
    /// Wrong releases and writes outside a block.
    var problems: [String] { lock.withLock { faults } }

    /// Contents are set to a pattern that reads as NaN: nothing may rely on cleared memory.
    func allocate(_ size: UInt64) -> UnsafeMutableRawPointer? {
        lock.withLock {
            asked += 1
            guard asked != failAt, size > 0, size < 1 << 40 else { return nil }
            var raw: UnsafeMutableRawPointer?
            let total = Int(size) + 2 * MemoryLedger.guardBytes
            guard posix_memalign(&raw, 64, total) == 0, let raw else { return nil }
            memset(raw, Int32(TrialHost.filler), total)
            let block = raw + MemoryLedger.guardBytes
            memset(block, 0xFF, Int(size))
            live[block] = Int(size)
            return block
        }
    }

    func release(_ block: UnsafeMutableRawPointer?, _ size: UInt64) {
        guard let block else { return }
        lock.withLock {
            guard let known = live.removeValue(forKey: block) else {
                return faults.append("released a block that it did not hold, or released one twice")
            }
            if UInt64(known) != size { faults.append("released a block of \(known) bytes as one of \(size)") }
            let width = MemoryLedger.guardBytes
            let around = [
                UnsafeRawBufferPointer(start: block - width, count: width),
                UnsafeRawBufferPointer(start: block + known, count: width),
            ]
            if around.contains(where: { $0.contains { $0 != TrialHost.filler } }) {
                faults.append("wrote outside a block of \(known) bytes")
            }
            free(block - width)
        }
    }

    /// The memory service over the ledger of whichever host asks.
    nonisolated(unsafe) static let table: UnsafeRawPointer? = {
        let table = UnsafeMutablePointer<pare_memory_service>.allocate(capacity: 1)
        table.initialize(to: pare_memory_service())
        table.pointee.struct_size = UInt32(MemoryLayout<pare_memory_service>.size)
        table.pointee.allocate = { host, size in TrialHost.of(host)?.ledger.allocate(size) }
        table.pointee.release = { host, block, size in TrialHost.of(host)?.ledger.release(block, size) }
        return UnsafeRawPointer(table)
    }()
}
