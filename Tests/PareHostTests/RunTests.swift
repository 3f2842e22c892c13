import CPare
import PareTensor
import Testing

@testable import PareHost

@Suite struct RunBridgeTests {
    @Test func nothingToTellIsNull() throws {
        let bridge = RunBridge(nil)
        #expect(bridge.pointer == nil && bridge.report(0.5))
        try bridge.begin("x", from: 0, to: 1)
    }

    @Test func progressNeverFalls() throws {
        var seen: [(Double, String)] = []
        let bridge = RunBridge { fraction, text in
            seen.append((fraction, text))
            return true
        }
        let run = try #require(bridge.pointer).pointee
        try bridge.begin("first", from: 0, to: 0.5)
        for fraction in [0.5, 0.25, .nan, -1, 2, -.infinity] { run.progress?(run.user, fraction, "a plugin's own words") }
        #expect(run.keep_going?(run.user) == 1)
        try bridge.begin("second", from: 0.5, to: 1)
        run.progress?(run.user, 0.5, nil)
        run.progress?(nil, 0.9, nil)
        #expect(run.keep_going?(nil) == 1)
        #expect(seen.map(\.0) == seen.map(\.0).sorted() && seen.allSatisfy { (0...1).contains($0.0) })
        #expect(seen.map(\.0) == [0, 0.25, 0.25, 0.25, 0.25, 0.5, 0.5, 0.5, 0.5, 0.75])
        #expect(Set(seen.map(\.1)) == ["first", "second"])
    }

    @Test func aStopIsFinal() throws {
        var calls = 0
        let bridge = RunBridge { fraction, _ in
            calls += 1
            return fraction < 0.5
        }
        let run = try #require(bridge.pointer).pointee
        try bridge.begin("ranking w", from: 0, to: 1)
        #expect(run.keep_going?(run.user) == 1)
        run.progress?(run.user, 0.75, nil)
        let asked = calls
        #expect(run.keep_going?(run.user) == 0 && !bridge.report(1))
        #expect(calls == asked, "who has said stop is not asked again")
        #expect(error { try bridge.check(0) }?.what == "cancelled while ranking w")
        #expect(error { try bridge.begin("masking", from: 0, to: 1) }?.status == .cancelled)
    }

    @Test func oneCallAtATime() throws {
        var inside = 0, most = 0, calls = 0
        let bridge = RunBridge { _, _ in
            inside += 1
            most = max(most, inside)
            calls += 1
            inside -= 1
            return true
        }
        let run = try #require(bridge.pointer).pointee
        Threads(count: 4).parallelFor(400) { index in
            if index % 2 == 0 { run.progress?(run.user, Double(index) / 400, nil) } else { _ = run.keep_going?(run.user) }
        }
        #expect(most == 1 && calls == 400)
    }
}

@Suite struct PoolTests {
    private func pools(_ units: [Int], _ targets: [Double], _ names: [Int32]) -> [(members: [Int], remove: Int)] {
        Context.pools(units, targets, names).map { ($0.members, $0.remove) }
    }

    @Test func poolsRankTogether() {
        let made = pools([100, 50, 10], [0.5, 0.2, 1], [4, 0, 4])
        #expect(made.map(\.members) == [[1], [0, 2]] && made.map(\.remove) == [10, 60])
    }

    @Test func fractionsGoToTheLargestRemainders() {
        // Quotas 1.5, 1.5, 1.5: the whole loses round(4.5) = 5, the lowest pools first.
        #expect(pools([3, 3, 3], [0.5, 0.5, 0.5], [0, 1, 2]).map(\.remove) == [2, 2, 1])
        // Quotas 0.4, 2.6, 1.0.
        #expect(pools([4, 4, 4], [0.1, 0.65, 0.25], [0, 1, 2]).map(\.remove) == [0, 3, 1])
    }

    /// Whatever the allocator says: the sum is right and no pool loses more than it has.
    @Test func countsAddUp() {
        var stream = [Float](repeating: 0, count: 40 * 12)
        RandomStream(seed: 5, stream: 0).uniform(first: 0, count: stream.count, into: &stream)
        for trial in 0..<40 {
            let draw = stream[trial * 12..<(trial + 1) * 12].map(Double.init)
            let units = draw[0..<4].map { Int($0 * 50) }
            let names = draw[8..<12].map { Int32($0 * 3) }
            let made = pools(units, Array(draw[4..<8]), names)
            let wanted = zip(units, draw[4..<8]).reduce(0.0) { $0 + Double($1.0) * $1.1 }
            #expect(made.reduce(0) { $0 + $1.remove } == Int(wanted.rounded()), "\(units) \(draw[4..<8])")
            for pool in made { #expect(pool.remove >= 0 && pool.remove <= pool.members.reduce(0) { $0 + units[$1] }) }
            #expect(made.flatMap(\.members).sorted() == [0, 1, 2, 3])
        }
    }

    @Test func nothingToPrune() {
        #expect(pools([], [], []).isEmpty)
        #expect(pools([0], [1], [3]).map(\.remove) == [0])
    }
}
