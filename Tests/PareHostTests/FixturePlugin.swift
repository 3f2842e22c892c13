import CPare
import Glibc
import PareTensor

@testable import PareHost

/// A plugin of the test's own program, behind the same C structs that a plugin file brings. Its closures may be changed
/// between calls.
final class FixturePlugin {
    typealias Score = (UnsafePointer<pare_score_request>, UnsafeMutablePointer<pare_tensor>) -> Int32
    typealias Allocate = (
        UnsafePointer<pare_allocate_request>, UnsafeMutablePointer<Double>, UnsafeMutablePointer<Int32>
    ) -> Int32
    typealias Measure = (UnsafePointer<pare_metric_request>) -> Int32

    let kind: PluginKind
    let descriptor: UnsafeMutablePointer<pare_descriptor>
    let options: [UnsafeMutablePointer<pare_option_info>]
    var table: UnsafeRawPointer?
    var score: Score = { _, _ in PARE_OK }
    var allocate: Allocate = { _, _, _ in PARE_OK }
    var measure: Measure = { _ in PARE_OK }
    /// What the last `create` was given, and how many instances are alive.
    var created: [pare_value] = []
    var createStatus = PARE_OK
    var answersNull = false
    var instances = 0
    /// Written into the error record of a failing call.
    var message = ""

    init(
        _ kind: PluginKind, _ id: String, flags: Int32 = 0, needs: Int32 = 0, options: [pare_option_info] = []
    ) {
        self.kind = kind
        self.options = options.map { immortal($0) }
        // The descriptor has no pointer for its owner: what follows it in memory is one.
        let size = MemoryLayout<pare_descriptor>.size
        let block = UnsafeMutableRawPointer.allocate(byteCount: size + MemoryLayout<Int>.size, alignment: 16)
        descriptor = block.bindMemory(to: pare_descriptor.self, capacity: 1)
        var described = pare_descriptor()
        described.struct_size = UInt32(size)
        described.flags = UInt32(flags)
        described.needs = UInt32(needs)
        described.kind = c(kind.rawValue)
        described.id = c(id)
        described.version = c("1.2.3")
        described.summary = c("a plugin of the tests")
        described.source = c("")
        described.license = c("Apache-2.0")
        described.option_count = UInt32(options.count)
        described.option = { me, index in
            guard let me else { return nil }
            let owner = UnsafeRawPointer(me).load(fromByteOffset: MemoryLayout<pare_descriptor>.size, as: UnsafeRawPointer.self)
            let plugin = Unmanaged<FixturePlugin>.fromOpaque(owner).takeUnretainedValue()
            return Int(index) < plugin.options.count ? UnsafePointer(plugin.options[Int(index)]) : nil
        }
        descriptor.initialize(to: described)
        block.storeBytes(of: Unmanaged.passUnretained(self).toOpaque(), toByteOffset: size, as: UnsafeMutableRawPointer.self)
        table = makeTable()
        Kept.keep(self)
    }

    private func makeTable() -> UnsafeRawPointer? {
        switch kind {
        case .criterion:
            var table = pare_criterion()
            table.struct_size = UInt32(MemoryLayout<pare_criterion>.size)
            table.score = { me, request, scores, error in
                guard let plugin = FixturePlugin.of(me), let request, let scores else { return PARE_E_ARGUMENT }
                return plugin.finish(plugin.score(request, scores), error)
            }
            return UnsafeRawPointer(immortal(table))
        case .allocator:
            var table = pare_allocator()
            table.struct_size = UInt32(MemoryLayout<pare_allocator>.size)
            table.allocate = { me, request, sparsity, pools, error in
                guard let plugin = FixturePlugin.of(me), let request, let sparsity, let pools else { return PARE_E_ARGUMENT }
                return plugin.finish(plugin.allocate(request, sparsity, pools), error)
            }
            return UnsafeRawPointer(immortal(table))
        case .metric:
            var table = pare_metric()
            table.struct_size = UInt32(MemoryLayout<pare_metric>.size)
            table.measure = { me, request, error in
                guard let plugin = FixturePlugin.of(me), let request else { return PARE_E_ARGUMENT }
                return plugin.finish(plugin.measure(request), error)
            }
            return UnsafeRawPointer(immortal(table))
        default:
            return nil
        }
    }

    private func finish(_ status: Int32, _ record: UnsafeMutablePointer<pare_error>?) -> Int32 {
        if status != PARE_OK, !message.isEmpty { fill(record, PareError(.pluginFault, message)) }
        return status
    }

    private static func of(_ instance: UnsafeMutablePointer<pare_instance>?) -> FixturePlugin? {
        guard let state = instance?.pointee.state else { return nil }
        return Unmanaged<FixturePlugin>.fromOpaque(state).takeUnretainedValue()
    }

