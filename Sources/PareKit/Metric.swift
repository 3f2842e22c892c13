import CPare

/// Numbers about a model and its masks.
public protocol MetricPlugin: Plugin {
    /// Look at the layers and emit numbers through the request.
    func measure(_ request: MetricRequest) throws
}

extension MetricPlugin {
    public static var glue: Glue {
        var table = pare_metric()
        table.struct_size = UInt32(MemoryLayout<pare_metric>.size)
        table.measure = { instance, request, error in
            reporting(error) {
                try InstanceBox<any MetricPlugin>.of(instance).plugin.measure(MetricRequest(request))
            }
        }
        return Glue(PARE_KIND_METRIC, table) { InstanceBox<any MetricPlugin>(try Self(options: $0, host: $1)) }
    }
}

/// Rows × columns view of a weight: strides in elements of the weight.
public struct Matrix {
    public let rows, columns, rowStride, columnStride: Int
}

/// The layers of a model, prunable or not, and where the numbers go.
public struct MetricRequest {
    let pointer: UnsafePointer<pare_metric_request>
    /// Pattern that the masks were made for.
    public let pattern: pare_pattern?
    public let layers: [Layer]

    init(_ pointer: UnsafePointer<pare_metric_request>?) throws {
        self.pointer = try require(pointer, through: \.run, \.struct_size)
        let request = self.pointer.pointee
        pattern = try request.pattern.map { try require($0, through: \.remainder, \.struct_size).pointee }
        let layer = try require(request.layer, "layer")
        _ = try require(request.emit, "emit")
        var layers: [Layer] = []
        for index in 0..<request.layer_count { layers.append(try Layer(layer(self.pointer, index))) }
        self.layers = layers
    }

    public var run: Run { Run(pointer: pointer.pointee.run) }

    /// The layer was offered for pruning.
    public func isPrunable(_ index: Int) -> Bool {
        pointer.pointee.prunable.map { $0(pointer, UInt32(index)) != 0 } ?? false
    }

    /// Values as they are now; nil if they cannot be had. Valid until the next call.
    public func weight(_ index: Int) throws -> Tensor? {
        try pointer.pointee.weight?(pointer, UInt32(index)).map { try Tensor($0, layers[index].name) }
    }

    /// Kept mask (bool, shaped like the weight); nil where none was made. Valid until the next call.
    public func mask(_ index: Int) throws -> Tensor? {
        try pointer.pointee.mask?(pointer, UInt32(index)).map { try Tensor($0, "\(layers[index].name): mask") }
    }

    /// How the weight reads as a matrix; nil if it is none.
    public func matrix(_ index: Int) -> Matrix? {
        var (rows, columns, rowStride, columnStride): (Int64, Int64, Int64, Int64) = (0, 0, 0, 0)
        guard let matrix = pointer.pointee.matrix,
            matrix(pointer, UInt32(index), &rows, &columns, &rowStride, &columnStride) != 0, rows >= 0, columns >= 0
        else { return nil }
        return Matrix(
            rows: Int(rows), columns: Int(columns), rowStride: Int(rowStride), columnStride: Int(columnStride))
    }

    /// Emit a number about a layer, or about the whole model without `layer`.
    ///
    /// - Parameter unit: "", "elements", "bytes", "MACs" or "1" (a ratio).
    public func emit(_ name: String, _ value: Double, unit: String, layer: Int? = nil) {
        pointer.pointee.emit?(pointer, Int32(clamping: layer ?? -1), name, value, unit)
    }

    /// Emit a series (spectrum, histogram). Throws if this host takes none.
    public func emit(_ name: String, _ values: [Double], unit: String, layer: Int? = nil) throws {
        let emit = try require(pointer.pointee.emit_series, "emit_series")
        emit(pointer, Int32(clamping: layer ?? -1), name, values, Int64(values.count), unit)
    }
}
