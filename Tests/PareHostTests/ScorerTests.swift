import CPare
import PareTensor
import Testing

@testable import PareHost

/// Asks of a criterion, as they arrived.
private final class Asked {
    var requests: [(first: Int64, total: Int64, shape: [Int], strides: [Int], unitAxes: Int32)] = []
}

/// A criterion that scores a unit by the sum of its |x|, and notes what it was asked.
private func summing(_ id: String, flags: Int32, needs: Int32 = 0) -> (FixturePlugin, Asked) {
    let plugin = FixturePlugin(.criterion, id, flags: flags, needs: needs)
    let asked = Asked()
    plugin.score = { request, scores in
        guard let view = try? TensorView(request.pointee.weight, "weight"), let out = scores.pointee.data else { return PARE_E_ARGUMENT }
        asked.requests.append(
            (request.pointee.first_unit, request.pointee.total_units, view.shape, view.strides, request.pointee.unit_ndim))
        let units = view.shape.prefix(Int(request.pointee.unit_ndim)).reduce(1, *)
        let each = view.count / max(units, 1)
        var values = [Float](repeating: 0, count: view.count)
        guard (try? view.readAbsFloat32(from: 0, count: view.count, into: &values)) != nil else { return PARE_E_SHAPE }
        for unit in 0..<units {
            let sum = values[unit * each..<(unit + 1) * each].reduce(0, +)
            if scores.pointee.dtype.bits == 64 {
                out.assumingMemoryBound(to: Double.self)[unit] = Double(sum)
            } else {
                out.assumingMemoryBound(to: Float.self)[unit] = sum
            }
        }
        return PARE_OK
    }
    return (plugin, asked)
}

private func scorer(
    _ plugin: FixturePlugin, _ view: TensorView, unitAxes: Int, whole: WholeScores = WholeScores(),
    _ change: (inout ScoredTensor) -> Void = { _ in }
) throws -> CriterionScorer {
    let context = try Context.with(plugin)
    Kept.keep(context)
    var tensor = ScoredTensor(name: "w", role: PARE_ROLE_WEIGHT, granularity: 3, view: view, unitAxes: unitAxes)
    change(&tensor)
    let instance = try context.makeInstance(.criterion, fromC(plugin.descriptor.pointee.id))
    return try CriterionScorer(tensor, instance, run: RunBridge(nil), whole: whole)
}

private func fill(_ scorer: CriterionScorer, _ first: Int, _ count: Int) throws -> [Float] {
    let out = Numbers<Float>([Float](repeating: .nan, count: count))
    try scorer.fill(first: first, count: count, into: out.base)
    return out.values
}

private let local = Int32(PARE_FLAG_LOCAL)

@Suite struct ScorerTests {
    private let rows = Numbers<Float>((0..<12).map { Float($0) * ($0 % 2 == 0 ? 1 : -1) })

    @Test func localCriteriaAreAskedForParts() throws {
        let (plugin, asked) = summing("part", flags: local | Int32(PARE_FLAG_THREAD_SAFE))
        let parts = try scorer(plugin, rows.view([4, 3]), unitAxes: 1)
        #expect(parts.isConcurrent && parts.unitCount == 4 && !parts.isFloat64)
        #expect(try fill(parts, 1, 2) == [12, 21])
        #expect(asked.requests.count == 1)
        #expect(asked.requests[0] == (1, 4, [2, 3], [3, 1], 1))
        #expect(try fill(parts, 2, 0).isEmpty && asked.requests.count == 1, "nothing to do is not asked")
    }

    @Test func localPartsFollowTheStrides() throws {
        let (plugin, asked) = summing("strided", flags: local)
        // The columns of a 3 × 4 array, backwards.
        let view = TensorView(base: rows.base + 3, dtype: .float32, shape: [4, 3], strides: [-1, 4])
        #expect(try fill(scorer(plugin, view, unitAxes: 1), 3, 1) == [12])
        #expect(asked.requests[0].strides == [-1, 4])
    }

    @Test func weightsThatAreReadByParts() throws {
        let (plugin, asked) = summing("read", flags: local)
        let values = rows.values
        let copied = try scorer(plugin, rows.view([4, 3]), unitAxes: 1) {
            $0.read = { units, target in
                for index in units.lowerBound * 3..<units.upperBound * 3 {
                    target.storeBytes(of: -10 * values[index], toByteOffset: (index - units.lowerBound * 3) * 4, as: Float.self)
                }
            }
        }
        #expect(try fill(copied, 2, 2) == [210, 300])
        #expect(asked.requests[0].first == 2 && asked.requests[0].shape == [2, 3])
    }

