import CPare

/// A plugin of any kind. Conform to one of the kinds' protocols, not to this one.
public protocol Plugin {
    static var descriptor: Descriptor { get }
    /// Make a configured instance. `options` are checked values; throw to refuse a combination of them.
    init(options: OptionValues, host: Host) throws
    /// How the kind is presented to the host. Supplied by the kind's protocol.
    static var glue: Glue { get }
}

/// The C side of a kind: its id, its function table and how to make an instance.
public struct Glue {
    let kind: String
    let table: UnsafeRawPointer
    let make: (OptionValues, Host) throws -> AnyObject

    init<Table>(_ kind: String, _ table: Table, make: @escaping (OptionValues, Host) throws -> AnyObject) {
        self.kind = kind
        self.table = UnsafeRawPointer(Immortal.value(table))
        self.make = make
    }
}

/// What the entry of a shared library returns. One per library, made on first use, never freed.
///
///     private let module = Module(id: "pare.magnitude", license: "Apache-2.0", plugins: [Magnitude.self])
///
///     @_cdecl("pare_plugin_entry")
///     public func entry(_ major: UInt32, _ minor: UInt32) -> UnsafePointer<pare_module>? { module.pointer }
public final class Module: Sendable {
    nonisolated(unsafe) public let pointer: UnsafePointer<pare_module>

    public init(
        id: String, version: String = "1.0.0", license: String, minHostMinor: UInt32 = 0,
        plugins: [any Plugin.Type]
    ) {
        var table = pare_module()
        table.magic = PARE_MODULE_MAGIC
        table.struct_size = UInt32(MemoryLayout<pare_module>.size)
        table.abi_major = UInt32(PARE_ABI_MAJOR)
        table.abi_minor = UInt32(PARE_ABI_MINOR)
        table.min_host_minor = minHostMinor
        table.id = Immortal.text(id)
        table.version = Immortal.text(version)
        table.license = Immortal.text(license)
        table.user = Unmanaged.passRetained(Factories(Module.factories(of: plugins, license: license))).toOpaque()
        table.get_factory = { me, kind in
            guard let user = me?.pointee.user, let kind else { return nil }
            let wanted = text(kind)
            return Unmanaged<Factories>.fromOpaque(user).takeUnretainedValue().tables.first { $0.kind == wanted }?.table
        }
        pointer = Immortal.value(table)
    }

    private static func factories(
        of plugins: [any Plugin.Type], license: String
    ) -> [(kind: String, table: UnsafePointer<pare_factory>)] {
        var kinds: [String] = []
        var members: [String: [Factory.Entry]] = [:]
        for plugin in plugins {
            let glue = plugin.glue
            if members[glue.kind] == nil { kinds.append(glue.kind) }
            members[glue.kind, default: []].append(Factory.Entry(plugin.descriptor, glue, license))
        }
        return kinds.map { ($0, Factory(kind: $0, entries: members[$0] ?? []).makeImmortal()) }
    }
}

/// What a module's `user` points to.
private final class Factories {
    let tables: [(kind: String, table: UnsafePointer<pare_factory>)]

    init(_ tables: [(kind: String, table: UnsafePointer<pare_factory>)]) { self.tables = tables }
}

/// Plugins of one kind.
private final class Factory {
    struct Entry {
        let descriptor: Descriptor
        let table: UnsafePointer<pare_descriptor>
        let glue: Glue

        init(_ descriptor: Descriptor, _ glue: Glue, _ license: String) {
            self.descriptor = descriptor
            self.glue = glue
            table = descriptor.makeImmortal(kind: glue.kind, moduleLicense: license)
        }
    }

    let kind: String
    let entries: [Entry]

    init(kind: String, entries: [Entry]) {
        self.kind = kind
        self.entries = entries
    }

    func makeImmortal() -> UnsafePointer<pare_factory> {
        var table = pare_factory()
        table.struct_size = UInt32(MemoryLayout<pare_factory>.size)
        table.count = UInt32(entries.count)
        table.kind = Immortal.text(kind)
        table.user = Unmanaged.passRetained(self).toOpaque()
        table.descriptor = { factory, index in
            guard let entries = Factory.of(factory)?.entries, Int(index) < entries.count else { return nil }
            return entries[Int(index)].table
        }
        table.create = { factory, host, id, values, count, out, error in
            reporting(error) {
                guard let factory = Factory.of(factory), let id, let out else {
                    throw PluginError(PARE_E_ARGUMENT, "create: the host passed NULL")
                }
                out.pointee = try factory.create(text(id), Host(host), values, count)
            }
        }
        return Immortal.value(table)
    }

    static func of(_ table: UnsafePointer<pare_factory>?) -> Factory? {
        table?.pointee.user.map { Unmanaged<Factory>.fromOpaque($0).takeUnretainedValue() }
    }

    private func create(
        _ id: String, _ host: Host, _ values: UnsafePointer<pare_value>?, _ count: UInt32
    ) throws -> UnsafeMutablePointer<pare_instance> {
        guard let entry = entries.first(where: { $0.descriptor.id == id }) else {
            throw PluginError(PARE_E_NOT_FOUND, "this module has no such plugin", at: kind, found: id)
        }
        let options = try OptionValues(entry.descriptor.options, values, count: count)
        let state = try entry.glue.make(options, host)
        var instance = pare_instance()
        instance.struct_size = UInt32(MemoryLayout<pare_instance>.size)
        instance.descriptor = entry.table
        instance.table = entry.glue.table
        instance.state = Unmanaged.passRetained(state).toOpaque()
        instance.destroy = { instance in
            guard let instance else { return }
            if let state = instance.pointee.state { Unmanaged<AnyObject>.fromOpaque(state).release() }
            instance.deallocate()
        }
        let memory = UnsafeMutablePointer<pare_instance>.allocate(capacity: 1)
        memory.initialize(to: instance)
        return memory
    }
}

/// The state behind `pare_instance`: one concrete class per kind, so that no cast is ever needed.
class InstanceBox<Contract> {
    var plugin: Contract
    init(_ plugin: Contract) { self.plugin = plugin }

    static func of(_ instance: UnsafeMutablePointer<pare_instance>?) throws -> InstanceBox<Contract> {
        guard let state = instance?.pointee.state else {
            throw PluginError(PARE_E_ARGUMENT, "the host passed no instance")
        }
        return Unmanaged<InstanceBox<Contract>>.fromOpaque(state).takeUnretainedValue()
    }
}
