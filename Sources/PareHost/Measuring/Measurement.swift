import CPare
import PareFormats
import PareGraph
import PareMask
import PareTensor

/// One number or series that a metric emitted.
public struct MetricValue: Sendable {
    /// Layer name; nil for the whole model.
    public var layer: String?
    public var name: String
    public var values: [Double]
    public var isSeries: Bool
    public var unit: String
}

/// All that a metric said about a model.
public struct Measurement: Sendable {
    public var metric: String
    public var version: String
    public var model: String
    public var values: [MetricValue]

    /// A number about the whole model.
    public func total(_ name: String) -> Double? { values.first { $0.layer == nil && $0.name == name }?.values.first }

    public var json: JSON {
        .object([
            ("pare", .string(Context.version)), ("model", .string(model)),
            ("metric", .object([("id", .string(metric)), ("version", .string(version))])),
            ("values", .array(values.map(\.json))),
        ])
    }
}

extension MetricValue {
    var json: JSON {
        .object([
            ("layer", layer.map { .string($0) } ?? .null), ("name", .string(name)),
            ("value", isSeries ? .array(values.map { .double($0) }) : .double(values.first ?? .nan)), ("unit", .string(unit)),
        ])
    }
}

extension Context {
    /// Runs a metric on a model as it is now, masks applied.
    public func measure(
        _ analysed: AnalysedModel, metric id: String, options: [String: String] = [:], pattern: Pattern? = nil,
        progress: Progress? = nil
    ) throws -> Measurement {
        let instance = try makeInstance(.metric, id, options)
        guard let measure = instance.table(as: pare_metric.self).measure else {
            throw PareError(.pluginFault, "metric \"\(id)\" has no measure function")
        }
        let session = MetricSession(analysed, pattern: pattern, run: RunBridge(progress))
        var record = pare_error.empty()
        let status = measure(instance.pointer, session.request, &record)
        if let failure = session.failure { throw failure }
        guard status == PARE_OK else { throw pluginError(status, record, plugin: "metric \"\(id)\"") }
        return Measurement(metric: id, version: instance.plugin.version, model: analysed.model.path, values: session.values)
    }
}

/// What a metric sees during one call.
private final class MetricSession {
    let request: UnsafeMutablePointer<pare_metric_request>
    private let analysed: AnalysedModel
    private let layers: LayerTable
    private let pattern: UnsafeMutablePointer<pare_pattern>
    private let run: RunBridge
    private var weight: BorderTensor?
    private var mask: BorderTensor?
    private var maskBytes: OwnedBuffer?
    var values: [MetricValue] = []
    var failure: PareError?

    init(_ analysed: AnalysedModel, pattern given: Pattern?, run: RunBridge) {
        self.analysed = analysed
        self.run = run
        layers = LayerTable(analysed, analysed.model.parameters.indices.map { ($0, analysed.model.parameters[$0].count) })
        pattern = .allocate(capacity: 1)
        pattern.initialize(to: (given ?? .element).raw)
        request = .allocate(capacity: 1)
        request.initialize(to: pare_metric_request())
        request.pointee.struct_size = UInt32(MemoryLayout<pare_metric_request>.size)
        request.pointee.layer_count = UInt32(layers.count)
        request.pointee.pattern = given == nil ? nil : UnsafePointer(pattern)
        request.pointee.host_data = Unmanaged.passUnretained(self).toOpaque()
        request.pointee.run = run.pointer
        request.pointee.layer = { me, index in MetricSession.of(me)?.layers.pointer(Int(index)) }
        request.pointee.prunable = { me, index in
            guard let session = MetricSession.of(me), index < session.layers.count else { return 0 }
            return session.analysed.model.parameters[Int(index)].prunable ? 1 : 0
        }
        request.pointee.weight = { me, index in MetricSession.of(me)?.showWeight(Int(index)) }
        request.pointee.mask = { me, index in MetricSession.of(me)?.showMask(Int(index)) }
        request.pointee.matrix = { me, index, rows, cols, rowStride, colStride in
            guard let matrix = MetricSession.of(me)?.matrix(Int(index)) else { return 0 }
            rows?.pointee = Int64(matrix.rows)
            cols?.pointee = Int64(matrix.cols)
            rowStride?.pointee = Int64(matrix.rowStride)
            // Inputs and kernel positions of a row lie in one run unless inputs are stored first, and then there is no kernel.
            colStride?.pointee = Int64(matrix.kernel > 1 ? 1 : matrix.inputStride)
            return 1
        }
        request.pointee.emit = { me, index, name, value, unit in
            MetricSession.of(me)?.add(Int(index), fromC(name), [value], series: false, fromC(unit))
        }
        request.pointee.emit_series = { me, index, name, values, count, unit in
            guard count >= 0, let session = MetricSession.of(me) else { return }
            let numbers = values.map { Array(UnsafeBufferPointer(start: $0, count: Int(count))) } ?? []
            session.add(Int(index), fromC(name), numbers, series: true, fromC(unit))
        }
    }

    deinit {
        request.deallocate()
        pattern.deallocate()
    }

    private static func of(_ request: UnsafePointer<pare_metric_request>?) -> MetricSession? {
        guard let data = request?.pointee.host_data else { return nil }
        return Unmanaged<MetricSession>.fromOpaque(data).takeUnretainedValue()
    }

    private func add(_ index: Int, _ name: String, _ numbers: [Double], series: Bool, _ unit: String) {
        let layer = analysed.model.parameters.indices.contains(index) ? analysed.model.parameters[index].name : nil
        values.append(MetricValue(layer: layer, name: name, values: numbers, isSeries: series, unit: unit))
    }

    private func showWeight(_ index: Int) -> UnsafePointer<pare_tensor>? {
        guard analysed.model.parameters.indices.contains(index) else { return nil }
        do {
            let shown = BorderTensor(try analysed.model.parameters[index].currentView())
            weight = shown
            return UnsafePointer(shown.pointer)
        } catch {
            failure = failure ?? error as? PareError ?? PareError(.internal, "\(error)")
            return nil
        }
    }

    private func showMask(_ index: Int) -> UnsafePointer<pare_tensor>? {
        guard analysed.model.parameters.indices.contains(index), let source = analysed.model.parameters[index].mask else { return nil }
        do {
            let bytes = try OwnedBuffer(count: source.count)
            let view = TensorView(base: bytes.base, dtype: .bool, shape: source.shape)
            try source.write(bytes: view)
            let shown = BorderTensor(view)
            (maskBytes, mask) = (bytes, shown)
            return UnsafePointer(shown.pointer)
        } catch {
            failure = failure ?? error as? PareError ?? PareError(.internal, "\(error)")
            return nil
        }
    }

    private func matrix(_ index: Int) -> MatrixLayout? {
        guard analysed.model.parameters.indices.contains(index) else { return nil }
        let parameter = analysed.model.parameters[index]
        guard parameter.shape.count >= 2, parameter.layout == .outFirst || parameter.shape.count == 2 else { return nil }
        return try? MatrixLayout(shape: parameter.shape, layout: parameter.layout)
    }
}
