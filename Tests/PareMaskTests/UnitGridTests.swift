import PareTensor
import Testing

@testable import PareMask

let weightShapes = [
    [12, 8], [8, 12], [7, 5], [4, 6, 3, 3], [6, 4, 2, 2], [5, 1, 3, 3], [4, 8, 1, 1], [1, 1], [9], [], [0, 4],
    [4, 0, 3], [3, 4, 5],
]
let unitPatterns = [
    "element", "row", "column", "channel", "block:4x1", "block:1x4", "block:2x2", "block:3x6", "block:2x9", "block:1x1",
]

/// The definition, element by element: which unit holds stored element (a, b, k).
func naiveUnits(_ shape: [Int], _ layout: WeightLayout, _ pattern: Pattern) -> [Int] {
    let first = shape.first ?? 1
    let second = shape.count > 1 ? shape[1] : 1
    let kernel = shape.dropFirst(2).reduce(1, *)
    let inFirst = layout == .inFirst && shape.count > 1
    let columns = (inFirst ? first : second) * kernel
    var units: [Int] = []
    for a in 0..<first {
        for b in 0..<second {
            for k in 0..<kernel {
                let (row, input) = inFirst ? (b, a) : (a, b)
                let column = input * kernel + k
                switch pattern.granularity {
                case .element, .nm: units.append(units.count)
                case .row: units.append(row)
                case .column: units.append(column)
                case .channel: units.append(input)
                case .block:
                    let across = (columns + pattern.blockCols - 1) / pattern.blockCols
                    units.append(row / pattern.blockRows * across + column / pattern.blockCols)
                }
            }
        }
    }
    return units
}

struct UnitGridTests {
    @Test(arguments: [WeightLayout.outFirst, .inFirst]) func viewsAndMasksFollowTheDefinition(layout: WeightLayout)
        throws
    {
        for shape in weightShapes {
            for text in unitPatterns {
                var pattern = try Pattern.parse(text).pattern
                pattern.remainder = .pad
                try check(shape, layout, pattern)
            }
        }
    }

