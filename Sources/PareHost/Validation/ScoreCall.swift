import CPare
import Glibc
import PareMask
import PareTensor

/// What came of one call of score.
struct ScoreOutcome {
    var call: CallOutcome
    var scores: [Double] { call.numbers }
    /// Scores that still hold what they were filled with.
    var unwritten = 0
    /// "" when only the scores were written.
    var stray = ""
    /// Inputs that were asked for.
    var asked: Set<Int32> = []
}

/// How one call of score departs from the plain one.
struct ScoreStyle {
    var call = CallStyle()
    /// Sub-range of the units, for LOCAL criteria; nil for all.
    var range: Range<Int>?
    /// Answer NULL for each input.
    var withoutInputs = false
}

extension WeightCase {
    /// Asks for scores, into a buffer with guard bytes around it. Thread-safe.
    func score(_ instance: Instance, _ style: ScoreStyle = ScoreStyle()) throws -> ScoreOutcome {
        guard let score = instance.table(as: pare_criterion.self).score else { throw Finding.fail("score is NULL") }
        let isWide = instance.plugin.has(flag: UInt32(PARE_FLAG_SCORES_F64))
        let range = style.range ?? 0..<units
        let buffer = ScoreBuffer(count: range.count, isWide: isWide)
        let weight = BorderTensor(part(view, range))
        if byteOffset > 0 {
            weight.pointer.pointee.data -= byteOffset
            weight.pointer.pointee.byte_offset = UInt64(byteOffset)
        }
        let offered = OfferedInputs(style.withoutInputs ? [:] : inputs.mapValues { part($0, range) })
        let record = style.call.withoutRecord ? nil : GuardedRecord()
        let request = RequestBlock(pare_score_request(), larger: style.call.larger)
        request.pointer.pointee.role = PARE_ROLE_WEIGHT
        request.pointer.pointee.weight = UnsafePointer(weight.pointer)
        request.pointer.pointee.unit_ndim = Int32(unitAxes)
        request.pointer.pointee.granularity = granularity.rawValue
        request.pointer.pointee.first_unit = Int64(range.lowerBound)
        request.pointer.pointee.total_units = Int64(units)
        request.pointer.pointee.parameter_key = stableHash("layer.weight")
        request.pointer.pointee.rounds = 1
        request.pointer.pointee.host_data = Unmanaged.passUnretained(offered).toOpaque()
        request.pointer.pointee.input = OfferedInputs.lookUp
        request.pointer.pointee.run = style.call.run
        let status = "layer.weight".withCString { name in
            request.pointer.pointee.parameter = name
            return withExtendedLifetime((weight, offered, buffer)) {
                score(instance.pointer, request.pointer, buffer.tensor.pointer, record?.pointer)
            }
        }
        let numbers = buffer.numbers
        let outcome =
            record?.outcome(status, numbers)
            ?? CallOutcome(status: status, message: "", recordProblem: "", numbers: numbers)
        return ScoreOutcome(call: outcome, unwritten: buffer.unwritten, stray: buffer.stray, asked: offered.asked)
    }

    private func part(_ view: TensorView, _ range: Range<Int>) -> TensorView {
        guard range.count != units, unitAxes > 0 else { return view }
        var part = view
        part.base = view.base.map { $0 + range.lowerBound * view.strides[0] * view.dtype.size }
        part.shape[0] = range.count
        return part
    }
}

/// Memory for scores, filled with one particular NaN, guard bytes on both sides.
private final class ScoreBuffer {
    let tensor: BorderTensor
    private let block: UnsafeMutableRawPointer
    private let count: Int
    private let isWide: Bool
    private static let guardBytes = 256
    private static let unwritten32: UInt32 = 0x7FC0_A5A5
    private static let unwritten64: UInt64 = 0x7FF8_00A5_A5A5_A5A5

    private var width: Int { isWide ? 8 : 4 }
    private var scores: UnsafeMutableRawPointer { block + ScoreBuffer.guardBytes }

