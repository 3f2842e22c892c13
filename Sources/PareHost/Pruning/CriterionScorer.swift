import CPare
import PareMask
import PareTensor

/// One tensor as a criterion is to see it.
struct ScoredTensor {
    var name: String
    var role: Int32
    var granularity: Int32
    /// Leading `unitAxes` axes enumerate the units, the others run inside a unit.
    var view: TensorView
    var unitAxes: Int
    /// What else the criterion may look at, in the shape of `view`.
    var inputs: [Int32: TensorView] = [:]
    /// Memory behind `view` where it had to be copied.
    var owner: AnyObject?
    /// `view` shows the first two axes of what is stored the other way round: scores go back into stored order.
    var isSwapped = false
    var allowNonfinite = false
    /// Copies the values of some units, where they lie in stored order and reading them through the file is cheaper than through
    /// its mapping; nil otherwise.
    var read: ((Range<Int>, UnsafeMutableRawPointer) throws -> Void)?
    /// Called when a whole tensor has been looked at in place, so that a mapped file does not fill memory.
    var release: (() -> Void)?

    var units: Int { view.shape.prefix(unitAxes).reduce(1, &*) }
}

/// A criterion instance over one tensor, as the stream of scores that selection reads. Scores are recomputed on each reading;
/// nothing but a chunk is held unless the criterion has to see the whole tensor at once.
final class CriterionScorer: ScoreSource {
    let tensor: ScoredTensor
    private let instance: Instance
    private let score: ScoreFunction
    private let run: RunBridge
    private let whole: WholeScores
    private let key: UInt64
    private let scratch = ScratchPool()
    /// Units still alive under an attached mask, packed; scores of the others become -infinity: they go first.
    var alive: [UInt64]?
    /// The reading that makes the mask: weights are checked for NaN and infinity, and zeros noted.
    var isFinal = false
    /// Zero weights seen on the final reading.
    let zeros = ZeroNotes()

    typealias ScoreFunction =
        @convention(c) (
            UnsafeMutablePointer<pare_instance>?, UnsafePointer<pare_score_request>?, UnsafeMutablePointer<pare_tensor>?,
            UnsafeMutablePointer<pare_error>?
        ) -> Int32

    init(_ tensor: ScoredTensor, _ instance: Instance, run: RunBridge, whole: WholeScores) throws {
        guard let score = instance.table(as: pare_criterion.self).score else {
            throw PareError(.pluginFault, "criterion \"\(instance.plugin.id)\" has no score function")
        }
        self.tensor = tensor
        self.instance = instance
        self.score = score
        self.run = run
        self.whole = whole
        key = stableHash(tensor.name)
    }

    var unitCount: Int { tensor.units }
    var isFloat64: Bool { instance.plugin.has(flag: UInt32(PARE_FLAG_SCORES_F64)) }
    var isConcurrent: Bool { isSliceable && instance.plugin.has(flag: UInt32(PARE_FLAG_THREAD_SAFE)) }
    private var scoreSize: Int { isFloat64 ? 8 : 4 }

    var chunkLimit: Int? { nil }

    /// Sub-ranges may be asked for: the criterion looks at one unit at a time and units lie along one axis.
    var isSliceable: Bool { tensor.unitAxes == 1 && instance.plugin.has(flag: UInt32(PARE_FLAG_LOCAL)) }

    func fill(first: Int, count: Int, into out: UnsafeMutableRawPointer) throws {
        if isSliceable {
            try compute(first: first, count: count, into: out)
        } else {
            let all = try whole.scores(of: self, bytes: unitCount * scoreSize) { try self.computeAll(into: $0) }
            out.copyMemory(from: all + first * scoreSize, byteCount: count * scoreSize)
        }
        try overrideRemoved(first: first, count: count, out)
    }

