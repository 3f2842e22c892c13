import PareFormats
import PareMask
import PareTensor

/// One layer of a report.
public struct LayerReport: Sendable {
    public var name: String
    /// "Conv", "Gemm", …; "" when there is no graph.
    public var op: String
    public var shape: [Int]
    public var dtype: String
    public var elements: Int
    /// Elements that the mask keeps; all of them where no mask was made.
    public var kept: Int
    /// Zero elements now, by mask or by themselves.
    public var zeros: Int
    public var pruned: Bool
    /// Sparsity that the allocator asked for; nil if it was not asked.
    public var target: Double?
    /// Multiply-accumulates of one sample; nil when not known.
    public var macs: Int?
    /// Why it was left alone, or what was padded.
    public var note: String

    public var sparsity: Double { elements == 0 ? 0 : Double(zeros) / Double(elements) }
}

/// What a prune request did, or would do.
public struct PruneReport: Sendable {
    public var model: String
    public var criterion: String
    public var criterionVersion: String
    public var allocation: String
    public var allocationVersion: String
    /// Options in force, defaults included, as "criterion.key" and "allocation.key".
    public var options: [(key: String, value: String)]
    public var pattern: Pattern
    public var target: Double
    public var seed: UInt64
    public var dryRun: Bool
    public var layers: [LayerReport]
    /// Messages of plugins and things worth knowing.
    public var notes: [String]

    public var prunedLayers: [LayerReport] { layers.filter(\.pruned) }
    public var elements: Int { prunedLayers.reduce(0) { $0 + $1.elements } }
    public var zeros: Int { prunedLayers.reduce(0) { $0 + $1.zeros } }
    public var removed: Int { prunedLayers.reduce(0) { $0 + $1.elements - $1.kept } }
    /// Zeros over elements of the layers that were pruned.
    public var sparsity: Double { elements == 0 ? 0 : Double(zeros) / Double(elements) }
    public var totalElements: Int { layers.reduce(0) { $0 + $1.elements } }
    public var totalZeros: Int { layers.reduce(0) { $0 + $1.zeros } }

    /// Dense multiply-accumulates, and those left if every zero weight were skipped; nil when no layer's are known.
    public var macs: (dense: Int, sparse: Int)? {
        let known = layers.filter { $0.macs != nil }
        guard !known.isEmpty else { return nil }
        let dense = clampedSum(known.compactMap(\.macs))
        let sparse = known.reduce(0.0) { $0 + Double($1.macs ?? 0) * (1 - $1.sparsity) }
        return (dense, clampedCount(sparse))
    }

    /// What the zeros are good for: said plainly, because an unmeasured speed-up is none.
    public var gain: String {
        switch pattern.granularity {
        case .element:
            "Zeros are stored densely: the file keeps its size and a dense runtime its speed. They pay off compressed, or in a runtime with sparse kernels."
        case .nm:
            "The \(pattern.text) pattern pays off in runtimes with N:M kernels; elsewhere size and speed stay as they were."
        default:
            "Whole units are zero but still stored: size and speed stay as they were until the units are removed from the graph."
        }
    }

    /// What a saved file says about where it comes from.
    var provenance: [(key: String, value: String)] {
        [
            ("pare.version", Context.version), ("pare.criterion", "\(criterion) \(criterionVersion)"),
            ("pare.allocation", "\(allocation) \(allocationVersion)"),
            ("pare.options", options.map { "\($0.key)=\($0.value)" }.joined(separator: " ")), ("pare.pattern", pattern.reading),
            ("pare.target", "\(target)"), ("pare.sparsity", "\(sparsity)"), ("pare.seed", String(seed)),
        ]
    }

    /// The report as JSON; docs/report.md lists the members.
    public var json: JSON {
        .object([
            ("pare", .string(Context.version)), ("model", .string(model)),
            ("criterion", .object([("id", .string(criterion)), ("version", .string(criterionVersion))])),
            ("allocation", .object([("id", .string(allocation)), ("version", .string(allocationVersion))])),
            ("options", .object(options.map { ($0.key, .string($0.value)) })),
            ("pattern", .object([("text", .string(pattern.text)), ("reading", .string(pattern.reading))])),
            ("target", .double(target)), ("seed", .string(String(seed))), ("dry_run", .bool(dryRun)),
            ("sparsity", .double(sparsity)), ("elements", .int(Int64(elements))), ("zeros", .int(Int64(zeros))),
            ("removed", .int(Int64(removed))),
            ("model_elements", .int(Int64(totalElements))), ("model_zeros", .int(Int64(totalZeros))),
            ("macs_dense", macs.map { .int(Int64($0.dense)) } ?? .null),
            ("macs_sparse", macs.map { .int(Int64($0.sparse)) } ?? .null),
            ("gain", .string(gain)),
            ("layers", .array(layers.map(\.json))),
            ("notes", .array(notes.map { .string($0) })),
        ])
    }
}

extension LayerReport {
    var json: JSON {
        .object([
            ("name", .string(name)), ("op", .string(op)), ("shape", .array(shape.map { .int(Int64($0)) })),
            ("dtype", .string(dtype)), ("elements", .int(Int64(elements))), ("kept", .int(Int64(kept))),
            ("zeros", .int(Int64(zeros))), ("sparsity", .double(sparsity)), ("pruned", .bool(pruned)),
            ("target", target.map { .double($0) } ?? .null), ("macs", macs.map { .int(Int64($0)) } ?? .null),
            ("note", .string(note)),
        ])
    }
}
