import Glibc
import PareKit

/// Layer-adaptive magnitude: a squared weight over the sum of squares of those at least as large.
struct LAMP: CriterionPlugin {
    static let descriptor = Descriptor(
        id: "lamp",
        summary: "squared norm over the sum of squared norms at least as large",
        source: "Lee et al., ICLR 2021, arXiv:2010.07611, eq. 4",
        flags: [.deterministic, .scaleInvariant, .threadSafe, .float64Scores],
        needs: .weight)

    let host: Host

    init(options: OptionValues, host: Host) { self.host = host }

    /// O(n log n) time; 12 bytes per unit beside the scores.
    func score(_ request: ScoreRequest, into scores: OutputTensor) throws {
        let scores = try scores.float64()
        try squares(of: request, into: scores)
        try host.memory.withScratch(of: Int64.self, count: scores.count) { order in
            try sort(scores, into: order)
            try request.run.check()
            // From the largest down: the sum is exact for the largest, whose score is 1 by construction.
            var sum = 0.0
            for unit in order.reversed() {
                let square = scores[Int(unit)]
                sum += square
                scores[Int(unit)] = sum > 0 ? square / sum : 0
            }
            guard sum.isFinite else {
                throw PluginError(
                    PARE_E_NONFINITE, "the squares of the weights add up to infinity", at: request.parameter)
            }
        }
    }

    /// Σw² of each unit in float64. For single elements this is w², read straight into the scores.
    private func squares(of request: ScoreRequest, into scores: UnsafeMutableBufferPointer<Double>) throws {
        if request.isElementwise {
            try host.vector.readFloat64(request.weight, into: scores)
            for unit in scores.indices { scores[unit] *= scores[unit] }
            return
        }
        scores.update(repeating: 0)
        let (total, size) = (request.weight.count, request.unitSize)
        try host.memory.withScratch(of: Double.self, count: min(total, 1 << 16)) { buffer in
            var (unit, inside) = (0, 0)
            for first in stride(from: 0, to: total, by: max(buffer.count, 1)) {
                try request.run.check()
                let part = UnsafeMutableBufferPointer(rebasing: buffer[..<min(buffer.count, total - first)])
                try host.vector.readFloat64(request.weight, first: first, into: part)
                for value in part {
                    scores[unit] += value * value
                    inside &+= 1
                    if inside == size { (unit, inside) = (unit &+ 1, 0) }
                }
            }
        }
    }

    /// Units by ascending square; of equal ones the lower index counts as larger, as wherever ties are broken.
    private func sort(
        _ squares: UnsafeMutableBufferPointer<Double>, into order: UnsafeMutableBufferPointer<Int64>
    ) throws {
        try host.memory.withScratch(of: Float.self, count: squares.count) { keys in
            for unit in squares.indices { keys[unit] = Float(squares[unit].squareRoot()) }
            try host.vector.argsort(keys, into: order)
            guard order.allSatisfy({ squares.indices.contains(Int($0)) }) else {
                throw PluginError(PARE_E_INTERNAL, "argsort left the range of the keys")
            }
            // float32 keys tie where the squares may not: put runs of equal keys in order of the squares.
            var start = 0
            while start < order.count {
                var end = start + 1
                while end < order.count, keys[Int(order[end])] == keys[Int(order[start])] { end += 1 }
                var run = UnsafeMutableBufferPointer(rebasing: order[start..<end])
                if run.allSatisfy({ squares[Int($0)] == squares[Int(run[0])] }) {
                    run.reverse()
                } else {
                    run.sort { (squares[Int($0)], $1) < (squares[Int($1)], $0) }
                }
                start = end
            }
        }
    }
}

private let module = Module(id: "pare.lamp", license: "Apache-2.0", plugins: [LAMP.self])

@_cdecl("pare_plugin_entry")
public func entry(_ major: UInt32, _ minor: UInt32) -> UnsafePointer<pare_module>? { module.pointer }
