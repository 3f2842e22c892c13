import CPare
import PareGraph
import PareHost
import PareTensor

/// The graph behind a model handle, nil when the model has none.
private func graph(_ model: OpaquePointer?) -> (box: ModelBox, graph: Graph)? {
    guard let box = Handle.peek(model, ModelBox.self), let graph = box.model.graph else { return nil }
    return (box, graph)
}

private func requireGraph(_ model: OpaquePointer?) throws -> (box: ModelBox, graph: Graph) {
    let box = try modelBox(model)
    guard let graph = box.model.graph else {
        throw PareError(.unsupported, "the model has no graph", at: box.model.path, hint: "ONNX files have one")
    }
    return (box, graph)
}

@_cdecl("pare_graph_node_count") @implementation
public func pare_graph_node_count(_ model: OpaquePointer?) -> UInt32 { UInt32(clamping: graph(model)?.graph.nodes.count ?? 0) }

@_cdecl("pare_graph_value_count") @implementation
public func pare_graph_value_count(_ model: OpaquePointer?) -> UInt32 { UInt32(clamping: graph(model)?.graph.values.count ?? 0) }

@_cdecl("pare_graph_node") @implementation
public func pare_graph_node(
    _ model: OpaquePointer?, _ node: UInt32, _ out: UnsafeMutablePointer<pare_node_info>?,
    _ error: UnsafeMutablePointer<pare_error>?
) -> Int32 {
    border(error) {
        let (box, graph) = try requireGraph(model)
        guard node < graph.nodes.count else {
            throw PareError(.argument, "node index is out of range", found: "\(node)", expected: "below \(graph.nodes.count)")
        }
        let index = Int(node)
        let shown = graph.nodes[index]
        var info = pare_node_info()
        info.inputs = UInt32(clamping: shown.inputs.count)
        info.outputs = UInt32(clamping: shown.outputs.count)
        info.attributes = UInt32(clamping: shown.attributes.count)
        info.name = box.strings.pointer(shown.name)
        info.op = box.strings.pointer(shown.op)
        info.domain = box.strings.pointer(shown.domain)
        info.macs = box.analysed.nodeMacs[index].map(Int64.init) ?? -1
        info.parameters = Int64(graph.parameters(ofNode: index))
        info.known = isKnown(op: shown.op, domain: shown.domain) ? 1 : 0
        try deliver(growing: info, to: out, required: MemoryLayout<pare_node_info>.size)
    }
}

@_cdecl("pare_graph_value") @implementation
public func pare_graph_value(
    _ model: OpaquePointer?, _ value: UInt32, _ out: UnsafeMutablePointer<pare_value_info>?,
    _ error: UnsafeMutablePointer<pare_error>?
) -> Int32 {
    border(error) {
        let (box, graph) = try requireGraph(model)
        guard value < graph.values.count else {
            throw PareError(.argument, "value index is out of range", found: "\(value)", expected: "below \(graph.values.count)")
        }
        let shown = graph.values[Int(value)]
        var info = pare_value_info()
        info.ndim = shown.shape.map { Int32(clamping: $0.count) } ?? -1
        info.name = box.strings.pointer(shown.name)
        info.shape = box.shape((shown.shape ?? []).map { Int64($0.value ?? -1) })
        if let dtype = shown.dtype { info.dtype = pare_dtype(code: dtype.code, bits: dtype.bits, lanes: 1) }
        info.parameter = Int32(clamping: box.model.parameters.firstIndex { $0.valueIndex == Int(value) } ?? -1)
        info.producer = Int32(clamping: shown.producer ?? -1)
        info.readers = UInt32(clamping: shown.readers.count)
        try deliver(growing: info, to: out, required: MemoryLayout<pare_value_info>.size)
    }
}

@_cdecl("pare_graph_node_input") @implementation
public func pare_graph_node_input(_ model: OpaquePointer?, _ node: UInt32, _ index: UInt32) -> Int32 {
    guard let graph = graph(model)?.graph, node < graph.nodes.count, index < graph.nodes[Int(node)].inputs.count else { return -1 }
    return Int32(clamping: graph.nodes[Int(node)].inputs[Int(index)])
}

@_cdecl("pare_graph_node_output") @implementation
public func pare_graph_node_output(_ model: OpaquePointer?, _ node: UInt32, _ index: UInt32) -> Int32 {
    guard let graph = graph(model)?.graph, node < graph.nodes.count, index < graph.nodes[Int(node)].outputs.count else { return -1 }
    return Int32(clamping: graph.nodes[Int(node)].outputs[Int(index)])
}

@_cdecl("pare_graph_value_reader") @implementation
public func pare_graph_value_reader(_ model: OpaquePointer?, _ value: UInt32, _ index: UInt32) -> Int32 {
    guard let graph = graph(model)?.graph, value < graph.values.count, index < graph.values[Int(value)].readers.count else { return -1 }
    return Int32(clamping: graph.values[Int(value)].readers[Int(index)])
}

@_cdecl("pare_graph_attribute_name") @implementation
public func pare_graph_attribute_name(_ model: OpaquePointer?, _ node: UInt32, _ index: UInt32) -> UnsafePointer<CChar>? {
    guard let (box, graph) = graph(model), node < graph.nodes.count, index < graph.nodes[Int(node)].attributes.count else { return nil }
    return box.strings.pointer(graph.nodes[Int(node)].attributes[Int(index)].name)
}

@_cdecl("pare_graph_attribute_text") @implementation
public func pare_graph_attribute_text(
    _ model: OpaquePointer?, _ node: UInt32, _ name: UnsafePointer<CChar>?
) -> UnsafePointer<CChar>? {
    guard let (box, graph) = graph(model), let name, node < graph.nodes.count,
        let value = graph.nodes[Int(node)].attribute(String(cString: name))
    else { return nil }
    return box.strings.pointer(value.text)
}

@_cdecl("pare_graph_totals") @implementation
public func pare_graph_totals(
    _ model: OpaquePointer?, _ macs: UnsafeMutablePointer<Int64>?, _ parameters: UnsafeMutablePointer<Int64>?,
    _ unknown: UnsafeMutablePointer<UInt32>?, _ error: UnsafeMutablePointer<pare_error>?
) -> Int32 {
    border(error) {
        let totals = try modelBox(model).analysed.totals
        macs?.pointee = Int64(totals.macs)
        parameters?.pointee = Int64(totals.parameters)
        unknown?.pointee = UInt32(clamping: totals.unknownNodes)
    }
}

extension Attribute {
    /// ONNX's text form: `[1, 1]`, `0.1`, `same`; "…" for what has no short one.
    var text: String {
        switch self {
        case .int(let value): "\(value)"
        case .float(let value): "\(value)"
        case .string(let value): value
        case .ints(let values): "[" + values.map(String.init).joined(separator: ", ") + "]"
        case .floats(let values): "[" + values.map { "\($0)" }.joined(separator: ", ") + "]"
        case .strings(let values): "[" + values.joined(separator: ", ") + "]"
        case .tensor(let data): data.map { "tensor \($0.dtype.name) \($0.shape)" } ?? "tensor …"
        case .graph(let graph): "graph \(graph.name)"
        case .graphs(let graphs): "graphs \(graphs.count)"
        case .other: "…"
        }
    }
}
