import CPare

/// One layer as allocators and metrics see it (`pare_layer`).
public struct Layer {
    public let name: String
    /// `PARE_LAYER_…`.
    public let type: Int32
    /// `PARE_ROLE_…`.
    public let role: Int32
    /// [out, in / groups, kernel …] whatever the file's layout.
    public let shape: [Int]
    public let elements: Int
    /// Elements, or blocks, rows, … of the mask.
    public let units: Int
    /// Multiply-accumulates of one sample; nil if unknown.
    public let macs: Int?
    public let groups: Int
    /// Position in the graph's order of execution.
    public let depth: Int

    init(_ pointer: UnsafePointer<pare_layer>?) throws {
        let layer = try require(pointer, through: \.depth, \.struct_size).pointee
        name = text(layer.name)
        guard layer.ndim >= 0, layer.shape != nil || layer.ndim == 0, layer.elements >= 0, layer.units >= 0 else {
            throw PluginError(PARE_E_ARGUMENT, "malformed layer", at: name)
        }
        type = layer.type
        role = layer.role
        shape = (0..<Int(layer.ndim)).map { Int(layer.shape[$0]) }
        elements = Int(layer.elements)
        units = Int(layer.units)
        macs = layer.macs < 0 ? nil : Int(layer.macs)
        groups = Int(layer.groups)
        depth = Int(layer.depth)
    }

    public var isConvolution: Bool { type == PARE_LAYER_CONV }
}