    @Test func othersAreAskedOnceForAll() throws {
        let (plugin, asked) = summing("whole", flags: 0)
        let whole = WholeScores()
        let one = try scorer(plugin, rows.view([4, 3]), unitAxes: 1, whole: whole)
        #expect(!one.isConcurrent)
        #expect(try fill(one, 0, 2) == [3, 12])
        #expect(try fill(one, 2, 2) == [21, 30])
        #expect(asked.requests.map(\.shape) == [[4, 3]])
        let two = try scorer(summing("whole-two", flags: 0).0, rows.view([2, 6]), unitAxes: 1, whole: whole)
        #expect(try fill(two, 1, 1) == [51])
        #expect(try fill(one, 3, 1) == [30])
        #expect(asked.requests.count == 2, "one tensor's scores are held at a time")
        // Several unit axes cannot be cut along one.
        let (flat, elements) = summing("elements", flags: local)
        #expect(try fill(scorer(flat, rows.view([4, 3]), unitAxes: 2), 4, 2) == [4, 5])
        #expect(elements.requests[0].shape == [4, 3])
    }

    @Test func swappedScoresGoBackIntoStoredOrder() throws {
        let (plugin, asked) = summing("swapped", flags: 0)
        // Stored [in = 3, out = 4]; the criterion sees [out, in].
        let seen = rows.view([4, 3], strides: [1, 4])
        let swapped = try scorer(plugin, seen, unitAxes: 2) { $0.isSwapped = true }
        #expect(try fill(swapped, 0, 12) == (0..<12).map(Float.init))
        #expect(asked.requests[0].shape == [4, 3])
    }

    @Test func float64Scores() throws {
        let (plugin, _) = summing("wide", flags: Int32(PARE_FLAG_SCORES_F64) | local)
        let wide = try scorer(plugin, rows.view([4, 3]), unitAxes: 1)
        let out = Numbers<Double>([0, 0])
        try wide.fill(first: 2, count: 2, into: out.base)
        #expect(wide.isFloat64 && out.values == [21, 30])
    }

    @Test func deadUnitsGoFirst() throws {
        for flags in [local, local | Int32(PARE_FLAG_SCORES_F64), 0] {
            let masked = try scorer(summing("alive", flags: flags).0, rows.view([4, 3]), unitAxes: 1)
            masked.alive = [0b0101]
            let narrow = floats(0, 0, 0, 0), wide = Numbers<Double>([0, 0, 0, 0])
            let out = masked.isFloat64 ? UnsafeMutableRawPointer(wide.base) : UnsafeMutableRawPointer(narrow.base)
            try masked.fill(first: 0, count: 4, into: out)
            #expect((masked.isFloat64 ? wide.values.map { Float($0) } : narrow.values) == [3, -.infinity, 21, -.infinity])
        }
    }

    @Test func inputsAreCutWithTheWeights() throws {
        let plugin = FixturePlugin(.criterion, "inputs", flags: local)
        plugin.score = { request, scores in
            guard request.pointee.input(request, 99) == nil,
                let scale = try? TensorView(request.pointee.input(request, PARE_INPUT_NORM_SCALE), "γ"), scale.shape == [2, 3]
            else { return PARE_E_STATE }
            let out = scores.pointee.data.assumingMemoryBound(to: Float.self)
            return (try? scale.readFloat32(from: 0, count: 1, into: out)) != nil
                && (try? scale.readFloat32(from: 3, count: 1, into: out + 1)) != nil ? PARE_OK : PARE_E_SHAPE
        }
        let gamma = floats(10, 20, 30, 40)
        let asked = try scorer(plugin, rows.view([4, 3]), unitAxes: 1) {
            $0.inputs = [PARE_INPUT_NORM_SCALE: gamma.view([4, 3], strides: [1, 0])]
        }
        #expect(try fill(asked, 1, 2) == [20, 30])
    }

    @Test func emptyTensors() throws {
        let (plugin, asked) = summing("empty", flags: 0)
        #expect(try fill(scorer(plugin, rows.view([0, 3]), unitAxes: 1), 0, 0).isEmpty)
        #expect(asked.requests.isEmpty)
    }
}

@Suite struct ScorerFaultTests {
    private let rows = floats(1, 2, 3, 4, 5, 6)

    private func writing(_ id: String, _ values: [Float?], flags: Int32 = 0) -> FixturePlugin {
        let plugin = FixturePlugin(.criterion, id, flags: flags)
        plugin.score = { request, scores in
            let out = scores.pointee.data.assumingMemoryBound(to: Float.self)
            for (unit, value) in values.dropFirst(Int(request.pointee.first_unit)).prefix(Int(scores.pointee.shape[0])).enumerated() {
                if let value { out[unit] = value }
            }
            return PARE_OK
        }
        return plugin
    }

    @Test(arguments: [nil, Float.nan, .infinity, -.infinity])
    func scoresMustBeFiniteAndAllWritten(_ bad: Float?) throws {
        let refusal = error { _ = try fill(scorer(writing("bad", [1, 2, bad]), rows.view([3, 2]), unitAxes: 1), 0, 3) }
        #expect(refusal?.status == .pluginFault && refusal?.found == "unit 2" && refusal?.location == "criterion \"bad\" on \"w\"")
        let part = error { _ = try fill(scorer(writing("bad", [1, 2, bad], flags: local), rows.view([3, 2]), unitAxes: 1), 1, 2) }
        #expect(part?.found == "unit 2", "units are counted over the whole tensor")
    }

