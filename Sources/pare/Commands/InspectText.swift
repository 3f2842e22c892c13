import PareFormats
import PareGraph
import PareHost

/// A model in words and as JSON.
enum InspectText {
    static func text(_ analysed: AnalysedModel, _ rows: [Inspect.Row], all: Bool, _ style: Style) -> String {
        let model = analysed.model
        let shown = rows.filter { all || $0.parameter.prunable }
        var table = Table([
            .left("layer"), .left("op"), .right("shape"), .left("dtype"), .right("params"), .right("MACs"),
            .right("sparsity"), .left("not pruned because"),
        ])
        for row in shown {
            let parameter = row.parameter
            table.add([
                parameter.name, row.op, Numbers.shape(parameter.shape), parameter.dtype.name,
                Numbers.grouped(parameter.count), row.macs.map(Numbers.compact) ?? "", Numbers.percent(row.sparsity),
                parameter.prunable ? "" : parameter.reason,
            ])
        }
        let head = style.bold(Text.printable(model.path)) + "  \(model.format.name)\n\n"
        let body = shown.isEmpty ? "No parameter is pruned by default.\n" : table.text(style)
        return head + body + "\n" + totals(analysed, rows, hidden: rows.count - shown.count).text(style)
    }

    private static func totals(_ analysed: AnalysedModel, _ rows: [Inspect.Row], hidden: Int) -> Fields {
        let totals = analysed.totals
        let model = analysed.model
        let zeros = rows.reduce(0) { $0 + $1.zeros }
        let prunable = rows.filter { $0.parameter.prunable }
        let elements = prunable.reduce(0) { $0 + $1.parameter.count }
        var fields = Fields()
        fields.add(
            "parameters",
            "\(Numbers.grouped(totals.parameters)) in \(Numbers.count(rows.count, "array")), "
                + "\(Numbers.grouped(totals.parameters - zeros)) nonzero")
        fields.add("prunable", "\(Numbers.grouped(elements)) in \(Numbers.count(prunable.count, "array"))")
        var macs = "\(Numbers.compact(totals.macs)) for one sample"
        if analysed.model.graph == nil { macs = "\(Numbers.compact(totals.macs)) for one token, matrices only (no graph)" }
        if totals.unknownNodes > 0 { macs += ", without \(Numbers.count(totals.unknownNodes, "node")) of unknown cost" }
        fields.add("MACs", macs)
        if !analysed.model.carried.isEmpty {
            fields.add("carried", "\(Numbers.count(analysed.model.carried.count, "array")) of other types, kept as they are")
        }
        for note in analysed.notes { fields.add("note", text(note, in: model)) }
        if hidden > 0 { fields.add("not shown", "\(Numbers.count(hidden, "array")) not pruned by default (--all lists them)") }
        return fields
    }

    /// A contradiction met during shape inference, with the node where it was.
    private static func text(_ note: ShapeNote, in model: Model) -> String {
        guard let nodes = model.graph?.nodes, nodes.indices.contains(note.node) else { return note.text }
        let node = nodes[note.node]
        return "\(node.op) \"\(node.name)\" (node \(note.node)): \(note.text)"
    }

    static func json(_ analysed: AnalysedModel, _ rows: [Inspect.Row]) -> JSON {
        let totals = analysed.totals
        let model = analysed.model
        return .object([
            ("pare", .string(Context.version)), ("model", .string(model.path)), ("format", .string(model.format.name)),
            ("metadata", .object(model.metadata.map { ($0.key, .string($0.value)) })),
            ("parameters", .array(rows.map(json))),
            ("carried", .array(model.carried.map { .object([("name", .string($0.name)), ("dtype", .string($0.dtype))]) })),
            ("elements", .int(Int64(totals.parameters))), ("zeros", .int(Int64(rows.reduce(0) { $0 + $1.zeros }))),
            ("macs", .int(Int64(totals.macs))), ("nodes_of_unknown_cost", .int(Int64(totals.unknownNodes))),
            ("notes", .array(analysed.notes.map { .string(text($0, in: model)) })),
        ])
    }

    private static func json(_ row: Inspect.Row) -> JSON {
        let parameter = row.parameter
        return .object([
            ("name", .string(parameter.name)), ("op", .string(row.op)), ("role", .string(name(parameter.role))),
            ("shape", .array(parameter.shape.map { .int(Int64($0)) })), ("dtype", .string(parameter.dtype.name)),
            ("elements", .int(Int64(parameter.count))), ("zeros", .int(Int64(row.zeros))),
            ("sparsity", .double(row.sparsity)), ("macs", row.macs.map { .int(Int64($0)) } ?? .null),
            ("prunable", .bool(parameter.prunable)), ("reason", .string(parameter.prunable ? "" : parameter.reason)),
        ])
    }

    private static func name(_ role: ParameterRole) -> String {
        switch role {
        case .other: "other"
        case .weight: "weight"
        case .bias: "bias"
        case .normScale: "norm scale"
        case .normShift: "norm shift"
        case .normMean: "norm mean"
        case .normVariance: "norm variance"
        case .embedding: "embedding"
        case .architecture: "architecture"
        case .constant: "constant"
        }
    }
}
