import PareGraph
import PareTensor

/// A `NodeProto` before its names are resolved.
struct OnnxNodeParts {
    var name = ""
    var op = ""
    var domain = ""
    var inputs: [String] = []
    var outputs: [String] = []
    var attributes: [(name: String, value: Attribute)] = []
    /// Names from outside that the node's subgraphs read.
    var free: [String] = []

    /// How messages call the node.
    func label(_ index: Int) -> String {
        name.isEmpty ? "node \(index) (\(op))" : "node \"\(name)\" (\(op))"
    }

    mutating func read(_ field: WireField, _ graph: OnnxGraphReader) throws {
        var attributeFields: [WireField] = []
        try readNames(field, graph.context, attributes: &attributeFields)
        guard !attributeFields.isEmpty else { return }
        let frame = graph.context.push(field, parent: graph.frame)
        for attribute in attributeFields {
            attributes.append(try OnnxAttribute.read(attribute, graph, parent: frame, free: &free))
        }
    }

    mutating func readNames(_ field: WireField, _ context: OnnxContext) throws {
        var ignored: [WireField] = []
        try readNames(field, context, attributes: &ignored)
    }

    private mutating func readNames(
        _ field: WireField, _ context: OnnxContext, attributes: inout [WireField]
    ) throws {
        var reader = WireReader(context.file, field.body)
        while let part = try reader.next() {
            switch part.number {
            case 1: inputs.append(try reader.string(part, "input of a node"))
            case 2: outputs.append(try reader.string(part, "output of a node"))
            case 3: name = try reader.string(part, "name of a node")
            case 4: op = try reader.string(part, "operator of a node")
            case 5:
                try reader.expect(.bytes, part, "attribute of a node")
                attributes.append(part)
            case 7:
                domain = try reader.string(part, "domain of a node")
                if domain == "ai.onnx" { domain = "" }
            default: break
            }
        }
    }
}

/// Reads one `AttributeProto`.
struct OnnxAttribute {
    private var name = ""
    private var type = 0
    private var int = 0
    private var float: Float = 0
    private var string = ""
    private var ints: [Int] = []
    private var floats: [Float] = []
    private var strings: [String] = []
    private var tensor: WireField?
    private var graphs: [WireField] = []
    private var isReference = false
    /// What was there, as an attribute type: for files that leave `type` out.
    private var seen = 0

    static func read(
        _ field: WireField, _ graph: OnnxGraphReader, parent: Int, free: inout [String]
    ) throws -> (name: String, value: Attribute) {
        var attribute = OnnxAttribute()
        try attribute.readFields(WireReader(graph.context.file, field.body))
        return (attribute.name, try attribute.value(field, graph, parent, &free))
    }

    private mutating func readFields(_ message: WireReader) throws {
        var reader = message
        while let part = try reader.next() {
            switch part.number {
            case 1: name = try reader.string(part, "name of an attribute")
            case 2: (float, seen) = (try reader.float(part, "attribute \(name)"), 1)
            case 3: (int, seen) = (try reader.int(part, "attribute \(name)"), 2)
            case 4:
                // Bytes by definition; those that are not text are of no use here.
                try reader.expect(.bytes, part, "attribute \(name)")
                (string, seen) = (String(decoding: reader.file.bytes[part.body], as: UTF8.self), 3)
            case 5:
                try reader.expect(.bytes, part, "attribute \(name)")
                (tensor, seen) = (part, 4)
            case 6, 11:
                try reader.expect(.bytes, part, "attribute \(name)")
                graphs.append(part)
                seen = part.number == 6 ? 5 : 10
            case 7:
                try reader.appendFloats(part, "attribute \(name)", to: &floats)
                seen = 6
            case 8:
                try reader.appendInts(part, "attribute \(name)", to: &ints)
                seen = 7
            case 9:
                try reader.expect(.bytes, part, "attribute \(name)")
                strings.append(String(decoding: reader.file.bytes[part.body], as: UTF8.self))
                seen = 8
            case 20: type = try reader.int(part, "type of attribute \(name)")
            case 21: isReference = !part.body.isEmpty
            default: break
            }
        }
    }

    private func value(
        _ field: WireField, _ graph: OnnxGraphReader, _ parent: Int, _ free: inout [String]
    ) throws -> Attribute {
        if isReference { return .other }
        let frame = tensor == nil && graphs.isEmpty ? -1 : graph.context.push(field, parent: parent)
        switch type == 0 ? seen : type {
        case 1: return .float(float)
        case 2: return .int(int)
        case 3: return .string(string)
        case 4:
            guard let tensor else { return .other }
            let label = "attribute \(name)"
            return .tensor(try OnnxTensorReader.read(tensor, graph.context, parent: frame, label: label).data())
        case 5, 10:
            var read: [Graph] = []
            for part in graphs {
                let inner = try OnnxGraphReader(part, graph.context, parent: frame, outer: graph)
                free += inner.free
                read.append(inner.graph)
            }
            if type == 10 || seen == 10 { return .graphs(read) }
            return read.first.map { .graph($0) } ?? .other
        case 6: return .floats(floats)
        case 7: return .ints(ints)
        case 8: return .strings(strings)
        default: return .other
        }
    }
}

/// Element type and shape of a `ValueInfoProto`.
struct OnnxValueType {
    var dtype: DType?
    /// nil: rank unknown.
    var shape: [Dimension]?

    static func read(_ field: WireField, _ outer: WireReader) throws -> (name: String, type: OnnxValueType) {
        var reader = try outer.message(field, "value")
        var name = ""
        var type = OnnxValueType()
        while let part = try reader.next() {
            if part.number == 1 { name = try reader.string(part, "name of a value") }
            if part.number == 2 { try type.readType(reader.message(part, "type of a value")) }
        }
        return (name, type)
    }

    private mutating func readType(_ message: WireReader) throws {
        var reader = message
        while let part = try reader.next() {
            guard part.number == 1 else { continue }
            var tensor = try reader.message(part, "tensor type")
            while let inner = try tensor.next() {
                if inner.number == 1 { dtype = OnnxType.dtype(try tensor.int(inner, "element type")) }
                if inner.number == 2 { try readShape(tensor.message(inner, "shape of a value")) }
            }
        }
    }

    private mutating func readShape(_ message: WireReader) throws {
        var reader = message
        var dimensions: [Dimension] = []
        while let part = try reader.next() {
            guard part.number == 1 else { continue }
            var dimension = Dimension.unknown
            var fields = try reader.message(part, "dimension of a value")
            while let inner = try fields.next() {
                switch inner.number {
                case 1:
                    let size = try fields.int(inner, "size of a dimension")
                    dimension = size >= 0 ? .size(size) : .unknown
                case 2:
                    let symbol = try fields.string(inner, "name of a dimension")
                    dimension = symbol.isEmpty ? .unknown : .symbol(symbol)
                default: break
                }
            }
            dimensions.append(dimension)
        }
        shape = dimensions
    }
}
