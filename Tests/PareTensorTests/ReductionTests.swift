import Testing

@testable import PareTensor

@Suite(.serialized) struct ReductionTests {
    static func naive(_ values: [Double], _ reduction: Reduction) -> Double {
        switch reduction {
        case .l1: values.reduce(0) { $0 + abs($1) }
        case .l2: values.reduce(0) { $0 + $1 * $1 }.squareRoot()
        case .max: values.reduce(0) { max($0, abs($1)) }
        case .sum: values.reduce(0, +)
        case .squares: values.reduce(0) { $0 + $1 * $1 }
        }
    }

    /// Whole numbers: sums are exact, whatever the order.
    @Test(arguments: DType.allCases) func smallViewsAgreeWithSums(dtype: DType) throws {
        var sample = try Sample(dtype, count: 120)
        let values = sample.values
        let threads = Threads(count: 1)
        try sample.bytes.withUnsafeMutableBytes { memory in
            for (name, start, shape, strides) in layouts {
                let view = TensorView(
                    base: memory.baseAddress.map { $0 + start * dtype.size }, dtype: dtype, shape: shape,
                    strides: strides)
                let all = naiveOffsets(shape, strides).map { values[start + $0] }
                for axes in 0...shape.count {
                    let units = shape[..<axes].reduce(1, *)
                    let size = units == 0 ? 0 : all.count / units
                    for reduction in Reduction.allCases {
                        var out = [Float](repeating: .nan, count: units)
                        try view.reduce(unitAxes: axes, reduction, into: &out, threads: threads)
                        let expected = (0..<units).map {
                            Float(ReductionTests.naive(Array(all[$0 * size..<($0 + 1) * size]), reduction))
                        }
                        #expect(out == expected, "\(name) \(dtype) \(axes) \(reduction)")
                    }
                }
            }
        }
    }

    /// [R/h, C/w | h, w] and its like, large enough for several tasks.
    @Test func resultsDoNotDependOnThreadsOrKernels() throws {
        let (rows, cols) = (260, 1100)
        var values = [Float](repeating: 0, count: rows * cols)
        RandomStream(seed: 1, stream: 2).normal(first: 0, count: values.count, into: &values)
        let wide = values.map(Double.init)
        let views: [([Int], [Int], Int)] = [
            ([rows, cols], [cols, 1], 1), ([cols, rows], [1, cols], 1), ([rows, cols], [cols, 1], 0),
            ([rows / 4, cols, 4], [4 * cols, 1, cols], 2), ([rows, cols / 4, 4], [cols, 4, 1], 2),
            ([rows / 4, cols / 4, 4, 4], [4 * cols, 4, cols, 1], 2),
            ([rows / 2, cols / 100, 2, 100], [2 * cols, 100, cols, 1], 2),
            ([cols, rows], [1, cols], 0), ([rows, cols], [cols, 1], 2),
        ]
        try values.withUnsafeMutableBytes { memory in
            for (shape, strides, axes) in views {
                let view = TensorView(base: memory.baseAddress, dtype: .float32, shape: shape, strides: strides)
                let units = shape[..<axes].reduce(1, *)
                let size = rows * cols / units
                let offsets = naiveOffsets(shape, strides)
                for reduction in Reduction.allCases {
                    var first = [Float](repeating: .nan, count: units)
                    try view.reduce(unitAxes: axes, reduction, into: &first, threads: Threads(count: 1))
                    for unit in 0..<units {
                        let part = offsets[unit * size..<(unit + 1) * size].map { wide[$0] }
                        let expected = ReductionTests.naive(part, reduction)
                        let scale = max(1, ReductionTests.naive(part, .l1))
                        if abs(Double(first[unit]) - expected) > 1e-6 * scale {
                            Issue.record("\(shape) \(reduction): \(first[unit]), expected \(expected)")
                        }
                    }
                    try withBothKernels {
                        for count in [1, 2, 3, 8] {
                            var again = [Float](repeating: .nan, count: units)
                            try view.reduce(unitAxes: axes, reduction, into: &again, threads: Threads(count: count))
                            #expect(again == first, "\(shape) \(reduction), \(count) threads")
                        }
                    }
                }
            }
        }
    }

    @Test func impossibleAxesAreRefused() throws {
        var one: Float = 1
        let view = withUnsafeMutableBytes(of: &one) { TensorView(base: $0.baseAddress, dtype: .float32, shape: [1]) }
        var out: Float = 0
        #expect(throws: PareError.self) { try view.reduce(unitAxes: 2, .l1, into: &out, threads: Threads(count: 1)) }
        #expect(throws: PareError.self) { try view.reduce(unitAxes: -1, .l1, into: &out, threads: Threads(count: 1)) }
    }
}
