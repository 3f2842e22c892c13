import CPare
import Glibc
import PareTensor

/// An allocator's answer.
struct AllocationOutcome {
    var call: CallOutcome
    var sparsity: [Double]
    var pools: [Int32]
    /// `expected` of the error record.
    var limit: String
    /// "" when only the answer was written.
    var stray: String
}

/// A call of allocate on one list of layers.
final class AllocatorExercise: Exercise {
    private let layers: LayerCase
    private let seed: UInt64
    var sparsity = 0.5

    init(_ subject: Subject, _ layers: LayerCase) {
        self.layers = layers
        seed = subject.seed
    }

    func call(_ instance: Instance, _ style: CallStyle) throws -> CallOutcome {
        var outcome = try allocate(instance, style).call
        if outcome.status != PARE_OK { outcome.numbers = [] }
        return outcome
    }

    func allocate(_ instance: Instance, _ style: CallStyle = CallStyle()) throws -> AllocationOutcome {
        guard let allocate = instance.table(as: pare_allocator.self).allocate else { throw Finding.fail("allocate is NULL") }
        let (count, margin) = (layers.layers.count, 8)
        let request = RequestBlock(pare_allocate_request(), larger: style.larger)
        request.pointer.pointee.layer_count = UInt32(count)
        request.pointer.pointee.sparsity = sparsity
        request.pointer.pointee.host_data = Unmanaged.passUnretained(self).toOpaque()
        request.pointer.pointee.run = style.run
        request.pointer.pointee.layer = { request, index in AllocatorExercise.of(request)?.layers.pointer(index) }
        // Made up, but the same for every call.
        request.pointer.pointee.statistic = { request, index, which, argument in
            guard let me = AllocatorExercise.of(request), (1...4).contains(which) else { return .nan }
            let draw = TestArray.numbers(1, seed: me.seed, stream: UInt64(index) << 8 | UInt64(which), positive: true)[0]
            return which == PARE_STAT_SCORE_OUTLIERS ? draw / 4 : draw * 100
        }
        var targets = [Double](repeating: .nan, count: count + 2 * margin)
        var pools = [Int32](repeating: -7, count: count + 2 * margin)
        let record = style.withoutRecord ? nil : GuardedRecord()
        let status = targets.withUnsafeMutableBufferPointer { targets in
            pools.withUnsafeMutableBufferPointer { pools in
                withExtendedLifetime(self) {
                    allocate(
                        instance.pointer, request.pointer, targets.baseAddress.map { $0 + margin },
                        pools.baseAddress.map { $0 + margin }, record?.pointer)
                }
            }
        }
        let inside = margin..<margin + count
        let outside = targets.indices.filter { !inside.contains($0) }
        let stray = outside.allSatisfy { targets[$0].isNaN && pools[$0] == -7 } ? "" : "places beside the answer were written"
        let (answer, numbers) = (Array(targets[inside]), Array(pools[inside]))
        let call =
            record?.outcome(status, answer + numbers.map(Double.init))
            ?? CallOutcome(status: status, message: "", recordProblem: "", numbers: answer + numbers.map(Double.init))
        return AllocationOutcome(call: call, sparsity: answer, pools: numbers, limit: record?.expected ?? "", stray: stray)
    }

    private static func of(_ request: UnsafePointer<pare_allocate_request>?) -> AllocatorExercise? {
        guard let data = request?.pointee.host_data else { return nil }
        return Unmanaged<AllocatorExercise>.fromOpaque(data).takeUnretainedValue()
    }
}

extension Check {
    static let targets = [0, 0.1, 0.5, 0.9, 0.99]

