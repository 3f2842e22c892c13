import CPare

/// What a plugin is: the Swift side of `pare_descriptor`.
public struct Descriptor: Sendable {
    /// `[a-z][a-z0-9-]*`, unique within the kind; third parties use reverse DNS.
    public var id: String
    public var version: String
    /// One line.
    public var summary: String
    /// Paper and section, or empty.
    public var source: String
    /// SPDX identifier; empty means that of the module.
    public var license: String
    public var flags: Flags
    public var needs: Needs
    /// Granularities served; empty means all.
    public var granularities: Granularities
    public var options: [Option]

    public init(
        id: String, version: String = "1.0.0", summary: String, source: String = "", license: String = "",
        flags: Flags = [], needs: Needs = [], granularities: Granularities = [], options: [Option] = []
    ) {
        self.id = id
        self.version = version
        self.summary = summary
        self.source = source
        self.license = license
        self.flags = flags
        self.needs = needs
        self.granularities = granularities
        self.options = options
    }
}

/// Properties that a plugin promises (`PARE_FLAG_…`).
public struct Flags: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public static let deterministic = Flags(rawValue: PARE_FLAG_DETERMINISTIC)
    public static let local = Flags(rawValue: PARE_FLAG_LOCAL)
    public static let scaleInvariant = Flags(rawValue: PARE_FLAG_SCALE_INVARIANT)
    public static let writesWeights = Flags(rawValue: PARE_FLAG_WRITES_WEIGHTS)
    public static let threadSafe = Flags(rawValue: PARE_FLAG_THREAD_SAFE)
    public static let convex = Flags(rawValue: PARE_FLAG_CONVEX)
    public static let float64Scores = Flags(rawValue: PARE_FLAG_SCORES_F64)
}

/// What the host has to collect first (`PARE_NEED_…`).
public struct Needs: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public static let weight = Needs(rawValue: PARE_NEED_WEIGHT)
    public static let gradient = Needs(rawValue: PARE_NEED_GRADIENT)
    public static let inputNorm = Needs(rawValue: PARE_NEED_INPUT_NORM)
    public static let gram = Needs(rawValue: PARE_NEED_GRAM)
    public static let hessianGradient = Needs(rawValue: PARE_NEED_HESSIAN_GRADIENT)
    public static let twinGradient = Needs(rawValue: PARE_NEED_TWIN_GRADIENT)
    public static let normScale = Needs(rawValue: PARE_NEED_NORM_SCALE)
    public static let outputNorm = Needs(rawValue: PARE_NEED_OUTPUT_NORM)
    public static let graph = Needs(rawValue: PARE_NEED_GRAPH)
    public static let data = Needs(rawValue: PARE_NEED_DATA)
    public static let mask = Needs(rawValue: PARE_NEED_MASK)
}

/// Set of `PARE_GRANULARITY_…`, bit 1 << granularity.
public struct Granularities: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public static let element = Granularities(rawValue: 1 << UInt32(PARE_GRANULARITY_ELEMENT))
    public static let nm = Granularities(rawValue: 1 << UInt32(PARE_GRANULARITY_NM))
    public static let block = Granularities(rawValue: 1 << UInt32(PARE_GRANULARITY_BLOCK))
    public static let row = Granularities(rawValue: 1 << UInt32(PARE_GRANULARITY_ROW))
    public static let column = Granularities(rawValue: 1 << UInt32(PARE_GRANULARITY_COLUMN))
    public static let channel = Granularities(rawValue: 1 << UInt32(PARE_GRANULARITY_CHANNEL))
}

extension Descriptor {
    /// The C descriptor. `option` is handed nothing but the descriptor, so the schema's address is kept right behind it.
    func makeImmortal(kind: String, moduleLicense: String) -> UnsafePointer<pare_descriptor> {
        let schemaOffset = MemoryLayout<pare_descriptor>.stride
        let block = UnsafeMutableRawPointer.allocate(
            byteCount: schemaOffset + MemoryLayout<UnsafePointer<pare_option_info>>.size,
            alignment: MemoryLayout<pare_descriptor>.alignment)
        let schema = Immortal.array(options.map { $0.makeImmortal() })
        block.storeBytes(of: schema, toByteOffset: schemaOffset, as: UnsafePointer<pare_option_info>.self)

        var table = pare_descriptor()
        table.struct_size = UInt32(MemoryLayout<pare_descriptor>.size)
        table.flags = flags.rawValue
        table.needs = needs.rawValue
        table.granularities = granularities.rawValue
        table.kind = Immortal.text(kind)
        table.id = Immortal.text(id)
        table.version = Immortal.text(version)
        table.summary = Immortal.text(summary)
        table.source = Immortal.text(source)
        table.license = Immortal.text(license.isEmpty ? moduleLicense : license)
        table.option_count = UInt32(options.count)
        table.option = { descriptor, index in
            guard let descriptor, index < descriptor.pointee.option_count else { return nil }
            let schema = UnsafeRawPointer(descriptor).load(
                fromByteOffset: MemoryLayout<pare_descriptor>.stride, as: UnsafePointer<pare_option_info>.self)
            return schema + Int(index)
        }
        return UnsafePointer(block.initializeMemory(as: pare_descriptor.self, to: table))
    }
}
