import PareTensor

extension Selector {
    /// Scores made from 16-bit weights have keys that are multiples of 65 536, so a narrow bracket holds a handful of them: one pass
    /// that counts each settles the rank, and nothing is collected. nil if the keys turn out otherwise or the bracket missed.
    func countCoarse(_ k: Int, _ guess: ClosedRange<Key>) throws -> Selection? {
        let step = Key(1) << 16
        guard isCoarse, MemoryLayout<Key>.size == 4 else { return nil }
        let low = guess.lowerBound & ~(step - 1)
        let high = guess.upperBound | (step - 1)
        let bins = Int(truncatingIfNeeded: (Int64(high) - Int64(low)) >> 16) + 1
        guard bins <= 256 else { return nil }
        let tasks = scan.tasks.count
        let counts = UnsafeMutablePointer<Int>.allocate(capacity: tasks * (bins + 1))
        counts.initialize(repeating: 0, count: tasks * (bins + 1))
        let tallies = UnsafeMutablePointer<(tally: Tally, rest: Key)>.allocate(capacity: tasks)
        tallies.initialize(repeating: (Tally(), 0), count: tasks)
        defer {
            counts.deallocate()
            tallies.deallocate()
        }
        let scan = scan
        try runPass { task, scores, _, count in
            try scan.withScratch(bytes: count * MemoryLayout<Key>.stride) { scratch in
                let keys = scratch.assumingMemoryBound(to: Key.self)
                let found = S.tally(scores, count, low...high, keys, count, &tallies[task].tally)
                if tallies[task].tally.nan > 0 { return }
                let mine = counts + task * (bins + 1)
                var rest: Key = 0
                for index in 0..<found {
                    let distance = keys[index] &- low
                    rest |= distance & (step - 1)
                    mine[Int(truncatingIfNeeded: distance >> 16)] += 1
                }
                tallies[task].rest |= rest
            }
        }
        // Anything unusual is left to the general passes, which also name the place of a NaN.
        guard (0..<tasks).allSatisfy({ tallies[$0].rest == 0 && tallies[$0].tally.nan == 0 }) else { return nil }
        var below = (0..<tasks).reduce(0) { $0 + Int(tallies[$1].tally.below) }
        for bin in 0..<bins where below < k {
            let here = (0..<tasks).reduce(0) { $0 + counts[$1 * (bins + 1) + bin] }
            if below + here >= k {
                let smaller = (0..<tasks).map { task in
                    (0..<bin).reduce(Int(tallies[task].tally.below)) { $0 + counts[task * (bins + 1) + $1] }
                }
                let equal = (0..<tasks).map { counts[$0 * (bins + 1) + bin] }
                return decide(k, low + Key(bin) << 16, smaller, equal)
            }
            below += here
        }
        return nil
    }
}