    @Test func badWeightsAreTheCallersToAnswerFor() throws {
        let weights = floats(1, 2, 3, .nan, 5, -.infinity)
        let plugin = writing("weights", [3, .nan, .infinity])
        let refusal = error { _ = try fill(scorer(plugin, weights.view([3, 2]), unitAxes: 1), 0, 3) }
        #expect(refusal?.status == .nonfinite && refusal?.found == "a value that is not finite in unit 1")
        let allowed = try scorer(plugin, weights.view([3, 2]), unitAxes: 1) { $0.allowNonfinite = true }
        #expect(try fill(allowed, 0, 3) == [3, 0, .infinity], "NaN counts as 0, infinity stands")
        // A criterion that hides the NaN: caught where the mask is made, or after it where scores were held.
        let whole = try scorer(writing("hiding", [3, 4, 5]), weights.view([3, 2]), unitAxes: 1)
        #expect(try fill(whole, 0, 3) == [3, 4, 5])
        #expect(error { try whole.checkUnread() }?.found == "a value that is not finite in unit 1")
        let hiding = try scorer(writing("hiding", [3, 4, 5], flags: local), weights.view([3, 2]), unitAxes: 1)
        #expect(try fill(hiding, 0, 3) == [3, 4, 5])
        let checking = try scorer(writing("hiding", [3, 4, 5], flags: local), weights.view([3, 2]), unitAxes: 1)
        checking.isFinal = true
        #expect(error { _ = try fill(checking, 0, 3) }?.status == .nonfinite)
    }

    @Test func failuresCarryThePluginsWords() throws {
        let plugin = FixturePlugin(.criterion, "failing")
        plugin.score = { _, _ in PARE_E_MEMORY }
        let failing = try scorer(plugin, rows.view([3, 2]), unitAxes: 1)
        #expect(error { _ = try fill(failing, 0, 3) }?.what == "the plugin failed with status 301 and gave no reason")
        plugin.message = "no room"
        let refusal = error { _ = try fill(failing, 0, 3) }
        #expect(refusal?.status == .memory && refusal?.what == "no room" && refusal?.location == "criterion \"failing\" on \"w\"")
        plugin.score = { _, scores in
            for unit in 0..<3 { scores.pointee.data.assumingMemoryBound(to: Float.self)[unit] = Float(unit) }
            return PARE_OK
        }
        #expect(try fill(failing, 0, 3) == [0, 1, 2], "a failure leaves nothing half made behind")
    }

    @Test func arraysWithoutAModel() throws {
        let (plugin, _) = summing("array", flags: local | Int32(PARE_FLAG_THREAD_SAFE))
        let context = try Context.with(threads: 3, plugin)
        let narrow = floats(0, 0, 0), wide = Numbers<Double>([0, 0, 0])
        try context.score(criterion: "array", options: [:], weight: rows.view([3, 2]), pattern: .row, into: narrow.view([3]))
        try context.score(criterion: "array", options: [:], weight: rows.view([3, 2]), pattern: .row, into: wide.view([3]))
        #expect(narrow.values == [3, 7, 11] && wide.values == [3, 7, 11])
        func refusal(_ weight: TensorView, _ scores: TensorView) -> PareError? {
            error { try context.score(criterion: "array", options: [:], weight: weight, pattern: .row, into: scores) }
        }
        #expect(refusal(rows.view([3, 2]), narrow.view([2]))?.status == .shape)
        #expect(refusal(rows.view([3, 2]), narrow.view([3], strides: [-1]))?.status == .dtype)
        #expect(refusal(Numbers<Int32>([1, 2]).view([2, 1]), narrow.view([2]))?.found == "i32")
        #expect(refusal(floats(1, .nan).view([2, 1]), narrow.view([2]))?.status == .nonfinite)
        let mask = try context.select(criterion: "array", options: [:], weight: rows.view([3, 2]), pattern: .row, sparsity: 0.34)
        #expect(mask.shape == [3, 2] && mask.kept == 4 && mask.packedBytes() == [0b111100])
        let stopped = error {
            try context.score(criterion: "array", options: [:], weight: rows.view([3, 2]), pattern: .row, into: narrow.view([3])) { _, _ in
                false
            }
        }
        #expect(stopped?.status == .cancelled)
    }

    @Test func needsThatNobodyCollects() throws {
        let (plugin, _) = summing("needy", flags: 0, needs: Int32(PARE_NEED_GRADIENT | PARE_NEED_NORM_SCALE))
        let context = try Context.with(plugin)
        let out = floats(0, 0, 0)
        let refusal = error {
            try context.score(criterion: "needy", options: [:], weight: rows.view([3, 2]), pattern: .row, into: out.view([3]))
        }
        #expect(refusal?.status == .unsupported && refusal?.found == "gradients")
    }
}
