import Glibc
import PareKit

/// Filter pruning via the geometric median: a row that lies close to all others is redundant.
struct FPGM: CriterionPlugin {
    enum Distance: String, CaseIterable { case l2, l1 }

    static let descriptor = Descriptor(
        id: "fpgm",
        summary: "sum of a row's distances to all other rows",
        source: "He et al., CVPR 2019, arXiv:1811.00250, eq. 6",
        flags: [.deterministic, .scaleInvariant, .threadSafe],
        needs: .weight,
        granularities: .row,
        options: [.choice("distance", default: Distance.l2, help: "distance between two rows")])

    /// Rows whose distances are summed by one task; the others stream past them once per block.
    static let block = 8
    /// Rows between two looks at the user's wish to stop.
    static let stripe = 256

    let distance: Distance
    let host: Host

    init(options: OptionValues, host: Host) throws {
        distance = try options.choice("distance", as: Distance.self)
        self.host = host
    }

    /// O(rows² · row length) time; one float32 copy of the tensor in memory.
    func score(_ request: ScoreRequest, into scores: OutputTensor) throws {
        let scores = try scores.float32()
        let (rows, length) = (request.unitCount, request.unitSize)
        try host.memory.withScratch(of: Float.self, count: request.weight.count) { weights in
            guard let first = weights.baseAddress else { return scores.update(repeating: 0) }
            try host.vector.readFloat32(request.weight, into: weights)
            for start in stride(from: 0, to: rows, by: Self.stripe) {
                try request.run.check()
                let end = min(start + Self.stripe, rows)
                host.parallel.forEach((end - start + Self.block - 1) / Self.block) { index in
                    let from = start + index * Self.block
                    sumDistances(from: from, to: min(from + Self.block, end), of: rows, first, length, scores)
                }
            }
        }
    }

    /// scores[i] = Σ_j ‖row i − row j‖ for from ≤ i < to.
    private func sumDistances(
        from: Int, to: Int, of rows: Int, _ weights: UnsafePointer<Float>, _ length: Int,
        _ scores: UnsafeMutableBufferPointer<Float>
    ) {
        withUnsafeTemporaryAllocation(of: Double.self, capacity: to - from) { sums in
            sums.initialize(repeating: 0)
            for other in 0..<rows {
                let b = weights + other &* length
                for row in from..<to where row != other {
                    let a = weights + row &* length
                    sums[row &- from] += distance == .l2 ? euclidean(a, b, length) : manhattan(a, b, length)
                }
            }
            for row in from..<to { scores[row] = Float(sums[row &- from]) }
        }
    }
}

/// √Σ(a−b)², differences and sums in float64. The order of additions is fixed, so the result is too.
private func euclidean(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ length: Int) -> Double {
    accumulate(a, b, length) { $0 * $0 }.squareRoot()
}

/// Σ|a−b|
private func manhattan(_ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ length: Int) -> Double {
    accumulate(a, b, length) { $0.replacing(with: -$0, where: $0 .< 0) }
}

@inline(__always)
private func accumulate(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ length: Int,
    _ term: (SIMD4<Double>) -> SIMD4<Double>
) -> Double {
    var (even, odd) = (SIMD4<Double>(), SIMD4<Double>())
    var k = 0
    @inline(__always) func difference(_ at: Int) -> SIMD4<Double> {
        let x = UnsafeRawPointer(a + at).loadUnaligned(as: SIMD4<Float>.self)
        let y = UnsafeRawPointer(b + at).loadUnaligned(as: SIMD4<Float>.self)
        return SIMD4<Double>(x) - SIMD4<Double>(y)
    }
    while k &+ 8 <= length {
        even += term(difference(k))
        odd += term(difference(k &+ 4))
        k &+= 8
    }
    var sum = (even + odd).sum()
    while k < length {
        sum += term(SIMD4(Double(a[k]) - Double(b[k]), 0, 0, 0))[0]
        k &+= 1
    }
    return sum
}

private let module = Module(id: "pare.fpgm", license: "Apache-2.0", plugins: [FPGM.self])

@_cdecl("pare_plugin_entry")
public func entry(_ major: UInt32, _ minor: UInt32) -> UnsafePointer<pare_module>? { module.pointer }
