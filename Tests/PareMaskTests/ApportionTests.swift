import Testing

@testable import PareMask

struct ApportionTests {
    @Test func sharesFollowLargestRemainders() {
        #expect(apportion(total: 10, quotas: [3.5, 3.4, 3.1], capacities: [9, 9, 9]) == [4, 3, 3])
        #expect(apportion(total: 10, quotas: [2.5, 2.5, 2.5, 2.5], capacities: [9, 9, 9, 9]) == [3, 3, 2, 2])
        // Hamilton's apportionment of ten seats to 45, 44 and 11 per cent.
        #expect(apportion(total: 10, quotas: [4.5, 4.4, 1.1], capacities: [10, 10, 10]) == [5, 4, 1])
    }

    @Test func capacitiesAndTotalsAreKept() {
        #expect(apportion(total: 10, quotas: [8, 1, 1], capacities: [3, 9, 9]) == [3, 4, 3])
        #expect(apportion(total: 10, quotas: [1, 1], capacities: [2, 3]) == [2, 3])
        #expect(apportion(total: 3, quotas: [5, 5], capacities: [9, 9]) == [2, 1])
        #expect(apportion(total: 0, quotas: [1.5, 2], capacities: [9, 9]) == [0, 0])
        #expect(apportion(total: 4, quotas: [.nan, -1, .infinity], capacities: [9, 9, 9]) == [2, 1, 1])
        #expect(apportion(total: 5, quotas: [], capacities: []) == [])
        #expect(
            apportion(total: 1 << 40, quotas: [0, 0, 0], capacities: [.max, 5, .max]) == [
                (1 << 39) - 2, 5, (1 << 39) - 3,
            ])
    }

    @Test func sumsAreExactWhereverPossible() {
        for seed in 0..<200 {
            let numbers = draws(12, seed: UInt64(seed))
            let capacities = numbers.prefix(6).map { Int($0 % 50) }
            let quotas = numbers.suffix(6).map { Double($0 % 6000) / 100 }
            let total = Int(numbers[0] % 200)
            let shares = apportion(total: total, quotas: quotas, capacities: capacities)
            #expect(shares.reduce(0, +) == min(total, capacities.reduce(0, +)))
            #expect(zip(shares, capacities).allSatisfy { $0 >= 0 && $0 <= $1 })
        }
    }
}
