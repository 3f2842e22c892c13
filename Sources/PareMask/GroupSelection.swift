import CKernels
import PareTensor

/// N:M selection: the n largest of every m along the input dimension are kept, the lower index on ties.
extension UnitGrid {
    /// By |weight|. float32, float16, bfloat16 and float64 weights that lie contiguous are read in place.
    /// - Throws: `.argument` for another pattern, `.shape` for a view of another shape. NaN counts as the largest.
    public func selectNM(weights: TensorView, threads: Threads) throws -> Mask {
        try checkGroups()
        try weights.validate()
        guard weights.shape == shape else {
            throw PareError(
                .shape, "view does not have the weight's shape", found: "\(weights.shape)", expected: "\(shape)")
        }
        let kinds: [DType: Int32] = [
            .float32: CK_NM_ABS32, .float16: CK_NM_ABS16, .bfloat16: CK_NM_ABS16, .float64: CK_NM_ABS64,
        ]
        guard weights.isContiguous, let kind = kinds[weights.dtype], let base = weights.base else {
            return try selectNM(scores: MagnitudeScores(weights), threads: threads)
        }
        let mask = try Mask(zeros: shape)
        let work = GroupWork(self)
        threads.parallelFor(work.tasks) { task in
            let (first, count) = work.range(task)
            work.select(kind, base + first * weights.dtype.size, first, count, mask)
        }
        return mask
    }

    /// By scores, one per element in stored order.
    /// - Throws: also `.pluginFault` for a NaN score, and what the source throws.
    public func selectNM(scores: any ScoreSource, threads: Threads) throws -> Mask {
        try checkGroups()
        guard scores.unitCount == units else {
            throw PareError(
                .shape, "wrong number of scores", found: "\(scores.unitCount)", expected: "\(units), one per element")
        }
        return try scores.isFloat64
            ? selectNM(Double.self, CK_NM_SCORE64, scores, threads)
            : selectNM(Float.self, CK_NM_SCORE32, scores, threads)
    }

    private func selectNM<S: Score>(
        _ type: S.Type, _ kind: Int32, _ source: any ScoreSource, _ threads: Threads
    ) throws -> Mask {
        let mask = try Mask(zeros: shape)
        let work = GroupWork(self)
        let scan = ScoreScan<S>([source])
        let size = MemoryLayout<S>.stride
        if let limit = source.chunkLimit, limit > 0 {
            // The source's ranges need not end where groups do: hold all its scores.
            try scan.withScratch(bytes: units * size) { scratch in
                for first in stride(from: 0, to: units, by: limit) {
                    try fill(scan, first, min(limit, units - first), scratch + first * size)
                }
                threads.parallelFor(work.tasks) { task in
                    let (first, count) = work.range(task)
                    work.select(kind, scratch + first * size, first, count, mask)
                }
            }
            return mask
        }
        let body = { (task: Int) throws in
            let (first, count) = work.range(task)
            try scan.withScratch(bytes: count * size) { scratch in
                try fill(scan, first, count, scratch)
                work.select(kind, scratch, first, count, mask)
            }
        }
        if source.isConcurrent {
            try threads.tryParallelFor(work.tasks, body)
        } else {
            for task in 0..<work.tasks { try body(task) }
        }
        return mask
    }

    private func fill<S: Score>(
        _ scan: ScoreScan<S>, _ first: Int, _ count: Int, _ out: UnsafeMutableRawPointer
    ) throws {
        let scores = out.assumingMemoryBound(to: S.self)
        scores.update(repeating: .nan, count: count)
        try scan.sources[0].fill(first: first, count: count, into: out)
        var tally = Tally()
        _ = S.tally(scores, count, S.key(-.infinity)...S.key(.infinity), nil, 0, &tally)
        if tally.nan > 0 { throw scan.fault(0, scores, first, count) }
    }

    private func checkGroups() throws {
        guard pattern.granularity == .nm else {
            throw PareError(.argument, "not an N:M pattern", found: pattern.text)
        }
    }
}

/// N:M groups of a weight cut into tasks that write whole words of the mask.
private struct GroupWork {
    let n: Int
    let m: Int
    /// Elements that belong together: groups side by side, or a whole row where m does not divide it.
    let axis: Int
    let inner: Int
    let units: Int
    private let step: Int

    init(_ grid: UnitGrid) {
        let (_, axis, inner) = grid.groupAxes
        n = grid.pattern.n
        m = grid.pattern.m
        self.axis = axis % m == 0 ? m : axis
        self.inner = inner
        units = grid.units
        let block = max(1, self.axis * inner)
        let aligned = block << max(0, 6 - block.trailingZeroBitCount)
        step = aligned * max(1, (1 << 16) / aligned)
    }

    var tasks: Int { ceiling(units, step) }

    func range(_ task: Int) -> (first: Int, count: Int) { (task * step, min(step, units - task * step)) }

    func select(_ kind: Int32, _ data: UnsafeRawPointer, _ first: Int, _ count: Int, _ mask: Mask) {
        ck_nm(kind, data, count / (axis * inner), axis, inner, n, m, mask.words, first)
    }
}
