import CPare
import PareFormats
import PareGraph
import PareMask
import PareTensor

extension Context {
    /// Decides which weights stay and attaches the masks: all of them, or none if anything fails or the caller stops it.
    ///
    /// Cost: two to three readings of the weights. Memory: the masks, a bit per element, and one chunk of scores per thread (scores of
    /// one tensor for criteria that must see it whole).
    public func prune(_ analysed: AnalysedModel, _ request: PruneRequest, progress: Progress? = nil) throws -> PruneReport {
        guard request.pattern.fixedSparsity != nil || (request.sparsity >= 0 && request.sparsity < 1) else {
            throw PareError(.argument, "sparsity is out of range", found: "\(request.sparsity)", expected: "in [0, 1)")
        }
        let job = try PruneJob(self, analysed, request, RunBridge(progress))
        let masks = try job.decide()
        let report = try job.report(masks)
        if request.strict, report.removed == 0 { throw job.nothingToDo(report) }
        if !request.dryRun {
            for (index, mask) in masks { analysed.model.parameters[index].mask = mask }
            analysed.pattern = request.pattern
            analysed.provenance = report.provenance
            analysed.decided = analysed.model.parameters.map(\.mask)
        }
        return report
    }
}

/// One prune request on its way.
private final class PruneJob {
    private let context: Context
    private let analysed: AnalysedModel
    private let request: PruneRequest
    private let run: RunBridge
    private let criterion: Instance
    private let allocator: Plugin
    private let options: OptionSplit
    private let candidates: [Candidate]
    private var targets: [Int: Double] = [:]
    private var notes: [String] = []
    private var zeroNotes: [Int: ZeroNotes] = [:]

    init(_ context: Context, _ analysed: AnalysedModel, _ request: PruneRequest, _ run: RunBridge) throws {
        self.context = context
        self.analysed = analysed
        self.request = request
        self.run = run
        let plugin = try context.plugin(.criterion, request.criterion)
        allocator = try context.plugin(.allocator, request.allocation)
        options = try OptionSplit(request.options, criterion: plugin, allocation: allocator, seed: request.seed)
        try plugin.checkUsable(for: request.pattern)
        // Settings are checked before anything is read.
        _ = try allocator.values(for: options.allocation)
        criterion = try plugin.makeInstance(options.criterion, host: context.host)
        let sparsity = request.pattern.fixedSparsity ?? request.sparsity
        if let rounds = criterion.table(as: pare_criterion.self).rounds, rounds(criterion.pointer, sparsity) > 1 {
            throw PareError(
                .unsupported, "the criterion wants several rounds", at: "criterion \"\(plugin.id)\"", expected: "one-shot criteria")
        }
        candidates = try analysed.candidates(for: request)
    }

    private var layers: [(index: Int, grid: UnitGrid)] {
        candidates.compactMap { candidate in candidate.grid.map { (candidate.index, $0) } }
    }

    /// Masks by parameter index.
    func decide() throws -> [(index: Int, mask: Mask)] {
        let whole = WholeScores()
        let scorers = try layers.map { layer in
            let tensor = try analysed.scoredTensor(
                layer.index, layer.grid, plugin: criterion.plugin, allowNonfinite: request.allowNonfinite)
            let scorer = try CriterionScorer(tensor, criterion, run: run, whole: whole)
            zeroNotes[layer.index] = scorer.zeros
            if request.keepMasks { scorer.alive = try analysed.model.parameters[layer.index].mask.map { try aliveUnits($0, layer.grid) } }
            return scorer
        }
        guard !scorers.isEmpty else { return [] }
        let masks = request.pattern.granularity == .nm ? try decideNM(scorers) : try decideUnits(scorers)
        for scorer in scorers { try scorer.checkUnread() }
        if request.keepMasks {
            // A unit that stays whole brings back nothing that the attached mask has removed inside it.
            for (index, mask) in masks { if let attached = analysed.model.parameters[index].mask { try mask.formAnd(attached) } }
        }
        return masks
    }

    /// Units with an element left under an attached mask; for N:M its elements.
    private func aliveUnits(_ mask: Mask, _ grid: UnitGrid) throws -> [UInt64] {
        grid.pattern.granularity == .nm ? mask.withWords { Array($0) } : try grid.unitBits(of: mask, keepAny: true)
    }

    private func decideUnits(_ scorers: [CriterionScorer]) throws -> [(index: Int, mask: Mask)] {
        let members = layers.map { (index: $0.index, units: $0.grid.units) }
        let (pools, targets) = try context.allocate(
            analysed, members, allocator: allocator.id, options: options.allocation, sparsity: request.sparsity, run: run)
        for (member, target) in zip(members, targets) { self.targets[member.index] = target }
        var masks: [(index: Int, mask: Mask)] = []
        let total = Double(max(members.reduce(0) { $0 + $1.units }, 1))
        var done = 0.0
        for pool in pools {
            let sources = pool.members.map { scorers[$0] }
            let share = Double(sources.reduce(0) { $0 + $1.unitCount }) / total
            try run.begin("ranking \(sources[0].tensor.name)", from: done, to: done + share / 2)
            let selection = try selectSmallest(pool.remove, of: sources, threads: context.threads) { self.run.report($0) }
            try run.begin("masking \(sources[0].tensor.name)", from: done + share / 2, to: done + share)
            for (position, member) in pool.members.enumerated() {
                scorers[member].isFinal = true
                let units = try selection.mask(for: position, threads: context.threads)
                masks.append((layers[member].index, try units.withUnsafeBufferPointer { try layers[member].grid.expand($0) }))
                try run.check(Double(position + 1) / Double(sources.count))
            }
            done += share
        }
        return masks.sorted { $0.index < $1.index }
    }

