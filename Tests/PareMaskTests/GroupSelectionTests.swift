import CKernels
import PareTensor
import Testing

@testable import PareMask

@Suite(.serialized) struct GroupSelectionTests {
    /// By definition: among every m inputs at one row and kernel position the n largest stay, the earlier one on ties.
    private func naive(_ scores: [Double], _ grid: UnitGrid) -> [Bool] {
        let (outer, axis, inner) = grid.groupAxes
        var kept = [Bool](repeating: false, count: scores.count)
        for row in 0..<outer {
            for at in 0..<inner {
                for first in stride(from: 0, to: axis, by: grid.pattern.m) {
                    let members = (first..<min(first + grid.pattern.m, axis)).map { (row * axis + $0) * inner + at }
                    let order = members.sorted { scores[$0] == scores[$1] ? $0 < $1 : scores[$0] > scores[$1] }
                    for index in order.prefix(grid.pattern.n) { kept[index] = true }
                }
            }
        }
        return kept
    }

    @Test(arguments: [DType.float32, .bfloat16, .float16, .float64, .int8])
    func weightsAndScoresAgreeWithSorting(dtype: DType) throws {
        let shapes = [
            [32, 64], [3, 128], [5, 24], [7, 10], [2, 16, 3, 3], [4, 20, 1, 1], [64, 32], [3, 130], [0, 8],
        ]
        for (n, m) in [(2, 4), (4, 8), (1, 4), (1, 2), (3, 4), (2, 8), (7, 8), (8, 16), (3, 5), (1, 64)] {
            let pattern = try Pattern.nm(n, m, remainder: .pad)
            for shape in shapes {
                for layout in [WeightLayout.outFirst, .inFirst] {
                    try check(shape, layout, pattern, dtype)
                }
            }
        }
    }

    private func check(_ shape: [Int], _ layout: WeightLayout, _ pattern: Pattern, _ dtype: DType) throws {
        let label = "\(shape) \(layout) \(pattern) \(dtype)"
        let grid = try UnitGrid(shape: shape, layout: layout, pattern: pattern)
        // Few values: many ties, zeros and both signs.
        let values = draws(grid.units, seed: UInt64(grid.units)).map { Double(Int($0 % 13) - 6) }
        let byWeight = try mask(naive(values.map(abs), grid), shape: shape)
        let byScore = try mask(naive(values, grid), shape: shape)
        var bytes = [UInt8](repeating: 0, count: max(1, grid.units * dtype.size))
        try bytes.withUnsafeMutableBytes {
            let view = TensorView(base: $0.baseAddress, dtype: dtype, shape: shape)
            try view.writeFloat64(from: values, first: 0, count: grid.units)
            for baseline in [Int32(0), 1] {
                ck_force_baseline(baseline)
                defer { ck_force_baseline(0) }
                for count in [1, 3] {
                    let threads = Threads(count: count)
                    let made = try grid.selectNM(weights: view, threads: threads)
                    #expect(made == byWeight, "\(label)")
                    #expect(try grid.violations(in: made) == 0, "\(label)")
                    let source = FussySource(
                        values, isFloat64: dtype == .float64, isConcurrent: count == 1,
                        chunkLimit: dtype == .int8 ? 48 : nil)
                    #expect(try grid.selectNM(scores: source, threads: threads) == byScore, "\(label)")
                }
                let removed = try Mask(copying: byWeight)
                removed.invert()
                try checkViolations(removed, grid, label)
            }
        }
    }

    private func checkViolations(_ mask: Mask, _ grid: UnitGrid, _ label: String) throws {
        let (outer, axis, inner) = grid.groupAxes
        var (exact, over) = (0, 0)
        for row in 0..<outer {
            for at in 0..<inner {
                for first in stride(from: 0, to: axis, by: grid.pattern.m) {
                    let members = first..<min(first + grid.pattern.m, axis)
                    let kept = members.filter { mask[(row * axis + $0) * inner + at] }.count
                    exact += kept != min(grid.pattern.n, members.count) ? 1 : 0
                    over += kept > grid.pattern.n ? 1 : 0
                }
            }
        }
        #expect(try grid.violations(in: mask) == exact, "\(label)")
        #expect(try grid.violations(in: mask, exact: false) == over, "\(label)")
    }

    /// Several tasks, and words shared by none of them.
    @Test func largeWeightsDoNotDependOnThreads() throws {
        for shape in [[300, 1000], [100, 37, 3, 3], [1000, 300]] {
            let count = shape.reduce(1, *)
            var values = [Float](repeating: 0, count: count)
            RandomStream(seed: 5, stream: 0).normal(first: 0, count: count, into: &values)
            let grid = try UnitGrid(shape: shape, layout: .outFirst, pattern: .nm(2, 4, remainder: .pad))
            try values.withUnsafeMutableBytes {
                let view = TensorView(base: $0.baseAddress, dtype: .float32, shape: shape)
                let one = try grid.selectNM(weights: view, threads: Threads(count: 1))
                #expect(try grid.violations(in: one) == 0)
                for count in [2, 3, 8] {
                    #expect(try grid.selectNM(weights: view, threads: Threads(count: count)) == one)
                }
            }
        }
    }

    @Test func faultsAreReported() throws {
        let grid = try UnitGrid(shape: [2, 4], layout: .outFirst, pattern: .nm(2, 4))
        let threads = Threads(count: 1)
        let bad = FussySource([1, 2, 3, 4, 5, .nan, 7, 8])
        #expect(throws: PareError.self) { try grid.selectNM(scores: bad, threads: threads) }
        #expect(throws: PareError.self) { try grid.selectNM(scores: FussySource([1]), threads: threads) }
        let rows = try UnitGrid(shape: [2, 4], layout: .outFirst, pattern: .row)
        #expect(throws: PareError.self) { try rows.selectNM(scores: bad, threads: threads) }
    }
}
