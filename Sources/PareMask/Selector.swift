import CKernels
@preconcurrency import Glibc
import PareTensor

/// Finds the key of the k-th smallest score and how many of those equal to it are kept where.
final class Selector<S: Score> {
    typealias Key = S.Key

    /// What one pass learnt: per task how many keys lie below the bracket, and the keys inside it (or only their
    /// number).
    private struct Pass {
        var below: [Int]
        var inside: [Int]
        var lists: [[Key]]
        var isComplete = true
    }

    /// Keys up to this many are collected rather than counted in bins.
    private let listLimit: Int
    static var bins: Int { 1 << 16 }
    static var everything: ClosedRange<Key> { S.key(-.infinity)...S.key(.infinity) }

    let scan: ScoreScan<S>
    let threads: Threads
    private let progress: ((Double) -> Bool)?
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private var passes = 0
    /// All sampled keys were multiples of 65 536.
    var isCoarse = false
    private var done = 0

    init(
        _ sources: [any ScoreSource], _ threads: Threads, _ progress: ((Double) -> Bool)?, listLimit: Int = 1 << 20
    ) {
        scan = ScoreScan(sources)
        self.listLimit = listLimit
        self.threads = threads
        self.progress = progress
        pthread_mutex_init(lock, nil)
    }

    deinit {
        pthread_mutex_destroy(lock)
        lock.deallocate()
    }

    func select(_ k: Int, of total: Int) throws -> Selection {
        if k == 0 || k == total { return trivial(keepAll: k == 0) }
        let rank = k - 1
        var bracket = Selector.everything
        var below = 0
        var inside = total
        var guess = try total > listLimit ? sampledBracket(rank, of: total) : nil
        while true {
            if let tried = guess {
                guess = nil
                if let selection = try countCoarse(k, tried) { return selection }
                let pass = try collect(tried, limit: 16)
                let under = pass.below.reduce(0, +)
                let within = pass.inside.reduce(0, +)
                if rank < under {
                    bracket = bracket.lowerBound...(tried.lowerBound - 1)
                    inside = under
                } else if rank >= under + within {
                    bracket = (tried.upperBound + 1)...bracket.upperBound
                    below = under + within
                    inside = total - below
                } else if pass.isComplete {
                    return finish(k, tried, pass)
                } else {
                    bracket = tried
                    below = under
                    inside = within
                }
            } else if bracket.lowerBound == bracket.upperBound || inside <= max(listLimit, total / 32) {
                return finish(k, bracket, try collect(bracket, limit: 1))
            } else {
                (bracket, below, inside) = try narrow(bracket, below, rank)
            }
        }
    }

    private func trivial(keepAll: Bool) -> Selection {
        let counts = scan.sources.map(\.unitCount)
        return Selection(removed: counts.map { keepAll ? 0 : $0 }, threshold: keepAll ? nil : .infinity) { source, _ in
            var words = [UInt64](repeating: 0, count: ceiling(counts[source], 64))
            if keepAll { ck_set_range(&words, 0, counts[source]) }
            return words
        }
    }

    // MARK: Passes over all scores

    /// One pass that collects the keys inside the bracket, up to a `limit`-th of each task's units.
    private func collect(_ bracket: ClosedRange<Key>, limit: Int) throws -> Pass {
        let count = scan.tasks.count
        var pass = Pass(
            below: .init(repeating: 0, count: count), inside: .init(repeating: 0, count: count),
            lists: .init(repeating: [], count: count))
        let isSingle = bracket.lowerBound == bracket.upperBound
        let scan = scan
        let results = UnsafeMutablePointer<(tally: Tally, list: [Key])>.allocate(capacity: max(count, 1))
        results.initialize(repeating: (Tally(), []), count: count)
        defer {
            results.deinitialize(count: count)
            results.deallocate()
        }
        try runPass { task, scores, first, count in
            try scan.withScratch(bytes: count * MemoryLayout<Key>.stride) { scratch in
                let list = isSingle ? nil : scratch.assumingMemoryBound(to: Key.self)
                let room = scan.tasks[task].count / limit - results[task].list.count
                let found = S.tally(scores, count, bracket, list, max(0, min(room, count)), &results[task].tally)
                if results[task].tally.nan > 0 { throw scan.fault(task, scores, first, count) }
                results[task].list.append(contentsOf: UnsafeBufferPointer(start: list, count: found))
            }
        }
        for task in 0..<count {
            pass.below[task] = Int(results[task].tally.below)
            pass.inside[task] = Int(results[task].tally.inside)
            pass.lists[task] = results[task].list
            if !isSingle, pass.lists[task].count < pass.inside[task] { pass.isComplete = false }
        }
        return pass
    }

