import PareFormats
import PareHost

/// A finished prune request in words and as JSON.
struct PruneResult {
    let report: PruneReport
    /// nil: no model was written.
    let output: String?
    let format: ModelFormat

    /// Layers listed one by one; more become a summary.
    private static let listed = 60

    /// The host's report, and what happened to files. Sizes are read when asked for, after saving.
    var json: JSON {
        guard case .object(var members) = report.json else { return report.json }
        members.append(("output", output.map { .string($0) } ?? .null))
        members.append(("bytes_in", FileSize.of(report.model).map { .int(Int64($0)) } ?? .null))
        members.append(("bytes_out", output.flatMap(FileSize.of).map { .int(Int64($0)) } ?? .null))
        return .object(members)
    }

    func text(_ style: Style) -> String {
        let layers = report.prunedLayers.isEmpty ? "" : layerText(style) + "\n"
        return heading.text(style) + "\n" + layers + totals.text(style)
    }

    private var heading: Fields {
        var fields = Fields()
        fields.add("model", output.map { "\(report.model) → \($0)" } ?? report.model + (report.dryRun ? " (dry run)" : ""))
        fields.add("criterion", "\(report.criterion) \(report.criterionVersion)\(settings("criterion."))")
        fields.add("allocation", "\(report.allocation) \(report.allocationVersion)\(settings("allocation."))")
        fields.add("pattern", report.pattern.reading)
        fields.add("target", Numbers.percent(report.target) + " removed")
        return fields
    }

    /// Options in force, as --set takes them.
    private func settings(_ prefix: String) -> String {
        let own = report.options.filter { $0.key.hasPrefix(prefix) }
        guard !own.isEmpty else { return "" }
        return " (" + own.map { "\($0.key.dropFirst(prefix.count))=\($0.value)" }.joined(separator: ", ") + ")"
    }

    private func layerText(_ style: Style) -> String {
        let pruned = report.prunedLayers
        guard pruned.count <= PruneResult.listed else { return summary(pruned).text(style) }
        var table = Table([
            .left("layer"), .left("op"), .right("shape"), .right("params"), .right("target"), .right("sparsity"),
            .left("note"),
        ])
        for layer in pruned {
            table.add([
                layer.name, layer.op, Numbers.shape(layer.shape), Numbers.grouped(layer.elements),
                layer.target.map(Numbers.percent) ?? "", Numbers.percent(layer.sparsity), layer.note,
            ])
        }
        return table.text(style)
    }

    private func summary(_ pruned: [LayerReport]) -> Fields {
        let sorted = pruned.sorted { ($0.sparsity, $0.name) < ($1.sparsity, $1.name) }
        var fields = Fields()
        guard let least = sorted.first, let most = sorted.last else { return fields }
        fields.add("layers", "\(Numbers.grouped(pruned.count)) pruned (--report or --json lists them)")
        fields.add("least", "\(Numbers.percent(least.sparsity)) in \(least.name)")
        fields.add("median", Numbers.percent(sorted[sorted.count / 2].sparsity))
        fields.add("most", "\(Numbers.percent(most.sparsity)) in \(most.name)")
        let noted = pruned.filter { !$0.note.isEmpty }
        if let first = noted.first {
            fields.add("noted", "\(first.name): \(first.note)" + (noted.count > 1 ? "; and \(noted.count - 1) more" : ""))
        }
        return fields
    }

    private var totals: Fields {
        var fields = Fields()
        let pruned = report.prunedLayers
        fields.add(
            "pruned",
            "\(Numbers.grouped(report.zeros)) of \(Numbers.grouped(report.elements)) weights in "
                + "\(Numbers.count(pruned.count, "layer")) are zero (\(Numbers.percent(report.sparsity)))")
        fields.add("dense", leftAlone)
        fields.add(
            "parameters",
            "\(Numbers.grouped(report.totalElements)), "
                + "\(Numbers.grouped(report.totalElements - report.totalZeros)) nonzero")
        if let macs = report.macs {
            let unknown = pruned.filter { $0.macs == nil }.count
            fields.add(
                "MACs",
                "\(Numbers.compact(macs.dense)) → \(Numbers.compact(macs.sparse)) if every zero were skipped"
                    + (unknown > 0 ? "; \(Numbers.count(unknown, "layer")) of unknown cost not counted" : ""))
        }
        if let output { fields.add("file", FileSize.change(from: report.model, to: output)) }
        fields.add("gain", pruned.isEmpty ? "" : report.gain)
        for note in report.notes { fields.add("note", note) }
        return fields
    }

    /// Parameters without a mask, counted by reason, most frequent first.
    private var leftAlone: String {
        let others = report.layers.filter { !$0.pruned }
        guard !others.isEmpty else { return "" }
        var counts: [String: Int] = [:]
        for layer in others { counts[layer.note, default: 0] += 1 }
        let reasons = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        let shown = reasons.prefix(4).map { "\($0.value) \($0.key)" }
        let rest = reasons.count > 4 ? ["\(reasons.dropFirst(4).reduce(0) { $0 + $1.value }) for other reasons"] : []
        return "\(Numbers.count(others.count, "array")) left alone: " + (shown + rest).joined(separator: ", ")
    }
}
