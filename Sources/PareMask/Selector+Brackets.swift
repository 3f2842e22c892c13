import CKernels
import PareTensor

/// Narrowing the keys that can hold the rank.
extension Selector {
    static func shift(_ bracket: ClosedRange<Key>) -> Int {
        let width = UInt64(Key.Magnitude(truncatingIfNeeded: bracket.upperBound &- bracket.lowerBound))
        return max(0, 64 - width.leadingZeroBitCount - bins.trailingZeroBitCount)
    }

    /// The bin that holds a rank (counted from the bracket's start) as a bracket, what lies below it, and its own
    /// count.
    static func bin(
        of rank: Int, in counts: UnsafePointer<UInt64>, _ bracket: ClosedRange<Key>, _ shift: Int, _ below: Int
    ) -> (ClosedRange<Key>, Int, Int) {
        var before = 0
        var bin = 0
        while bin < bins - 1, before + Int(counts[bin]) <= rank {
            before += Int(counts[bin])
            bin += 1
        }
        let low = bracket.lowerBound &+ Key(truncatingIfNeeded: UInt64(bin) << UInt64(shift))
        let last = low.addingReportingOverflow(Key(truncatingIfNeeded: (UInt64(1) << UInt64(shift)) - 1))
        let high = last.overflow ? bracket.upperBound : min(last.partialValue, bracket.upperBound)
        return (low...high, below + before, Int(counts[bin]))
    }

    /// The key of a rank among keys in memory, all inside the bracket.
    static func key(of rank: Int, among lists: [[Key]], in bracket: ClosedRange<Key>) -> Key {
        var bracket = bracket
        var below = 0
        var counts = [UInt64](repeating: 0, count: bins)
        while bracket.lowerBound < bracket.upperBound {
            let shift = shift(bracket)
            counts.withUnsafeMutableBufferPointer { buffer in
                guard let base = buffer.baseAddress else { return }
                buffer.update(repeating: 0)
                for list in lists {
                    list.withUnsafeBufferPointer {
                        guard let keys = $0.baseAddress else { return }
                        S.histogram(keys: keys, $0.count, bracket, shift, base)
                    }
                }
                (bracket, below, _) = bin(of: rank - below, in: base, bracket, shift, below)
            }
        }
        return bracket.lowerBound
    }

    /// A narrow bracket that very probably holds the rank, from 512 neighbours at each of up to 2048 places: asking costs more
    /// than scoring, so places are few. Neighbours resemble each other, so eight of them are taken for one. nil where sources
    /// cannot be asked for a few units.
    func sampledBracket(_ rank: Int, of total: Int) throws -> ClosedRange<Key>? {
        guard scan.sources.allSatisfy({ $0.chunkLimit == nil && $0.isConcurrent }) else { return nil }
        let run = 512
        let places = min(2048, total / (run * 256))
        guard places > 0 else { return nil }
        let memory = UnsafeMutableRawPointer.allocate(byteCount: places * run * MemoryLayout<S>.stride, alignment: 64)
        defer { memory.deallocate() }
        let samples = memory.bindMemory(to: S.self, capacity: places * run)
        samples.initialize(repeating: .nan, count: places * run)
        var starts = [0]
        for source in scan.sources { starts.append(starts[starts.count - 1] + source.unitCount) }
        let sources = scan.sources
        try threads.tryParallelFor(places) { place in
            // Evenly spread with a jitter, so that no period of the data is hit again and again.
            let spacing = total / places
            let jitter = Int(truncatingIfNeeded: UInt64(place) &* 0x9e37_79b9_7f4a_7c15 >> 33) % max(1, spacing - run)
            let position = place * spacing + jitter
            var low = 0
            var high = sources.count
            while high - low > 1 {
                let middle = (low + high) / 2
                if starts[middle] <= position { low = middle } else { high = middle }
            }
            let first = position - starts[low]
            let count = min(run, sources[low].unitCount - first)
            try sources[low].fill(first: first, count: count, into: samples + place * run)
        }
        let keys = (0..<places * run).compactMap { samples[$0].isNaN ? nil : S.key(samples[$0]) }
        guard !keys.isEmpty else { return nil }
        isCoarse = keys.reduce(0) { $0 | $1 } & 0xFFFF == 0
        let center = (Double(rank) + 0.5) / Double(total) * Double(keys.count)
        let spread = 3 * (8 * center * (1 - center / Double(keys.count))).squareRoot() + 8
        let low = Int(center - spread)
        let high = Int(center + spread)
        let all = Selector.everything
        let lower = low <= 0 ? all.lowerBound : Selector.key(of: low, among: [keys], in: all)
        let upper = high >= keys.count ? all.upperBound : Selector.key(of: high, among: [keys], in: all)
        return lower...max(lower, upper)
    }
}
