import CPare
import Glibc
import PareTensor

/// What the host needs to know to offer a function of somebody else's as a criterion.
///
/// The function is wrapped in the same factory, descriptor and table that a plugin file would bring, so nothing downstream
/// knows the difference.
class HostCriterion {
    let id: String
    let summary: String
    let source: String
    let flags: UInt32
    let schema: [OptionInfo]

    init(id: String, summary: String, source: String, flags: UInt32, schema: [OptionInfo] = []) {
        self.id = id
        self.summary = summary
        self.source = source
        self.flags = flags
        self.schema = schema
    }

    /// Scores of `units` units of `elements` float32 each. `values` in schema order.
    func score(
        parameter: String, weights: UnsafePointer<Float>, units: Int, elements: Int, values: [OptionValue],
        into scores: UnsafeMutablePointer<Float>
    ) throws {
        throw PareError(.internal, "no function behind criterion \"\(id)\"")
    }

    /// Registers it with a context. The C structs live as long as the context and any instance.
    func register(in context: Context) throws {
        guard isIdentifier(id, dots: true) else {
            throw PareError(.argument, "unusable criterion id", found: "\"\(id)\"", expected: "[a-z][a-z0-9-]*")
        }
        let tables = HostCriterionTables(self)
        let plugin = try Plugin(
            factory: UnsafePointer(tables.factory), index: 0, kind: .criterion, moduleID: "program", path: "")
        try context.registry.register(plugin, place: "criterion \"\(id)\"")
        context.keep(tables)
    }
}

/// The C structs around a `HostCriterion`.
final class HostCriterionTables {
    let criterion: HostCriterion
    let factory: UnsafeMutablePointer<pare_factory>
    private let descriptor: UnsafeMutablePointer<pare_descriptor>
    private let options: UnsafeMutablePointer<pare_option_info>
    private let texts = CTexts()

    init(_ criterion: HostCriterion) {
        self.criterion = criterion
        factory = .allocate(capacity: 1)
        descriptor = .allocate(capacity: 1)
        options = .allocate(capacity: max(criterion.schema.count, 1))
        for (index, info) in criterion.schema.enumerated() { (options + index).initialize(to: info.raw(texts)) }
        var described = pare_descriptor()
        described.struct_size = UInt32(MemoryLayout<pare_descriptor>.size)
        described.flags = criterion.flags
        described.needs = UInt32(PARE_NEED_WEIGHT)
        described.kind = texts.copy(PluginKind.criterion.rawValue)
        described.id = texts.copy(criterion.id)
        described.version = StaticText.version
        described.summary = texts.copy(criterion.summary)
        described.source = texts.copy(criterion.source)
        described.license = texts.copy("")
        described.option_count = UInt32(criterion.schema.count)
        described.option = { me, index in
            guard let me, index < me.pointee.option_count, let tables = HostCriterionTables.find(descriptor: me) else { return nil }
            return UnsafePointer(tables.options + Int(index))
        }
        descriptor.initialize(to: described)
        factory.initialize(to: pare_factory())
        factory.pointee.struct_size = UInt32(MemoryLayout<pare_factory>.size)
        factory.pointee.count = 1
        factory.pointee.kind = described.kind
        factory.pointee.user = Unmanaged.passUnretained(self).toOpaque()
        factory.pointee.descriptor = { me, index in
            guard index == 0, let user = me?.pointee.user else { return nil }
            return UnsafePointer(Unmanaged<HostCriterionTables>.fromOpaque(user).takeUnretainedValue().descriptor)
        }
        factory.pointee.create = { me, _, id, values, count, out, error in
            border(error) {
                guard let user = me?.pointee.user, let out, let id else { throw PareError(.argument, "factory, id or out is NULL") }
                let tables = Unmanaged<HostCriterionTables>.fromOpaque(user).takeUnretainedValue()
                guard String(cString: id) == tables.criterion.id else {
                    throw PareError(.notFound, "no such criterion", found: "\"\(String(cString: id))\"")
                }
                out.pointee = HostCriterionInstance.make(tables, values, Int(count))
            }
        }
        HostCriterionTables.lock.withLock { HostCriterionTables.live[UnsafeRawPointer(descriptor)] = Weak(self) }
    }

    deinit {
        _ = HostCriterionTables.lock.withLock { HostCriterionTables.live.removeValue(forKey: UnsafeRawPointer(descriptor)) }
        factory.deallocate()
        descriptor.deallocate()
        options.deallocate()
    }

    private struct Weak {
        weak var tables: HostCriterionTables?
        init(_ tables: HostCriterionTables) { self.tables = tables }
    }

    /// A descriptor has no user pointer of its own, so its tables are found by address.
    private static let lock = Lock()
    private nonisolated(unsafe) static var live: [UnsafeRawPointer: Weak] = [:]

    private static func find(descriptor: UnsafePointer<pare_descriptor>) -> HostCriterionTables? {
        lock.withLock { live[UnsafeRawPointer(descriptor)]?.tables }
    }