    /// All scores, in stored order.
    func computeAll(into out: UnsafeMutableRawPointer) throws {
        guard tensor.isSwapped, unitCount > 0 else { return try compute(first: 0, count: unitCount, into: out) }
        let buffer = try OwnedBuffer(count: unitCount * scoreSize)
        defer { withExtendedLifetime(buffer) {} }
        try compute(first: 0, count: unitCount, into: buffer.base)
        let (outputs, inputs) = (tensor.view.shape[0], tensor.view.shape[1])
        let run = unitCount / (outputs * inputs) * scoreSize
        for output in 0..<outputs {
            for input in 0..<inputs {
                (out + (input * outputs + output) * run).copyMemory(
                    from: buffer.base + (output * inputs + input) * run, byteCount: run)
            }
        }
    }

    /// Asks the criterion for units first ..< first + count.
    func compute(first: Int, count: Int, into out: UnsafeMutableRawPointer) throws {
        guard count > 0 else { return }
        try run.check(0)
        var view = tensor.view
        let perUnit = view.count / max(unitCount, 1)
        if count != unitCount { view.shape[0] = count }
        if isSliceable, let read = tensor.read {
            try scratch.with(bytes: view.count * view.dtype.size) { copy in
                try read(first..<first + count, copy)
                view.base = copy
                try ask(view, first: first, count: count, into: out)
                if isFinal { try zeros.note(view, firstElement: first * perUnit) }
            }
        } else {
            if count != unitCount { view.base = view.base.map { $0 + first * view.strides[0] * view.dtype.size } }
            try ask(view, first: first, count: count, into: out)
            if isFinal { try zeros.note(view, firstElement: first * perUnit) }
            tensor.release?()
        }
    }

    /// One call of the criterion, with its answer checked.
    private func ask(_ view: TensorView, first: Int, count: Int, into out: UnsafeMutableRawPointer) throws {
        prefill(out, count)
        let weight = BorderTensor(view)
        let scores = BorderTensor(TensorView(base: out, dtype: isFloat64 ? .float64 : .float32, shape: [count]))
        let inputs = RequestInputs(tensor.inputs, first: first, count: count, of: unitCount)
        var request = pare_score_request()
        request.struct_size = UInt32(MemoryLayout<pare_score_request>.size)
        request.role = tensor.role
        request.weight = UnsafePointer(weight.pointer)
        request.unit_ndim = Int32(tensor.unitAxes)
        request.granularity = tensor.granularity
        request.first_unit = Int64(first)
        request.total_units = Int64(unitCount)
        request.parameter_key = key
        request.round = 0
        request.rounds = 1
        request.host_data = Unmanaged.passUnretained(inputs).toOpaque()
        request.input = RequestInputs.lookUp
        request.run = run.pointer
        var record = pare_error.empty()
        let status = tensor.name.withCString { name in
            request.parameter = name
            return withExtendedLifetime((weight, scores, inputs)) { score(instance.pointer, &request, scores.pointer, &record) }
        }
        guard status == PARE_OK else {
            // What looks like the criterion's trouble may be the weights'.
            if status == PARE_E_NONFINITE, !tensor.allowNonfinite, let at = try view.firstNonfinite() {
                throw nonfinite(at, of: view, first)
            }
            throw pluginError(status, record, plugin: "criterion \"\(instance.plugin.id)\" on \"\(tensor.name)\"")
        }
        try check(view, first, count, out)
    }

    /// NaN marks what the criterion does not write.
    private func prefill(_ out: UnsafeMutableRawPointer, _ count: Int) {
        if isFloat64 {
            out.assumingMemoryBound(to: Double.self).update(repeating: .nan, count: count)
        } else {
            out.assumingMemoryBound(to: Float.self).update(repeating: .nan, count: count)
        }
    }

    /// Non-finite weights are the caller's to answer for, NaN scores the criterion's.
    private func check(_ view: TensorView, _ first: Int, _ count: Int, _ out: UnsafeMutableRawPointer) throws {
        if isFinal, !tensor.allowNonfinite, let at = try view.firstNonfinite() { throw nonfinite(at, of: view, first) }
        let scores = TensorView(base: out, dtype: isFloat64 ? .float64 : .float32, shape: [count])
        guard let bad = try scores.firstNonfinite() else { return }
        if try view.firstNonfinite() != nil {
            guard tensor.allowNonfinite else { throw nonfinite(try view.firstNonfinite() ?? 0, of: view, first) }
            settle(out, count)
            return
        }
        throw PareError(
            .pluginFault, "the criterion left a score unwritten, or made one that is not finite",
            at: "criterion \"\(instance.plugin.id)\" on \"\(tensor.name)\"", found: "unit \(first + bad)",
            expected: "one finite score per unit")
    }

