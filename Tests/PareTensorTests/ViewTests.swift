import Testing

@testable import PareTensor

/// Memory of one dtype filled with small whole numbers, and what is expected of views on it.
struct Sample {
    let dtype: DType
    var bytes: [UInt8]
    let values: [Double]

    init(_ dtype: DType, count: Int) throws {
        self.dtype = dtype
        bytes = [UInt8](repeating: 0, count: count * dtype.size)
        let whole = (0..<count).map { index -> Double in
            let value = (index &* 7919) % 23
            return dtype == .bool ? Double(value % 2) : dtype == .uint8 ? Double(value) : Double(value - 11)
        }
        values = whole
        try bytes.withUnsafeMutableBytes {
            try TensorView(base: $0.baseAddress, dtype: dtype, shape: [count])
                .writeFloat64(from: whole, first: 0, count: count)
        }
    }
}

/// Views of 2·3·5·4 elements: offset of element (0, …), shape, strides.
let layouts: [(String, Int, [Int], [Int])] = [
    ("contiguous", 0, [2, 3, 5, 4], [60, 20, 4, 1]),
    ("transposed", 0, [4, 5, 3, 2], [1, 4, 20, 60]),
    ("permuted", 0, [3, 2, 4, 5], [20, 60, 1, 4]),
    ("reversed", 119, [2, 3, 5, 4], [-60, -20, -4, -1]),
    ("broadcast", 3, [2, 3, 5, 4], [0, 20, 0, 1]),
    ("every other", 1, [2, 3, 5, 2], [60, 20, 4, 2]),
    ("inner fixed", 0, [2, 3, 5, 4], [60, 20, 4, 0]),
    ("ones", 0, [1, 2, 1, 60, 1], [9, 60, 7, 1, 5]),
    ("scalar", 5, [], []),
    ("empty", 0, [3, 0, 2], [0, 2, 1]),
]

func naiveOffsets(_ shape: [Int], _ strides: [Int]) -> [Int] {
    var offsets = [0]
    for (size, stride) in zip(shape, strides) {
        offsets = offsets.flatMap { base in (0..<size).map { base + $0 * stride } }
    }
    return offsets
}

struct ViewTests {
    @Test(arguments: DType.allCases) func readingAgreesWithIndexing(dtype: DType) throws {
        var sample = try Sample(dtype, count: 120)
        let values = sample.values
        try sample.bytes.withUnsafeMutableBytes { memory in
            for (name, start, shape, strides) in layouts {
                let view = TensorView(
                    base: memory.baseAddress.map { $0 + start * dtype.size }, dtype: dtype, shape: shape,
                    strides: strides)
                let expected = naiveOffsets(shape, strides).map { values[start + $0] }
                let count = expected.count
                for first in Set([0, 1, count / 3, count]) where first <= count {
                    for part in Set([0, 1, 7, count - first]) where part <= count - first {
                        var floats = [Float](repeating: .nan, count: part)
                        var doubles = [Double](repeating: .nan, count: part)
                        try view.readFloat32(from: first, count: part, into: &floats)
                        try view.readFloat64(from: first, count: part, into: &doubles)
                        let slice = Array(expected[first..<first + part])
                        #expect(floats.map(Double.init) == slice, "\(name) \(dtype)")
                        #expect(doubles == slice, "\(name) \(dtype)")
                        try view.readAbsFloat32(from: first, count: part, into: &floats)
                        #expect(floats.map(Double.init) == slice.map(abs), "\(name) \(dtype)")
                    }
                }
                #expect(try view.countZeros() == expected.filter { $0 == 0 }.count, "\(name) \(dtype)")
                #expect(try view.firstNonfinite() == nil)
                var copy = [UInt8](repeating: 0, count: max(1, count * dtype.size))
                var back = [Double](repeating: .nan, count: count)
                try copy.withUnsafeMutableBytes {
                    guard let base = $0.baseAddress else { return }
                    try view.copyContiguous(into: base)
                    try TensorView(base: base, dtype: dtype, shape: shape).readFloat64(
                        from: 0, count: count, into: &back)
                }
                #expect(back == expected, "\(name) \(dtype)")
            }
        }
    }

    @Test func writingReachesStridedElements() throws {
        var bytes = [Float](repeating: 0, count: 12)
        try bytes.withUnsafeMutableBytes {
            let view = TensorView(base: $0.baseAddress, dtype: .float32, shape: [4, 3], strides: [1, 4])
            try view.writeFloat32(from: (1...12).map(Float.init), first: 0, count: 12)
            try view.writeFloat32(from: [100, 200], first: 4, count: 2)
        }
        #expect(bytes == [1, 4, 7, 10, 2, 100, 8, 11, 3, 200, 9, 12])
    }

    @Test(arguments: [DType.float32, .float64, .float16, .bfloat16]) func nonfiniteElementsAreFound(dtype: DType) throws {
        for count in [1, 511, 512, 513, 5000] {
            var bytes = [UInt8](repeating: 0, count: count * dtype.size)
            try bytes.withUnsafeMutableBytes {
                let view = TensorView(base: $0.baseAddress, dtype: dtype, shape: [count])
                let backwards = TensorView(
                    base: $0.baseAddress.map { $0 + (count - 1) * dtype.size }, dtype: dtype, shape: [count],
                    strides: [-1])
                #expect(try view.firstNonfinite() == nil)
                for value in [Float.nan, .infinity, -.infinity] {
                    for position in Set([0, count / 2, count - 1]) {
                        try view.writeFloat32(from: [value], first: position, count: 1)
                        #expect(try view.firstNonfinite() == position)
                        #expect(try backwards.firstNonfinite() == count - 1 - position)
                        try view.writeFloat32(from: [1], first: position, count: 1)
                    }
                }
            }
        }
    }

    @Test func malformedViewsAndRangesAreRefused() throws {
        var one = [Float](repeating: 0, count: 4)
        one.withUnsafeMutableBytes { memory in
            let view = TensorView(base: memory.baseAddress, dtype: .float32, shape: [4])
            var out: Float = 0
            for (first, count) in [(-1, 1), (0, 5), (4, 1), (5, 0), (0, -1), (Int.max, 1), (1, Int.max)] {
                #expect(throws: PareError.self) { try view.readFloat32(from: first, count: count, into: &out) }
            }
            let bad: [([Int], [Int])] = [([4], []), ([-1], [1]), ([Int.max, 3], [1, 1]), ([Int.max / 2], [1])]
            for (shape, strides) in bad {
                let view = TensorView(base: memory.baseAddress, dtype: .float32, shape: shape, strides: strides)
                #expect(throws: PareError.self) { try view.validate() }
                #expect(throws: PareError.self) { try view.countZeros() }
            }
            #expect(throws: PareError.self) { try TensorView(base: nil, dtype: .float32, shape: [1]).firstNonfinite() }
        }
    }
}