    private func decideNM(_ scorers: [CriterionScorer]) throws -> [(index: Int, mask: Mask)] {
        let total = Double(max(layers.reduce(0) { $0 + $1.grid.units }, 1))
        var done = 0.0
        return try zip(layers, scorers).map { layer, scorer in
            let share = Double(layer.grid.units) / total
            try run.begin("masking \(scorer.tensor.name)", from: done, to: done + share)
            done += share
            scorer.isFinal = true
            targets[layer.index] = request.pattern.fixedSparsity
            return (layer.index, try layer.grid.selectNM(scores: scorer, threads: context.threads))
        }
    }

    // MARK: Report

    func report(_ masks: [(index: Int, mask: Mask)]) throws -> PruneReport {
        let byIndex = Dictionary(masks.map { ($0.index, $0.mask) }, uniquingKeysWith: { a, _ in a })
        let rows = try candidates.map { try row($0, byIndex[$0.index]) }
        for row in rows where row.pruned && row.kept == 0 {
            notes.append("\"\(row.name)\" has no weight left: the network may be cut in two")
        }
        if masks.isEmpty { notes.append("nothing was pruned: no parameter qualifies (see the notes of the layers)") }
        if request.pattern.granularity == .nm, !masks.isEmpty {
            notes.append("the pattern fixes the sparsity of each layer; the allocation was not asked")
        }
        let c = try criterion.plugin.values(for: options.criterion).map { (key: "criterion.\($0.info.key)", value: $0.value.text) }
        let a = try allocator.values(for: options.allocation).map { (key: "allocation.\($0.info.key)", value: $0.value.text) }
        return PruneReport(
            model: analysed.model.path, criterion: criterion.plugin.id, criterionVersion: criterion.plugin.version,
            allocation: allocator.id, allocationVersion: allocator.version, options: c + a, pattern: request.pattern,
            target: request.pattern.fixedSparsity ?? request.sparsity, seed: request.seed, dryRun: request.dryRun, layers: rows,
            notes: notes + context.drainMessages())
    }

    private func row(_ candidate: Candidate, _ mask: Mask?) throws -> LayerReport {
        let parameter = analysed.model.parameters[candidate.index]
        let node = analysed.uses[candidate.index]?.node
        let op = node.flatMap { analysed.model.graph?.nodes[$0].op } ?? ""
        let inForce = mask ?? parameter.mask
        let zeros = try parameter.dtype.isFloat ? self.zeros(candidate.index, under: inForce) : 0
        return LayerReport(
            name: parameter.name, op: op, shape: parameter.shape, dtype: parameter.dtype.name, elements: parameter.count,
            kept: mask?.kept ?? parameter.count, zeros: zeros, pruned: mask != nil, target: targets[candidate.index],
            macs: analysed.macs(of: candidate.index), note: candidate.note)
    }

    /// Zero elements of a parameter under a mask, from what was noted while it was scored where that suffices.
    private func zeros(_ index: Int, under mask: Mask?) throws -> Int {
        let parameter = analysed.model.parameters[index]
        if let mask, let kept = zeroNotes[index]?.kept(by: mask) { return parameter.count - mask.kept + kept }
        return try parameter.countZeros(under: mask, threads: context.threads)
    }

    /// Says layer by layer why a strict request would change nothing.
    func nothingToDo(_ report: PruneReport) -> PareError {
        let likely = report.layers.filter { $0.shape.count > 1 }
        let reasons = likely.prefix(8).map { "\($0.name): \($0.note.isEmpty ? "loses no unit at this sparsity" : $0.note)" }
        let more = likely.count > 8 ? "; and \(likely.count - 8) more" : ""
        return PareError(
            .nothingToDo, "the request would change nothing", at: analysed.model.path,
            found: reasons.joined(separator: "; ") + more, expected: "at least one weight to remove")
    }
}

extension Plugin {
    /// Refuses a criterion that cannot serve a pattern, or that needs what one-shot pruning does not collect.
    func checkUsable(for pattern: Pattern) throws {
        let place = "criterion \"\(id)\""
        guard serves(granularity: pattern.granularity.rawValue) else {
            let served = Granularity.allCases.filter { serves(granularity: $0.rawValue) }.map { "\($0)" }
            throw PareError(
                .unsupported, "the criterion does not score this pattern", at: place, found: pattern.text,
                expected: served.joined(separator: ", "))
        }
        let collected = UInt32(PARE_NEED_WEIGHT | PARE_NEED_NORM_SCALE)
        let names: [(UInt32, String)] = [
            (UInt32(PARE_NEED_GRADIENT), "gradients"), (UInt32(PARE_NEED_INPUT_NORM), "input norms"),
            (UInt32(PARE_NEED_GRAM), "Gram matrices"), (UInt32(PARE_NEED_HESSIAN_GRADIENT), "Hessian-gradient products"),
            (UInt32(PARE_NEED_TWIN_GRADIENT), "gradients of the linear twin"), (UInt32(PARE_NEED_OUTPUT_NORM), "output norms"),
            (UInt32(PARE_NEED_GRAPH), "the graph"), (UInt32(PARE_NEED_DATA), "data"), (UInt32(PARE_NEED_MASK), "masks"),
        ]
        let missing = names.filter { needs & $0.0 != 0 && collected & $0.0 == 0 }.map(\.1)
        let unknown = needs >> 11 != 0
        guard missing.isEmpty, !unknown else {
            throw PareError(
                .unsupported, "the criterion needs what this host does not collect", at: place,
                found: (missing + (unknown ? ["inputs of a newer interface"] : [])).joined(separator: ", "),
                expected: "weights and norm scales")
        }
    }
}