    fileprivate var describedBy: UnsafePointer<pare_descriptor> { UnsafePointer(descriptor) }
}

/// State of one instance: the tables (kept alive) and the option values.
final class HostCriterionInstance {
    let tables: HostCriterionTables
    let values: [OptionValue]

    private init(_ tables: HostCriterionTables, _ values: [OptionValue]) {
        self.tables = tables
        self.values = values
    }

    static func make(
        _ tables: HostCriterionTables, _ raw: UnsafePointer<pare_value>?, _ count: Int
    ) -> UnsafeMutablePointer<pare_instance> {
        let values = (0..<min(count, tables.criterion.schema.count)).map { index in
            OptionValue(raw, index, tables.criterion.schema[index])
        }
        let pointer = UnsafeMutablePointer<pare_instance>.allocate(capacity: 1)
        pointer.initialize(to: pare_instance())
        pointer.pointee.struct_size = UInt32(MemoryLayout<pare_instance>.size)
        pointer.pointee.descriptor = tables.describedBy
        pointer.pointee.table = UnsafeRawPointer(table)
        pointer.pointee.state = Unmanaged.passRetained(HostCriterionInstance(tables, values)).toOpaque()
        pointer.pointee.destroy = { me in
            guard let me else { return }
            if let state = me.pointee.state { Unmanaged<HostCriterionInstance>.fromOpaque(state).release() }
            me.deallocate()
        }
        return pointer
    }

    private nonisolated(unsafe) static let table: UnsafeMutablePointer<pare_criterion> = {
        let table = UnsafeMutablePointer<pare_criterion>.allocate(capacity: 1)
        table.initialize(to: pare_criterion())
        table.pointee.struct_size = UInt32(MemoryLayout<pare_criterion>.size)
        table.pointee.score = { me, request, scores, error in
            border(error) {
                guard let state = me?.pointee.state, let request, let scores else {
                    throw PareError(.argument, "instance, request or scores is NULL")
                }
                let instance = Unmanaged<HostCriterionInstance>.fromOpaque(state).takeUnretainedValue()
                try instance.score(request, try TensorView(scores, "scores"))
            }
        }
        return table
    }()

    /// Presents the units as float32 rows and calls the function.
    private func score(_ request: UnsafePointer<pare_score_request>, _ scores: TensorView) throws {
        let weight = try TensorView(request.pointee.weight, "weight")
        let unitAxes = min(max(Int(request.pointee.unit_ndim), 0), weight.shape.count)
        let units = weight.shape.prefix(unitAxes).reduce(1, &*)
        guard units > 0, let out = scores.base, scores.count >= units, scores.dtype == .float32 else { return }
        let elements = weight.shape.dropFirst(unitAxes).reduce(1, &*)
        let parameter = fromC(request.pointee.parameter)
        let target = out.assumingMemoryBound(to: Float.self)
        if weight.dtype == .float32, weight.isContiguous, let base = weight.base, UInt(bitPattern: base) % 4 == 0 {
            let values = UnsafePointer(base.assumingMemoryBound(to: Float.self))
            return try tables.criterion.score(
                parameter: parameter, weights: values, units: units, elements: elements, values: self.values, into: target)
        }
        let memory = try OwnedBuffer(count: weight.count * 4)
        defer { withExtendedLifetime(memory) {} }
        let buffer = memory.base.bindMemory(to: Float.self, capacity: max(weight.count, 1))
        try weight.readFloat32(from: 0, count: weight.count, into: buffer)
        try tables.criterion.score(
            parameter: parameter, weights: buffer, units: units, elements: elements, values: values, into: target)
    }
}

extension OptionValue {
    init(_ raw: UnsafePointer<pare_value>?, _ index: Int, _ info: OptionInfo) {
        let value = raw.map { $0[index] } ?? pare_value()
        switch info.kind {
        case .bool: self = .bool(value.integer != 0)
        case .int: self = .int(value.integer)
        case .float: self = .float(value.number)
        case .string: self = .string(fromC(value.text))
        case .choice: self = .choice(Int(value.integer), fromC(value.text))
        case .intList: self = .ints((0..<Int(value.count)).compactMap { value.integers?[$0] })
        case .floatList: self = .floats((0..<Int(value.count)).compactMap { value.numbers?[$0] })
        }
    }
}

extension OptionInfo {
    /// The C form; its strings belong to `texts`.
    func raw(_ texts: CTexts) -> pare_option_info {
        var raw = pare_option_info()
        raw.struct_size = UInt32(MemoryLayout<pare_option_info>.size)
        raw.type = kind.rawValue
        raw.flags = flags
        raw.key = texts.copy(key)
        raw.help = texts.copy(help)
        raw.unit = texts.copy(unit)
        raw.default_text = defaultText.flatMap { texts.copy($0) }
        raw.minimum = minimum
        raw.maximum = maximum
        if kind == .choice { raw.choices = texts.list(choices) }
        return raw
    }
}
