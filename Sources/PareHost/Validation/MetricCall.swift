import CPare
import Glibc
import PareTensor

/// A made-up model for metrics: layers with values, and masks for some.
final class MetricExercise: Exercise {
    struct Emitted {
        var index: Int32
        var name: String
        var isSeries: Bool
        var values: [Double]
        var problem: String
    }

    private let layers: LayerCase
    private let weights: [TestArray?]
    private let masks: [TestArray?]
    /// That the masks were made for; none of them obeys it exactly.
    var pattern: pare_pattern?
    /// Values cannot be had: weight answers NULL.
    var hidesWeights = false

    /// - Parameter large: layers of many elements.
    convenience init(_ subject: Subject, large: Bool = false) throws {
        let wide = large ? 400 : 8
        try self.init(
            subject,
            LayerCase(
                "a small model",
                [
                    TrialLayer(name: "conv.weight", shape: [wide, 4, 3, 3], type: PARE_LAYER_CONV, macs: 9000),
                    TrialLayer(name: "conv.bias", shape: [wide], type: PARE_LAYER_OTHER, role: PARE_ROLE_BIAS),
                    TrialLayer(name: "fc.weight", shape: [wide, 16], macs: 128),
                    TrialLayer(name: "steps", shape: [], type: PARE_LAYER_OTHER, role: PARE_ROLE_CONSTANT),
                ]))
    }

    /// - Parameter guarded: read-only memory, with nothing readable behind it.
    init(
        _ subject: Subject, _ layers: LayerCase, dtype: DType = .float32, layout: TestArray.Layout = .contiguous,
        guarded: Bool = false
    ) throws {
        self.layers = layers
        var (weights, masks): ([TestArray?], [TestArray?]) = ([], [])
        for (index, layer) in layers.layers.enumerated() {
            let kept = (0..<layer.elements).map { ($0 * 7 + index) % 3 == 0 ? 0.0 : 1.0 }
            let masked = layer.role == PARE_ROLE_WEIGHT && index % 2 == 0
            var values = TestArray.numbers(layer.elements, seed: subject.seed, stream: UInt64(index))
            if !dtype.isFloat { values = values.map { ($0 * 8).rounded() } }
            if masked { values = zip(values, kept).map { $0 * $1 } }
            let array = try TestArray(values, shape: layer.shape, dtype: dtype, layout: layout, flush: guarded)
            weights.append(array)
            let mask = masked ? try TestArray(kept, shape: layer.shape, dtype: .bool, flush: guarded) : nil
            masks.append(mask)
            guard guarded else { continue }
            array.protect()
            mask?.protect()
        }
        (self.weights, self.masks) = (weights, masks)
    }

    func call(_ instance: Instance, _ style: CallStyle) throws -> CallOutcome { try measure(instance, style).call }

    /// What one call emitted, in order. Thread-safe.
    func measure(_ instance: Instance, _ style: CallStyle = CallStyle()) throws -> (call: CallOutcome, emitted: [Emitted]) {
        guard let measure = instance.table(as: pare_metric.self).measure else { throw Finding.fail("measure is NULL") }
        let session = MetricTrial(layers, weights: hidesWeights ? [] : weights, masks: masks, pattern: pattern)
        let request = RequestBlock(pare_metric_request(), larger: style.larger)
        session.fill(request.pointer)
        request.pointer.pointee.run = style.run
        let record = style.withoutRecord ? nil : GuardedRecord()
        let status = withExtendedLifetime(session) { measure(instance.pointer, request.pointer, record?.pointer) }
        let numbers = session.emitted.flatMap(\.values)
        let call =
            record?.outcome(status, numbers)
            ?? CallOutcome(status: status, message: "", recordProblem: "", numbers: numbers)
        return (call, session.emitted)
    }
}

/// The state of one call of measure.
private final class MetricTrial {
    private let layers: LayerCase
    private let weights: [TestArray?]
    private let masks: [TestArray?]
    private let pattern: RequestBlock<pare_pattern>?
    private var weight: BorderTensor?
    private var mask: BorderTensor?
    private(set) var emitted: [MetricExercise.Emitted] = []

    init(_ layers: LayerCase, weights: [TestArray?], masks: [TestArray?], pattern: pare_pattern?) {
        self.layers = layers
        self.weights = weights
        self.masks = masks
        self.pattern = pattern.map { RequestBlock($0, larger: false) }
    }

    func fill(_ request: UnsafeMutablePointer<pare_metric_request>) {
        request.pointee.layer_count = UInt32(layers.layers.count)
        request.pointee.pattern = pattern.map { UnsafePointer($0.pointer) }
        request.pointee.host_data = Unmanaged.passUnretained(self).toOpaque()
        request.pointee.layer = { me, index in MetricTrial.of(me)?.layers.pointer(index) }
        request.pointee.prunable = { me, index in
            guard let layers = MetricTrial.of(me)?.layers.layers, Int(index) < layers.count else { return 0 }
            return layers[Int(index)].role == PARE_ROLE_WEIGHT ? 1 : 0
        }
        request.pointee.weight = { me, index in
            guard let trial = MetricTrial.of(me), let array = trial.array(trial.weights, index) else { return nil }
            let shown = BorderTensor(array.view)
            trial.weight = shown
            return UnsafePointer(shown.pointer)
        }
        request.pointee.mask = { me, index in
            guard let trial = MetricTrial.of(me), let array = trial.array(trial.masks, index) else { return nil }
            let shown = BorderTensor(array.view)
            trial.mask = shown
            return UnsafePointer(shown.pointer)
        }
        request.pointee.matrix = { me, index, rows, cols, rowStride, colStride in
            guard let trial = MetricTrial.of(me), let view = trial.array(trial.weights, index)?.view, view.shape.count == 2 else {
                return 0
            }
            rows?.pointee = Int64(view.shape[0])
            cols?.pointee = Int64(view.shape[1])
            rowStride?.pointee = Int64(view.strides[0])
            colStride?.pointee = Int64(view.strides[1])
            return 1
        }
        request.pointee.emit = { me, index, name, value, unit in
            MetricTrial.of(me)?.add(index, name, [value], false, unit)
        }
        request.pointee.emit_series = { me, index, name, values, count, unit in
            guard let trial = MetricTrial.of(me) else { return }
            guard (0...1 << 24).contains(count), values != nil || count == 0 else {
                return trial.add(index, name, [], true, unit, "a series of \(count) numbers at \(values == nil ? "NULL" : "an address")")
            }
            trial.add(index, name, values.map { Array(UnsafeBufferPointer(start: $0, count: Int(count))) } ?? [], true, unit)
        }
    }

    private func array(_ list: [TestArray?], _ index: UInt32) -> TestArray? { Int(index) < list.count ? list[Int(index)] : nil }

    private func add(
        _ index: Int32, _ name: UnsafePointer<CChar>?, _ values: [Double], _ isSeries: Bool, _ unit: UnsafePointer<CChar>?,
        _ fault: String = ""
    ) {
        var problem = fault
        if unit == nil { problem = "a unit is NULL" }
        if name.map({ $0.pointee == 0 }) ?? true { problem = "a name is NULL or empty" }
        if index < -1 || Int(index) >= layers.layers.count { problem = "layer \(index) does not exist" }
        emitted.append(
            MetricExercise.Emitted(index: index, name: fromC(name), isSeries: isSeries, values: values, problem: problem))
    }

    private static func of(_ request: UnsafePointer<pare_metric_request>?) -> MetricTrial? {
        guard let data = request?.pointee.host_data else { return nil }
        return Unmanaged<MetricTrial>.fromOpaque(data).takeUnretainedValue()
    }
}