    /// One pass that narrows a bracket known to hold the rank to one of 65 536 bins.
    private func narrow(
        _ bracket: ClosedRange<Key>, _ below: Int, _ rank: Int
    ) throws -> (ClosedRange<Key>, Int, Int) {
        let shift = Selector.shift(bracket)
        let totals = UnsafeMutablePointer<UInt64>.allocate(capacity: Selector.bins)
        totals.initialize(repeating: 0, count: Selector.bins)
        defer { totals.deallocate() }
        let (scan, lock) = (scan, lock)
        // Sums of whole numbers do not depend on the order in which tasks end.
        try runPass { task, scores, first, count in
            try scan.withScratch(bytes: Selector.bins * 8) { scratch in
                let bins = scratch.assumingMemoryBound(to: UInt64.self)
                bins.update(repeating: 0, count: Selector.bins)
                var tally = Tally()
                S.histogram(scores, count, bracket, shift, bins, &tally)
                if tally.nan > 0 { throw scan.fault(task, scores, first, count) }
                pthread_mutex_lock(lock)
                for bin in 0..<Selector.bins { totals[bin] += bins[bin] }
                pthread_mutex_unlock(lock)
            }
        }
        return Selector.bin(of: rank - below, in: totals, bracket, shift, below)
    }

    func runPass(_ body: (Int, UnsafePointer<S>, Int, Int) throws -> Void) throws {
        done = 0
        try scan.run(Array(scan.tasks.indices), threads, before: { step() }, body)
        passes += 1
    }

    /// Progress approaches 1 by halves, for nobody knows how many passes there will be.
    private func step() -> Bool {
        guard let progress else { return true }
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        let part = Double(done) / Double(max(scan.tasks.count, 1))
        done += 1
        return progress(1 - (1 - part / 2) / Double(1 << passes))
    }

    // MARK: Result

    private func finish(_ k: Int, _ bracket: ClosedRange<Key>, _ pass: Pass) -> Selection {
        let below = pass.below.reduce(0, +)
        let threshold = Selector.key(of: k - 1 - below, among: pass.lists, in: bracket)
        let isSingle = bracket.lowerBound == bracket.upperBound
        var smaller = pass.below
        var equal = pass.inside
        if !isSingle {
            for task in pass.lists.indices {
                var (under, same) = (0, 0)
                for key in pass.lists[task] {
                    under += key < threshold ? 1 : 0
                    same += key == threshold ? 1 : 0
                }
                smaller[task] += under
                equal[task] = same
            }
        }
        return decide(k, threshold, smaller, equal)
    }

    /// The selection once it is known how many keys of each task are smaller than the threshold, and how many equal it.
    func decide(_ k: Int, _ threshold: Key, _ smaller: [Int], _ equal: [Int]) -> Selection {
        // The lowest indices among the equal ones are kept.
        var tiesToKeep = equal.reduce(0, +) - (k - smaller.reduce(0, +))
        var removed = [Int](repeating: 0, count: scan.sources.count)
        var keptTies = equal
        for task in equal.indices {
            keptTies[task] = min(equal[task], tiesToKeep)
            tiesToKeep -= keptTies[task]
            removed[scan.tasks[task].source] += smaller[task] + equal[task] - keptTies[task]
        }
        let decision = Decision<S>(scan: scan, threshold: threshold, equal: equal, keptTies: keptTies)
        return Selection(removed: removed, threshold: Selector.score(threshold)) { try decision.words(for: $0, $1) }
    }

    /// The score behind a key.
    private static func score(_ key: Key) -> Double {
        if MemoryLayout<Key>.size == 8 {
            let bits = Int64(truncatingIfNeeded: key)
            return Double(bitPattern: UInt64(bitPattern: bits < 0 ? bits ^ Int64.max : bits))
        }
        let bits = Int32(truncatingIfNeeded: key)
        return Double(Float(bitPattern: UInt32(bitPattern: bits < 0 ? bits ^ Int32.max : bits)))
    }
}

/// A threshold turned into bits, source by source.
struct Decision<S: Score> {
    let scan: ScoreScan<S>
    let threshold: S.Key
    /// Per task, units that equal the threshold, and how many of them, the first ones, are kept.
    let equal: [Int]
    let keptTies: [Int]

    func words(for source: Int, _ threads: Threads) throws -> [UInt64] {
        let units = scan.sources[source].unitCount
        var words = [UInt64](repeating: 0, count: ceiling(units, 64))
        try words.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            let chosen = scan.tasks.indices.filter { scan.tasks[$0].source == source }
            let open = UnsafeMutablePointer<Int>.allocate(capacity: scan.tasks.count)
            defer { open.deallocate() }
            for task in chosen { open[task] = keptTies[task] }
            try scan.run(chosen, threads, before: { true }) { task, scores, first, count in
                if first % 64 == 0 {
                    keep(task, scores, count, &open[task], base + first / 64)
                } else {
                    var part = [UInt64](repeating: 0, count: ceiling(count, 64))
                    keep(task, scores, count, &open[task], &part)
                    ck_or_range(base, first, part, count)
                }
            }
        }
        return words
    }

    private func keep(
        _ task: Int, _ scores: UnsafePointer<S>, _ count: Int, _ open: inout Int,
        _ words: UnsafeMutablePointer<UInt64>
    ) {
        let keepsAll = keptTies[task] == equal[task] && equal[task] > 0
        let ties = S.keep(scores, count, above: threshold, ties: keepsAll, words)
        guard !keepsAll, open > 0, ties > 0 else { return }
        S.keepTies(scores, count, at: threshold, first: open, words)
        open -= min(open, ties)
    }
}
