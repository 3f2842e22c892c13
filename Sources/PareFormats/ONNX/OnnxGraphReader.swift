import PareGraph
import PareTensor

/// Builds a `Graph` from a `GraphProto`; subgraphs of attributes are read by readers of their own, one inside the other.
final class OnnxGraphReader {
    let context: OnnxContext
    let graph = Graph()
    /// Initialisers in file order.
    private(set) var tensors: [OnnxTensor] = []
    /// Names from outside that a subgraph reads.
    private(set) var free: [String] = []
    private let outer: OnnxGraphReader?
    private let depth: Int
    let frame: Int
    private var indices: [String: Int] = [:]
    private var nodeFields: [WireField] = []
    private var outputNames: [(name: String, field: WireField)] = []
    private var typed: [(name: String, type: OnnxValueType)] = []

    private static let depthLimit = 32

    init(_ field: WireField, _ context: OnnxContext, parent: Int, outer: OnnxGraphReader? = nil) throws {
        self.context = context
        self.outer = outer
        depth = (outer?.depth ?? 0) + 1
        frame = context.push(field, parent: parent)
        guard depth <= OnnxGraphReader.depthLimit else {
            throw error(
                "graphs are nested too deeply", field.range.lowerBound,
                expected: "at most \(OnnxGraphReader.depthLimit) levels")
        }
        try readFields(field)
        try readNodes()
        try resolveOutputs()
        applyTypes()
    }

    private func readFields(_ field: WireField) throws {
        var reader = WireReader(context.file, field.body)
        var inputs: [(name: String, type: OnnxValueType, field: WireField)] = []
        while let field = try reader.next() {
            switch field.number {
            case 1:
                try reader.expect(.bytes, field, "node")
                nodeFields.append(field)
            case 2: graph.name = try reader.string(field, "name of the graph")
            case 5:
                try reader.expect(.bytes, field, "initializer")
                try addInitializer(field)
            case 11:
                let (name, type) = try OnnxValueType.read(field, reader)
                inputs.append((name, type, field))
            case 12:
                let (name, type) = try OnnxValueType.read(field, reader)
                outputNames.append((name, field))
                typed.append((name, type))
            case 13: typed.append(try OnnxValueType.read(field, reader))
            case 15: try addSparseInitializer(field, reader)
            default: break
            }
        }
        try addInputs(inputs)
    }

    private func addInitializer(_ field: WireField) throws {
        let tensor = try OnnxTensorReader.read(field, context, parent: frame, label: "initializer")
        let index = try define(tensor.name, "initializer", at: field.range.lowerBound)
        graph.values[index].isInitializer = true
        graph.values[index].dtype = tensor.dtype
        graph.values[index].shape = tensor.shape.map { .size($0) }
        graph.values[index].constant = try tensor.data()
        graph.initializers.append(index)
        tensors.append(tensor)
        context.passed(field.range.upperBound)
    }

    /// Kept as it is: only its name matters, so that its readers find it.
    private func addSparseInitializer(_ field: WireField, _ outer: WireReader) throws {
        var reader = try outer.message(field, "sparse initializer")
        while let part = try reader.next() {
            guard part.number == 1 else { continue }
            var values = try reader.message(part, "values of a sparse initializer")
            while let inner = try values.next() {
                guard inner.number == 8 else { continue }
                let name = try values.string(inner, "name of a sparse initializer")
                graph.values[try define(name, "initializer", at: field.range.lowerBound)].isInitializer = true
            }
        }
    }

    /// An input that has an initialiser (usual before IR version 4) is a default value, not something that callers feed.
    private func addInputs(_ inputs: [(name: String, type: OnnxValueType, field: WireField)]) throws {
        var seen: Set<String> = []
        for (name, type, field) in inputs {
            guard seen.insert(name).inserted else {
                throw error("two graph inputs have the same name", field.range.lowerBound, found: "\"\(name)\"")
            }
            typed.append((name, type))
            if let known = indices[name], graph.values[known].isInitializer { continue }
            graph.inputs.append(try define(name, "graph input", at: field.range.lowerBound))
        }
    }

    private func readNodes() throws {
        for index in nodeFields.indices {
            var node = OnnxNodeParts()
            try node.read(nodeFields[index], self)
            let label = node.label(index)
            var inputs: [Int] = []
            for name in node.inputs { inputs.append(try read(name, by: index, label)) }
            for name in node.free { _ = try read(name, by: index, label) }
            var outputs: [Int] = []
            for name in node.outputs {
                guard !name.isEmpty else {
                    outputs.append(-1)
                    continue
                }
                let value = try define(name, "output of \(label)", at: nodeFields[index].range.lowerBound)
                graph.values[value].producer = index
                outputs.append(value)
            }
            graph.nodes.append(
                Node(
                    name: node.name, op: node.op, domain: node.domain, inputs: inputs, outputs: outputs,
                    attributes: node.attributes))
        }
    }

    /// The value that a node reads; -1 for an omitted one.
    private func read(_ name: String, by node: Int, _ label: String) throws -> Int {
        if name.isEmpty { return -1 }
        guard let value = local(name) else { throw undefined(name, by: node, label) }
        if graph.values[value].readers.last != node { graph.values[value].readers.append(node) }
        return value
    }

    /// Index of a value known here. One that only an enclosing graph knows gets an entry without a producer.
    private func local(_ name: String) -> Int? {
        if let index = indices[name] { return index }
        guard outer?.knows(name) == true else { return nil }
        free.append(name)
        return append(name)
    }

    private func knows(_ name: String) -> Bool { indices[name] != nil || outer?.knows(name) == true }

    private func append(_ name: String) -> Int {
        graph.values.append(Value(name: name))
        indices[name] = graph.values.count - 1
        return graph.values.count - 1
    }

    private func define(_ name: String, _ what: String, at offset: Int) throws -> Int {
        if name.isEmpty { throw error("a value has no name", offset, found: "an unnamed \(what)") }
        if indices[name] != nil {
            throw error("two values have the same name", offset, found: "\(what) \"\(name)\"")
        }
        return append(name)
    }

    private func resolveOutputs() throws {
        for (name, field) in outputNames {
            guard let value = local(name) else {
                throw error("nothing makes a graph output", field.range.lowerBound, found: "\"\(name)\"")
            }
            graph.outputs.append(value)
        }
    }

    private func applyTypes() {
        for (name, type) in typed {
            guard let index = indices[name], !graph.values[index].isInitializer else { continue }
            if let dtype = type.dtype { graph.values[index].dtype = dtype }
            if let shape = type.shape { graph.values[index].shape = shape }
        }
    }

    private func undefined(_ name: String, by node: Int, _ label: String) -> PareError {
        let offset = nodeFields[node].range.lowerBound
        for later in nodeFields[node...].indices {
            var parts = OnnxNodeParts()
            guard (try? parts.readNames(nodeFields[later], context)) != nil, parts.outputs.contains(name) else { continue }
            return error(
                "\(label) reads a value before it is made: the graph has a cycle or is not in execution order", offset,
                found: "\"\(name)\", made by \(parts.label(later))", expected: "nodes after what they read")
        }
        return error("\(label) reads a value that nothing makes", offset, found: "\"\(name)\"")
    }

    private func error(_ what: String, _ offset: Int, found: String = "", expected: String = "") -> PareError {
        PareError(.format, what, at: "\(context.file.path): byte \(offset)", found: found, expected: expected)
    }
}
