import PareKit

/// Zeros, elements and their ratio; and whether N:M groups hold what they promise.
struct Sparsity: MetricPlugin {
    static let descriptor = Descriptor(
        id: "sparsity",
        summary: "zeros and sparsity per layer and in all; N:M groups with too many non-zeros",
        flags: .deterministic)

    let host: Host

    init(options: OptionValues, host: Host) { self.host = host }

    func measure(_ request: MetricRequest) throws {
        var (prunable, all, groups) = (Tally(), Tally(), Groups())
        for (index, layer) in request.layers.enumerated() {
            try request.run.checkpoint(Double(index) / Double(request.layers.count), layer.name)
            guard let weight = try request.weight(index) else {
                host.log.warning("sparsity: \(layer.name) has no values here and is left out")
                continue
            }
            let tally = Tally(zeros: weight.count - (try host.vector.countNonzero(weight)), elements: weight.count)
            tally.emit(request, layer: index)
            all.add(tally)
            guard request.isPrunable(index) else { continue }
            prunable.add(tally)
            if let pattern = request.pattern, pattern.granularity == PARE_GRANULARITY_NM,
                let found = try countGroups(request, index, weight, pattern)
            {
                found.emit(request, layer: index)
                groups.add(found)
            }
        }
        prunable.emit(request)
        all.emit(request, suffix: "-all")
        if groups.count > 0 { groups.emit(request) }
    }

    /// Groups of m consecutive input features at one kernel position; nil if the weight is no matrix.
    ///
    /// Where m does not divide the inputs, the missing elements of the last group are zeros.
    private func countGroups(
        _ request: MetricRequest, _ index: Int, _ weight: Tensor, _ pattern: pare_pattern
    ) throws -> Groups? {
        let layer = request.layers[index]
        let (n, m) = (Int(pattern.n), Int(pattern.m))
        guard n > 0, m > n, layer.shape.count > 1, let matrix = request.matrix(index) else { return nil }
        let (inputs, kernel) = (layer.shape[1], layer.shape.dropFirst(2).reduce(1, &*))
        guard inputs &* kernel == matrix.columns, inputs > 0 else { return nil }
        if inputs % m != 0, pattern.remainder == PARE_REMAINDER_SKIP { return nil }

        let strides = [matrix.rowStride, matrix.columnStride, matrix.columnStride &* kernel]
        return try weight.withView(shape: [matrix.rows, kernel, inputs], strides: strides) { lines in
            try host.memory.withScratch(of: Float.self, count: inputs) { line in
                var found = Groups()
                for first in stride(from: 0, to: lines.count, by: inputs) {
                    try host.vector.readFloat32(lines, first: first, into: line)
                    for start in stride(from: 0, to: inputs, by: m) {
                        var nonzero = 0
                        for value in line[start..<min(start + m, inputs)] where value != 0 { nonzero &+= 1 }
                        found.count += 1
                        if nonzero > n { found.violations += 1 }
                    }
                }
                return found
            }
        }
    }
}

private struct Tally {
    var zeros = 0
    var elements = 0

    mutating func add(_ other: Tally) {
        zeros &+= other.zeros
        elements &+= other.elements
    }

    func emit(_ request: MetricRequest, layer: Int? = nil, suffix: String = "") {
        request.emit("zeros" + suffix, Double(zeros), unit: "elements", layer: layer)
        request.emit("elements" + suffix, Double(elements), unit: "elements", layer: layer)
        let ratio = elements > 0 ? Double(zeros) / Double(elements) : 0
        request.emit("sparsity" + suffix, ratio, unit: "1", layer: layer)
    }
}

private struct Groups {
    var count = 0
    var violations = 0

    mutating func add(_ other: Groups) {
        count &+= other.count
        violations &+= other.violations
    }

    func emit(_ request: MetricRequest, layer: Int? = nil) {
        request.emit("nm-groups", Double(count), unit: "", layer: layer)
        request.emit("nm-violations", Double(violations), unit: "", layer: layer)
    }
}

private let module = Module(id: "pare.sparsity", license: "Apache-2.0", plugins: [Sparsity.self])

@_cdecl("pare_plugin_entry")
public func entry(_ major: UInt32, _ minor: UInt32) -> UnsafePointer<pare_module>? { module.pointer }