    init(count: Int, isWide: Bool) {
        self.count = count
        self.isWide = isWide
        let size = count * (isWide ? 8 : 4)
        block = .allocate(byteCount: size + 2 * ScoreBuffer.guardBytes, alignment: 64)
        memset(block, Int32(TrialHost.filler), size + 2 * ScoreBuffer.guardBytes)
        let scores = block + ScoreBuffer.guardBytes
        for index in 0..<count {
            if isWide {
                scores.storeBytes(of: ScoreBuffer.unwritten64, toByteOffset: 8 * index, as: UInt64.self)
            } else {
                scores.storeBytes(of: ScoreBuffer.unwritten32, toByteOffset: 4 * index, as: UInt32.self)
            }
        }
        tensor = BorderTensor(TensorView(base: scores, dtype: isWide ? .float64 : .float32, shape: [count]))
    }

    deinit { block.deallocate() }

    var numbers: [Double] {
        (0..<count).map {
            isWide
                ? scores.load(fromByteOffset: 8 * $0, as: Double.self)
                : Double(scores.load(fromByteOffset: 4 * $0, as: Float.self))
        }
    }

    var unwritten: Int {
        (0..<count).reduce(0) {
            let same =
                isWide
                ? scores.load(fromByteOffset: 8 * $1, as: UInt64.self) == ScoreBuffer.unwritten64
                : scores.load(fromByteOffset: 4 * $1, as: UInt32.self) == ScoreBuffer.unwritten32
            return $0 + (same ? 1 : 0)
        }
    }

    var stray: String {
        let before = UnsafeRawBufferPointer(start: block, count: ScoreBuffer.guardBytes)
        let after = UnsafeRawBufferPointer(start: scores + count * width, count: ScoreBuffer.guardBytes)
        if before.contains(where: { $0 != TrialHost.filler }) { return "bytes before the scores were written" }
        if after.contains(where: { $0 != TrialHost.filler }) { return "bytes behind the scores were written" }
        let raw = tensor.pointer.pointee
        guard raw.data == scores, raw.ndim == 1, raw.shape?.pointee == Int64(count) else { return "the scores' view was changed" }
        return ""
    }
}

/// Inputs by number, and which of them were asked for.
private final class OfferedInputs: @unchecked Sendable {
    private let lock = Lock()
    private let tensors: [Int32: BorderTensor]
    private var numbers: Set<Int32> = []

    init(_ views: [Int32: TensorView]) { tensors = views.mapValues { BorderTensor($0) } }

    var asked: Set<Int32> { lock.withLock { numbers } }

    static let lookUp: @convention(c) (UnsafePointer<pare_score_request>?, Int32) -> UnsafePointer<pare_tensor>? = {
        request, which in
        guard let data = request?.pointee.host_data else { return nil }
        let inputs = Unmanaged<OfferedInputs>.fromOpaque(data).takeUnretainedValue()
        _ = inputs.lock.withLock { inputs.numbers.insert(which) }
        return inputs.tensors[which].map { UnsafePointer($0.pointer) }
    }
}

/// Scores of a matrix by elements and by rows, as far as the criterion serves them.
final class CriterionExercise: Exercise {
    private let cases: [WeightCase]

    init(_ subject: Subject, large: Bool) throws {
        let plugin = try subject.plugin()
        cases = try plugin.served([.element, .row]).map {
            try WeightCase(subject, plugin, shape: large ? [600, 220] : [24, 18], granularity: $0)
        }
    }

    func call(_ instance: Instance, _ style: CallStyle) throws -> CallOutcome {
        var whole: CallOutcome?
        for item in cases {
            var outcome = try item.score(instance, ScoreStyle(call: style)).call
            guard outcome.status == PARE_OK, outcome.recordProblem.isEmpty else { return outcome }
            outcome.numbers = (whole?.numbers ?? []) + outcome.numbers
            whole = outcome
        }
        return whole ?? CallOutcome(status: PARE_OK, message: "", recordProblem: "")
    }
}
