import PareTensor

/// Which units of several tensors are removed: exactly as many as asked for, and the same ones for any number of
/// threads.
///
/// Holds no scores, only the threshold and how many equal to it each part of each source keeps; masks are made by
/// asking the sources once more.
public final class Selection {
    /// Units removed of each source.
    public let removed: [Int]
    /// Largest score removed; nil if nothing is.
    public let threshold: Double?
    private let decide: (Int, Threads) throws -> [UInt64]

    init(removed: [Int], threshold: Double?, decide: @escaping (Int, Threads) throws -> [UInt64]) {
        self.removed = removed
        self.threshold = threshold
        self.decide = decide
    }

    /// Decisions about the units of one source: bit i of word i / 64 is 1 if unit i is kept. One pass over its scores.
    public func mask(for source: Int, threads: Threads) throws -> [UInt64] {
        guard removed.indices.contains(source) else {
            throw PareError(.argument, "no such score source", found: "\(source)", expected: "0 ..< \(removed.count)")
        }
        return try decide(source, threads)
    }
}

/// Chooses the `k` units with the smallest scores over all sources taken together.
///
/// Equal scores are told apart by flat index over the sources in order: the lower index is kept, the higher one removed
/// first. Negative and infinite scores are fine; −0 equals +0. Scores are never held or sorted: a sample brackets the
/// threshold, one pass counts what lies below the bracket and collects what lies inside; where the guess fails, passes
/// with histograms narrow the bracket by a factor of 65 536 each. Typically one pass, at worst six. Memory: one chunk
/// of 65 536 scores per thread and about 0.06 bytes per unit (at most 0.25; twice that for float64).
///
/// - Parameters:
///   - k: 0 … the sum of all unit counts.
///   - progress: called with a fraction that never decreases, by one thread at a time; false cancels.
/// - Throws: `.argument` for an impossible `k` or sources of mixed precision, `.pluginFault` for a NaN score, naming
///   its source and unit, `.cancelled`, and whatever a source throws.
public func selectSmallest(
    _ k: Int, of sources: [any ScoreSource], threads: Threads, progress: ((Double) -> Bool)? = nil
) throws -> Selection {
    guard let total = checkedSum(sources.map(\.unitCount)), k >= 0, k <= total else {
        throw PareError(
            .argument, "cannot remove that many units", found: "\(k)",
            expected: "0 … \(checkedSum(sources.map(\.unitCount)) ?? 0)")
    }
    let isWide = sources.first?.isFloat64 ?? false
    guard sources.allSatisfy({ $0.isFloat64 == isWide || $0.unitCount == 0 }) else {
        throw PareError(
            .argument, "scores of different precision cannot be ranked together", found: "float32 and float64")
    }
    if isWide { return try Selector<Double>(sources, threads, progress).select(k, of: total) }
    return try Selector<Float>(sources, threads, progress).select(k, of: total)
}

private func checkedSum(_ counts: [Int]) -> Int? {
    var sum = 0
    for count in counts {
        let (next, overflow) = sum.addingReportingOverflow(count)
        if overflow || count < 0 { return nil }
        sum = next
    }
    return sum
}
