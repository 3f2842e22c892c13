import PareTensor
import Testing

@testable import PareMask

/// A source with any of the habits that sources may have; checks that it is asked as it wants.
final class FussySource: ScoreSource {
    let scores: [Double]
    private let narrow: [Float]
    let isFloat64: Bool
    let isConcurrent: Bool
    let chunkLimit: Int?
    var unitCount: Int { scores.count }

    init(_ scores: [Double], isFloat64: Bool = false, isConcurrent: Bool = true, chunkLimit: Int? = nil) {
        self.scores = scores
        narrow = scores.map { Float($0) }
        self.isFloat64 = isFloat64
        self.isConcurrent = isConcurrent
        self.chunkLimit = chunkLimit
    }

    func fill(first: Int, count: Int, into out: UnsafeMutableRawPointer) throws {
        if let chunkLimit {
            guard first % chunkLimit == 0, count == min(chunkLimit, unitCount - first) else {
                throw PareError(.argument, "asked for \(count) from \(first)")
            }
        }
        if isFloat64 {
            scores.withUnsafeBytes {
                UnsafeMutableRawBufferPointer(start: out, count: count * 8).copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: $0[first * 8..<(first + count) * 8]))
            }
        } else {
            narrow.withUnsafeBytes {
                UnsafeMutableRawBufferPointer(start: out, count: count * 4).copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: $0[first * 4..<(first + count) * 4]))
            }
        }
    }
}

/// Sort everything, smallest first, higher index first on ties, and remove the first k.
func naiveKept(_ scores: [[Double]], _ k: Int) -> [[Bool]] {
    let all = scores.flatMap { $0 }
    let order = all.indices.sorted { all[$0] == all[$1] ? $0 > $1 : all[$0] < all[$1] }
    var kept = [Bool](repeating: true, count: all.count)
    for index in order.prefix(k) { kept[index] = false }
    var start = 0
    return scores.map { part in
        defer { start += part.count }
        return Array(kept[start..<start + part.count])
    }
}

enum Spread: CaseIterable {
    case continuous, fewValues, constant, signed, mostlyZero, wide

    func scores(_ count: Int, _ seed: UInt64) -> [Double] {
        draws(count, seed: seed).map {
            let unit = Double(Float($0 >> 40)) * 0x1p-24
            switch self {
            case .continuous: return unit
            case .fewValues: return Double(Int(unit * 7))
            case .constant: return 3
            case .signed:
                return unit < 0.1
                    ? -0.0 : unit < 0.2 ? 0 : unit > 0.95 ? .infinity : unit < 0.25 ? -.infinity : unit - 0.5
            case .mostlyZero: return unit < 0.8 ? 0 : unit
            case .wide: return Double(Float(bitPattern: UInt32(unit * 0x1p24) << 6))
            }
        }
    }
}

struct SelectionTests {
    static let pool = [1, 2, 3, 8].map { Threads(count: $0) }

    private func kept(_ selection: Selection, _ sources: [FussySource], _ threads: Threads) throws -> [[Bool]] {
        try sources.indices.map { index in
            let words = try selection.mask(for: index, threads: threads)
            let bits = (0..<sources[index].unitCount).map { words[$0 / 64] >> UInt64($0 % 64) & 1 == 1 }
            #expect(words.reduce(0) { $0 + $1.nonzeroBitCount } == bits.filter { $0 }.count, "bits past the end")
            #expect(bits.filter { !$0 }.count == selection.removed[index])
            return bits
        }
    }

    @Test(arguments: Spread.allCases, [false, true]) func smallPoolsAgreeWithSorting(spread: Spread, wide: Bool) throws {
        let scores = [spread.scores(100, 1), [], spread.scores(1, 2), spread.scores(333, 3)]
        let sources = scores.enumerated().map {
            FussySource($1, isFloat64: wide, isConcurrent: $0 != 3, chunkLimit: $0 == 0 ? 64 : $0 == 3 ? 50 : nil)
        }
        for k in [0, 1, 2, 217, 400, 433, 434] {
            let expected = naiveKept(scores, k)
            for threads in SelectionTests.pool {
                let selection = try selectSmallest(k, of: sources, threads: threads)
                #expect(try kept(selection, sources, threads) == expected, "k \(k), \(threads.count) threads")
            }
        }
    }