    /// What an allocator has to keep to beyond what every plugin does.
    static var allocator: [Check] {
        [
            allocation("allocate-range", "Each sparsity lies in [0, 1] and each pool is at least 0, and nothing else is written.") {
                layers, target, outcome, _ in
                guard outcome.stray.isEmpty else { throw Finding.fail("\(outcome.stray) (\(layers.label) at \(target))") }
                guard outcome.call.status == PARE_OK else { return }
                for (index, layer) in layers.layers.enumerated() {
                    guard outcome.sparsity[index] >= 0, outcome.sparsity[index] <= 1, outcome.pools[index] >= 0 else {
                        throw Finding.fail(
                            "an answer out of range (\(layers.label) at \(target))",
                            found: "sparsity \(outcome.sparsity[index]), pool \(outcome.pools[index]) for \"\(layer.name)\"",
                            expected: "[0, 1] and a pool from 0")
                    }
                }
            },
            allocation("allocate-target", "Sparsity times units, over all layers, adds up to the target.") { layers, target, outcome, _ in
                guard outcome.call.status == PARE_OK else { return }
                let units = layers.layers.map { Double($0.unitCount) }
                let (total, got) = (units.reduce(0, +), zip(units, outcome.sparsity).reduce(0) { $0 + $1.0 * $1.1 })
                guard abs(got - target * total) <= 0.5 + 1e-6 * total else {
                    throw Finding.fail(
                        "the answer misses the target (\(layers.label))", found: "\(got) of \(total) units",
                        expected: "\(target * total) at sparsity \(target)")
                }
            },
            allocation("allocate-refusal", "An impossible target is PARE_E_ARGUMENT with the largest possible one in `expected`.") {
                layers, target, outcome, isDefault in
                guard outcome.call.status != PARE_OK else { return }
                guard outcome.call.status == PARE_E_ARGUMENT else {
                    throw Finding.fail(
                        "refused with another status (\(layers.label) at \(target))",
                        found: "\(outcome.call.status): \(outcome.call.message)", expected: "\(PARE_E_ARGUMENT)")
                }
                guard !outcome.limit.isEmpty else {
                    throw Finding.fail(
                        "refused without saying what is possible (\(layers.label) at \(target))", found: "an empty `expected`",
                        expected: "the largest possible target")
                }
                // Some rules have no answer there, but a default should.
                guard target > 0 || !isDefault else {
                    throw Finding.fail("it refuses to prune nothing (\(layers.label))", found: outcome.call.message)
                }
            },
            Check("allocate-empty", "A model without prunable layers is fine.", .kind(.allocator), needs: ["call-speed"]) { subject in
                let exercise = AllocatorExercise(subject, LayerCase("no layers", []))
                let instance = try subject.make([:], TrialHost())
                subject.stage("allocating over no layers")
                let outcome = try exercise.allocate(instance)
                guard outcome.stray.isEmpty else { throw Finding.fail(outcome.stray) }
                try outcome.call.required("allocating over no layers")
            },
        ]
    }

    /// Every list of layers at every target, judged by `judge`.
    private static func allocation(
        _ name: String, _ about: String,
        _ judge: @escaping (_ layers: LayerCase, _ target: Double, AllocationOutcome, _ isDefault: Bool) throws -> Void
    ) -> Check {
        Check(name, about, .kind(.allocator), needs: ["call-speed"]) { subject in
            let (host, plugin) = (TrialHost(), try subject.plugin())
            let usual = [LayerCase.network(), .convolutional, .network(large: true)]
            for settings in [[:]] + choices(plugin) {
                let instance = try subject.make(settings, host)
                for layers in usual + LayerCase.odd {
                    let exercise = AllocatorExercise(subject, layers)
                    for target in targets {
                        exercise.sparsity = target
                        subject.stage("allocating \(target) over \(layers.label) with \(Subject.text(settings))")
                        let outcome = try exercise.allocate(instance)
                        try outcome.call.polite("allocating \(target) over \(layers.label)")
                        try judge(layers, target, outcome, settings.isEmpty)
                    }
                }
            }
        }
    }

    /// Each choice of each option that has some.
    private static func choices(_ plugin: Plugin) -> [[String: String]] {
        plugin.options.filter { $0.kind == .choice }.flatMap { option in option.choices.map { [option.key: $0] } }
    }
}
