import CPare
import PareFormats
import PareMask
import PareTensor

extension Context {
    /// Scores one array by a criterion: one number per unit, in unit order, into `scores` (contiguous float32 or float64).
    public func score(
        criterion id: String, options: [String: String], weight: TensorView, pattern: Pattern, into scores: TensorView,
        progress: Progress? = nil
    ) throws {
        let scorer = try scorer(id, options, weight, pattern, progress)
        let units = scorer.unitCount
        guard scores.dtype == .float32 || scores.dtype == .float64, scores.isContiguous else {
            throw PareError(
                .dtype, "scores must be contiguous float32 or float64", found: "\(scores.dtype.name), strides \(scores.strides)")
        }
        guard scores.count == units else {
            throw PareError(
                .shape, "the score buffer has the wrong length", found: "\(scores.count)",
                expected: "\(units), one per unit of \(pattern.text) in shape \(weight.shape)")
        }
        guard units > 0, let out = scores.base else { return }
        if scorer.isFloat64 == (scores.dtype == .float64) { return try scorer.fillAll(out, threads: threads) }
        let buffer = try OwnedBuffer(count: units * (scorer.isFloat64 ? 8 : 4))
        defer { withExtendedLifetime(buffer) {} }
        try scorer.fillAll(buffer.base, threads: threads)
        let made = TensorView(base: buffer.base, dtype: scorer.isFloat64 ? .float64 : .float32, shape: [units])
        if scores.dtype == .float32 {
            try made.readFloat32(from: 0, count: units, into: out.assumingMemoryBound(to: Float.self))
        } else {
            try made.readFloat64(from: 0, count: units, into: out.assumingMemoryBound(to: Double.self))
        }
    }

    /// Scores one array and keeps its best units, as `pare_select`.
    public func select(
        criterion id: String, options: [String: String], weight: TensorView, pattern: Pattern, sparsity: Double,
        progress: Progress? = nil
    ) throws -> Mask {
        let grid = try UnitGrid(shape: weight.shape, layout: .outFirst, pattern: pattern)
        let scorer = try scorer(id, options, weight, pattern, progress)
        scorer.isFinal = true
        return try selectUnits(scorer, grid, sparsity: sparsity, threads: threads)
    }

    private func scorer(
        _ id: String, _ options: [String: String], _ weight: TensorView, _ pattern: Pattern, _ progress: Progress?
    ) throws -> CriterionScorer {
        guard weight.dtype.isFloat else {
            throw PareError(.dtype, "only floating-point arrays can be scored", found: weight.dtype.name, expected: "f16, f32, f64 or bf16")
        }
        let plugin = try plugin(.criterion, id)
        try plugin.checkUsable(for: pattern)
        guard plugin.needs & UInt32(PARE_NEED_NORM_SCALE) == 0 else {
            throw PareError(
                .unsupported, "the criterion looks at the normalisation after a layer, which an array does not have",
                at: "criterion \"\(id)\"", hint: "prune a model that has a graph")
        }
        let grid = try UnitGrid(shape: weight.shape, layout: .outFirst, pattern: pattern)
        let unit = try grid.unitView(of: weight, for: plugin)
        let tensor = ScoredTensor(
            name: "array", role: Int32(PARE_ROLE_WEIGHT), granularity: pattern.granularity.rawValue, view: unit.view,
            unitAxes: unit.unitAxes, owner: unit.owner)
        let run = RunBridge(progress)
        try run.begin("scoring the array", from: 0, to: 1)
        return try CriterionScorer(tensor, plugin.makeInstance(options, host: host), run: run, whole: WholeScores())
    }
}

extension CriterionScorer {
    /// All scores at once, in parts where the criterion can be asked concurrently.
    func fillAll(_ out: UnsafeMutableRawPointer, threads: Threads) throws {
        guard isSliceable else { return try computeAll(into: out) }
        // Chunks that stay in the second-level cache while they are scored and checked.
        let chunk = 1 << 14
        let part = { (index: Int) throws in
            let first = index * chunk
            try self.compute(
                first: first, count: min(chunk, self.unitCount - first), into: out + first * (self.isFloat64 ? 8 : 4))
        }
        let chunks = (unitCount + chunk - 1) / chunk
        if isConcurrent {
            try threads.tryParallelFor(chunks, part)
        } else {
            for index in 0..<chunks { try part(index) }
        }
    }
}

/// The mask that keeps the best-scored units: exactly units - round(sparsity · units), or the best n of each m.
func selectUnits(_ source: any ScoreSource, _ grid: UnitGrid, sparsity: Double, threads: Threads) throws -> Mask {
    if grid.pattern.granularity == .nm { return try grid.selectNM(scores: source, threads: threads) }
    guard sparsity >= 0, sparsity <= 1 else {
        throw PareError(.argument, "sparsity is out of range", found: "\(sparsity)", expected: "in [0, 1]")
    }
    let remove = Int((sparsity * Double(grid.units)).rounded())
    let selection = try selectSmallest(remove, of: [source], threads: threads)
    return try selection.mask(for: 0, threads: threads).withUnsafeBufferPointer { try grid.expand($0) }
}

/// `pare_mask_select`: the same from scores in memory.
public func selectUnits(_ scores: TensorView, _ grid: UnitGrid, sparsity: Double) throws -> Mask {
    guard scores.dtype.isFloat else {
        throw PareError(.dtype, "scores must be floating point", found: scores.dtype.name, expected: "f32 or f64")
    }
    guard scores.count == grid.units else {
        throw PareError(
            .shape, "wrong number of scores", found: "\(scores.count)",
            expected: "\(grid.units), one per unit of \(grid.pattern.text) in shape \(grid.shape)")
    }
    let one = Threads(count: 1)
    if scores.isContiguous, let base = scores.base, scores.dtype == .float64 {
        let source = BufferScores(float64: base.assumingMemoryBound(to: Double.self), count: grid.units)
        return try selectUnits(source, grid, sparsity: sparsity, threads: one)
    }
    if scores.isContiguous, let base = scores.base, scores.dtype == .float32 {
        let source = BufferScores(float32: base.assumingMemoryBound(to: Float.self), count: grid.units)
        return try selectUnits(source, grid, sparsity: sparsity, threads: one)
    }
    let buffer = try OwnedBuffer(count: grid.units * 4)
    defer { withExtendedLifetime(buffer) {} }
    let values = buffer.base.assumingMemoryBound(to: Float.self)
    try scores.readFloat32(from: 0, count: grid.units, into: values)
    let source = BufferScores(float32: UnsafePointer(values), count: grid.units)
    return try selectUnits(source, grid, sparsity: sparsity, threads: one)
}