    /// A tiny list limit makes samples, missed brackets, histograms and several tasks happen on moderate sizes.
    @Test(arguments: Spread.allCases, [false, true]) func largePoolsAgreeWithSorting(spread: Spread, wide: Bool) throws {
        let scores = [spread.scores(70_001, 4), spread.scores(5_000, 5)]
        let ks = [1, 40_000, 75_000]
        let expected = ks.map { naiveKept(scores, $0) }
        for habit in 0..<3 {
            let sources = scores.map {
                FussySource($0, isFloat64: wide, isConcurrent: habit != 2, chunkLimit: habit == 1 ? $0.count : nil)
            }
            for (k, expected) in zip(ks, expected) {
                for threads in [SelectionTests.pool[0], SelectionTests.pool[2]] {
                    let selection =
                        wide
                        ? try Selector<Double>(sources, threads, nil, listLimit: 100).select(k, of: 75_001)
                        : try Selector<Float>(sources, threads, nil, listLimit: 100).select(k, of: 75_001)
                    #expect(try kept(selection, sources, threads) == expected, "k \(k), habit \(habit)")
                }
            }
        }
    }

    /// Order in the data makes samples unrepresentative; a guess may be arbitrarily wrong.
    @Test func sortedScoresAreFineToo() throws {
        let scores = [(0..<60_000).map { Double($0 % 20_000) }, (0..<40_000).map { Double(-$0) }]
        let sources = scores.map { FussySource($0) }
        for k in [10, 40_000, 40_001, 99_990] {
            let selection = try Selector<Float>(sources, SelectionTests.pool[1], nil, listLimit: 10).select(
                k, of: 100_000)
            #expect(try kept(selection, sources, SelectionTests.pool[1]) == naiveKept(scores, k))
        }
    }

    @Test func unwrittenScoresAreNamed() throws {
        let good = FussySource([1, 2, 3])
        let bad = FussySource([1, .nan, 3, .nan])
        for threads in SelectionTests.pool {
            let error = #expect(throws: PareError.self) {
                try selectSmallest(2, of: [good, bad], threads: threads)
            }
            #expect(error?.status == .pluginFault)
            #expect(error?.location == "source 1, unit 1")
        }
    }

    @Test func requestsAreChecked() {
        let source = FussySource([1, 2, 3])
        let wide = FussySource([1], isFloat64: true)
        let threads = SelectionTests.pool[0]
        for k in [-1, 4] { #expect(throws: PareError.self) { try selectSmallest(k, of: [source], threads: threads) } }
        #expect(throws: PareError.self) { try selectSmallest(1, of: [source, wide], threads: threads) }
        #expect(throws: PareError.self) {
            try selectSmallest(1, of: [source], threads: threads).mask(for: 1, threads: threads)
        }
        let cancelled = #expect(throws: PareError.self) {
            try selectSmallest(1, of: [source], threads: threads, progress: { _ in false })
        }
        #expect(cancelled?.status == .cancelled)
    }

    @Test func progressNeverGoesBack() throws {
        let source = FussySource(Spread.continuous.scores(100_000, 8), chunkLimit: 640)
        var last = -1.0
        nonisolated(unsafe) var fractions: [Double] = []
        _ = try Selector<Float>(
            [source], SelectionTests.pool[2],
            {
                fractions.append($0)
                return true
            }, listLimit: 10
        )
        .select(500, of: 100_000)
        for fraction in fractions {
            #expect(fraction >= last && fraction >= 0 && fraction <= 1)
            last = fraction
        }
        #expect(fractions.count > 1)
    }

    @Test func thresholdIsTheLargestScoreRemoved() throws {
        let threads = SelectionTests.pool[0]
        #expect(try selectSmallest(2, of: [FussySource([4, -2, 0.5, 9])], threads: threads).threshold == 0.5)
        #expect(
            try selectSmallest(1, of: [FussySource([4, -2, 0.5], isFloat64: true)], threads: threads).threshold == -2)
        #expect(try selectSmallest(0, of: [], threads: threads).removed == [])
    }
}