    /// With non-finite weights allowed, NaN scores count as 0; infinite ones stand.
    private func settle(_ out: UnsafeMutableRawPointer, _ count: Int) {
        if isFloat64 {
            let scores = out.assumingMemoryBound(to: Double.self)
            for unit in 0..<count where scores[unit].isNaN { scores[unit] = 0 }
        } else {
            let scores = out.assumingMemoryBound(to: Float.self)
            for unit in 0..<count where scores[unit].isNaN { scores[unit] = 0 }
        }
    }

    /// Refuses non-finite weights that no final reading has looked at: scores held from an earlier one are not made again, and a
    /// request that removes nothing asks for none.
    func checkUnread() throws {
        guard !tensor.allowNonfinite, !zeros.covers(tensor.view.count) else { return }
        if let at = try tensor.view.firstNonfinite() { throw nonfinite(at, of: tensor.view, 0) }
        tensor.release?()
    }

    private func nonfinite(_ at: Int, of view: TensorView, _ first: Int) -> PareError {
        let perUnit = max(view.shape.dropFirst(tensor.unitAxes).reduce(1, &*), 1)
        return PareError(
            .nonfinite, "the weights hold NaN or infinity", at: "parameter \"\(tensor.name)\"",
            found: "a value that is not finite in unit \(first + at / perUnit)", expected: "finite weights",
            hint: "allow_nonfinite (--allow-nonfinite) prunes all the same, with NaN scored as 0")
    }

    private func overrideRemoved(first: Int, count: Int, _ out: UnsafeMutableRawPointer) throws {
        guard let alive else { return }
        for unit in 0..<count where alive[(first + unit) / 64] >> UInt64((first + unit) % 64) & 1 == 0 {
            if isFloat64 {
                out.storeBytes(of: -Double.infinity, toByteOffset: unit * 8, as: Double.self)
            } else {
                out.storeBytes(of: -Float.infinity, toByteOffset: unit * 4, as: Float.self)
            }
        }
    }
}

/// Scores of the one tensor that was asked for last, for criteria that must see a whole tensor: never more than one is held.
final class WholeScores {
    private let lock = Lock()
    private weak var owner: CriterionScorer?
    private var buffer: OwnedBuffer?

    func scores(
        of scorer: CriterionScorer, bytes: Int, _ compute: (UnsafeMutableRawPointer) throws -> Void
    ) throws -> UnsafeMutableRawPointer {
        try lock.withLock {
            if owner === scorer, let buffer { return buffer.base }
            drop()
            let fresh = try OwnedBuffer(count: bytes)
            try compute(fresh.base)
            buffer = fresh
            owner = scorer
            return fresh.base
        }
    }

    private func drop() {
        buffer = nil
        owner = nil
    }
}

/// Views that a criterion may ask for during one call.
private final class RequestInputs {
    private let tensors: [Int32: BorderTensor]

    init(_ inputs: [Int32: TensorView], first: Int, count: Int, of units: Int) {
        tensors = inputs.mapValues { view in
            var part = view
            if count != units {
                part.base = part.base.map { $0 + first * part.strides[0] * part.dtype.size }
                part.shape[0] = count
            }
            return BorderTensor(part)
        }
    }

    static let lookUp: @convention(c) (UnsafePointer<pare_score_request>?, Int32) -> UnsafePointer<pare_tensor>? = { request, which in
        guard let data = request?.pointee.host_data else { return nil }
        return Unmanaged<RequestInputs>.fromOpaque(data).takeUnretainedValue().tensors[which].map { UnsafePointer($0.pointer) }
    }
}