    private func check(_ shape: [Int], _ layout: WeightLayout, _ pattern: Pattern) throws {
        let label = "\(shape) \(layout) \(pattern)"
        let grid = try UnitGrid(shape: shape, layout: layout, pattern: pattern)
        let expected = naiveUnits(shape, layout, pattern)
        let count = expected.count
        #expect(expected.allSatisfy { $0 < grid.units }, "\(label)")
        if count > 0 { #expect(Set(expected).count == grid.units, "\(label)") }

        // Element i holds i + 1, so that padding is told apart.
        var values = (0..<max(count, 1)).map { Float($0 + 1) }
        try values.withUnsafeMutableBytes {
            let view = try grid.view(of: TensorView(base: $0.baseAddress, dtype: .float32, shape: shape))
            #expect(view.units == grid.units, "\(label)")
            let size = grid.units == 0 ? 0 : view.view.count / grid.units
            var read = [Float](repeating: .nan, count: view.view.count)
            try view.view.readFloat32(from: 0, count: read.count, into: &read)
            var members = [[Int]](repeating: [], count: grid.units)
            for (element, unit) in expected.enumerated() { members[unit].append(element) }
            for unit in 0..<(count == 0 ? 0 : grid.units) {
                let found = read[unit * size..<(unit + 1) * size].filter { $0 != 0 }.map { Int($0) - 1 }
                #expect(found.sorted() == members[unit], "\(label) unit \(unit)")
            }
        }

        let bits = draws((grid.units + 63) / 64, seed: UInt64(count + 1))
        let kept = expected.map { bits[$0 / 64] >> UInt64($0 % 64) & 1 == 1 }
        let expanded = try bits.withUnsafeBufferPointer { try grid.expand($0) }
        try expanded._checkInvariants()
        #expect(try expanded == mask(kept, shape: shape), "\(label)")
        #expect(try grid.violations(in: expanded) == 0, "\(label)")
        guard pattern.granularity != .element, count > 0 else { return }
        #expect(try grid.coarsen(expanded, keepAny: true) == expanded)
        #expect(try grid.coarsen(expanded, keepAny: false) == expanded)
        try checkBroken(grid, expected, count, label)
    }

    /// Units that are kept in part.
    private func checkBroken(_ grid: UnitGrid, _ units: [Int], _ count: Int, _ label: String) throws {
        let kept = draws(count, seed: 5).map { $0 % 4 != 0 }
        let broken = try mask(kept, shape: grid.shape)
        var (ones, total) = ([Int](repeating: 0, count: grid.units), [Int](repeating: 0, count: grid.units))
        for (element, unit) in units.enumerated() {
            total[unit] += 1
            ones[unit] += kept[element] ? 1 : 0
        }
        let bad = (0..<grid.units).filter { ones[$0] != 0 && ones[$0] != total[$0] }.count
        #expect(try grid.violations(in: broken) == bad, "\(label)")
        #expect(
            try grid.coarsen(broken, keepAny: true) == mask(units.map { ones[$0] > 0 }, shape: grid.shape), "\(label)")
        #expect(
            try grid.coarsen(broken, keepAny: false) == mask(units.map { ones[$0] == total[$0] }, shape: grid.shape),
            "\(label)")
    }

    @Test func remaindersAreRefusedOrSkipped() throws {
        for text in ["2:4", "block:4x1", "block:1x4"] {
            var pattern = try Pattern.parse(text).pattern
            let error = #expect(throws: PareError.self) {
                try UnitGrid(shape: [7, 5], layout: .outFirst, pattern: pattern)
            }
            #expect(error?.status == .shape)
            #expect(error?.what.contains("[7, 5]") == true)
            pattern.remainder = .skip
            #expect(try UnitGrid(shape: [7, 5], layout: .outFirst, pattern: pattern).skipNote?.contains(text) == true)
            #expect(try UnitGrid(shape: [8, 8], layout: .outFirst, pattern: pattern).skipNote == nil)
        }
    }

    @Test func blocksAreViewsWhereStridesAllow() throws {
        var values = [Float](repeating: 1, count: 6 * 4 * 3 * 3)
        try values.withUnsafeMutableBytes {
            let base = $0.baseAddress
            func owner(_ shape: [Int], _ layout: WeightLayout, _ rows: Int, _ cols: Int) throws -> AnyObject? {
                try UnitGrid(shape: shape, layout: layout, pattern: .block(rows, cols))
                    .view(of: TensorView(base: base, dtype: .float32, shape: shape)).owner
            }
            try #expect(owner([12, 18], .outFirst, 4, 1) == nil)
            try #expect(owner([6, 4, 3, 3], .outFirst, 2, 6) == nil)
            try #expect(owner([12, 18], .inFirst, 6, 4) == nil)
            try #expect(owner([6, 4, 3, 3], .inFirst, 2, 9) == nil)
            try #expect(owner([6, 4, 3, 3], .inFirst, 2, 18) == nil)
            try #expect(owner([6, 4, 3, 3], .inFirst, 2, 6) != nil)
        }
    }

    @Test func stepsCutTheFirstAxis() throws {
        var values = (0..<96).map(Float.init)
        try values.withUnsafeMutableBytes {
            let grid = try UnitGrid(shape: [12, 8], layout: .outFirst, pattern: .block(4, 2))
            let view = try grid.view(of: TensorView(base: $0.baseAddress, dtype: .float32, shape: [12, 8]))
            #expect(view.unitsPerStep == 4)
            let part = try #require(view.steps(first: 1, count: 2))
            var all = [Float](repeating: 0, count: 96)
            var some = [Float](repeating: 0, count: 64)
            try view.view.readFloat32(from: 0, count: 96, into: &all)
            try part.view.readFloat32(from: 0, count: 64, into: &some)
            #expect(some == Array(all[32...]))
            #expect(view.steps(first: 2, count: 2) == nil)
        }
    }
}