    func makeInstance(_ out: UnsafeMutablePointer<UnsafeMutablePointer<pare_instance>?>?) {
        guard !answersNull else { return }
        let instance = UnsafeMutablePointer<pare_instance>.allocate(capacity: 1)
        instance.initialize(to: pare_instance())
        instance.pointee.struct_size = UInt32(MemoryLayout<pare_instance>.size)
        instance.pointee.descriptor = UnsafePointer(descriptor)
        instance.pointee.table = table
        instance.pointee.state = Unmanaged.passUnretained(self).toOpaque()
        instance.pointee.destroy = { me in
            FixturePlugin.of(me)?.instances -= 1
            me?.deallocate()
        }
        instances += 1
        out?.pointee = instance
    }
}

/// A module of fixture plugins.
final class FixtureModule {
    let pointer: UnsafeMutablePointer<pare_module>
    private var factories: [String: UnsafeMutablePointer<pare_factory>] = [:]
    private let plugins: [FixturePlugin]
    var initStatus = PARE_OK
    var (inits, deinits) = (0, 0)

    init(_ id: String, _ plugins: [FixturePlugin]) {
        self.plugins = plugins
        pointer = immortal(pare_module())
        pointer.pointee.magic = PARE_MODULE_MAGIC
        pointer.pointee.struct_size = UInt32(MemoryLayout<pare_module>.size)
        pointer.pointee.abi_major = UInt32(PARE_ABI_MAJOR)
        pointer.pointee.abi_minor = UInt32(PARE_ABI_MINOR)
        pointer.pointee.id = c(id)
        pointer.pointee.version = c("1.0.0")
        pointer.pointee.license = c("Apache-2.0")
        pointer.pointee.user = Unmanaged.passUnretained(self).toOpaque()
        pointer.pointee.`init` = { me, _, error in
            guard let module = FixtureModule.of(me) else { return PARE_E_ARGUMENT }
            module.inits += 1
            if module.initStatus != PARE_OK { fill(error, PareError(.memory, "no room for tables")) }
            return module.initStatus
        }
        pointer.pointee.deinit = { FixtureModule.of($0)?.deinits += 1 }
        pointer.pointee.get_factory = { me, kind in
            guard let module = FixtureModule.of(me), let kind else { return nil }
            return module.factories[String(cString: kind)].map { UnsafePointer($0) }
        }
        for kind in PluginKind.allCases where plugins.contains(where: { $0.kind == kind }) {
            factories[kind.rawValue] = makeFactory(kind)
        }
        Kept.keep(self)
    }

    private static func of(_ module: UnsafePointer<pare_module>?) -> FixtureModule? {
        guard let user = module?.pointee.user else { return nil }
        return Unmanaged<FixtureModule>.fromOpaque(user).takeUnretainedValue()
    }

    private func makeFactory(_ kind: PluginKind) -> UnsafeMutablePointer<pare_factory> {
        let factory = immortal(pare_factory())
        factory.pointee.struct_size = UInt32(MemoryLayout<pare_factory>.size)
        factory.pointee.count = UInt32(plugins.filter { $0.kind == kind }.count)
        factory.pointee.kind = c(kind.rawValue)
        factory.pointee.user = Unmanaged.passUnretained(self).toOpaque()
        factory.pointee.descriptor = { me, index in
            let members = FixtureModule.members(me)
            return Int(index) < members.count ? UnsafePointer(members[Int(index)].descriptor) : nil
        }
        factory.pointee.create = { me, _, id, values, count, out, error in
            guard let id, let plugin = FixtureModule.members(me).first(where: { fromC($0.descriptor.pointee.id) == fromC(id) })
            else { return PARE_E_NOT_FOUND }
            plugin.created = (0..<Int(count)).compactMap { values?[$0] }
            if plugin.createStatus == PARE_OK { plugin.makeInstance(out) }
            return plugin.createStatus
        }
        return factory
    }

    private static func members(_ factory: UnsafePointer<pare_factory>?) -> [FixturePlugin] {
        guard let factory, let user = factory.pointee.user else { return [] }
        let module = Unmanaged<FixtureModule>.fromOpaque(user).takeUnretainedValue()
        return module.plugins.filter { $0.kind.rawValue == fromC(factory.pointee.kind) }
    }
}

extension Context {
    /// A context that has nothing but these plugins.
    static func with(threads: Int = 1, _ plugins: FixturePlugin...) throws -> Context {
        let context = Context(threads: threads, searchPath: "")
        try context.registry.register(FixtureModule("org.example.tests", plugins).pointer, path: "", host: context.host)
        return context
    }
}
