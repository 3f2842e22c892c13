import PareTensor

/// A constant array: where its bytes lie and who keeps them alive.
public struct TensorData {
    public var dtype: DType
    public var shape: [Int]
    /// Row-major, little-endian, `count * dtype.size` bytes.
    public var bytes: UnsafeRawBufferPointer
    /// Keeps `bytes` valid (a mapped file, a decoded buffer).
    public var owner: AnyObject?

    public init(dtype: DType, shape: [Int], bytes: UnsafeRawBufferPointer, owner: AnyObject?) {
        self.dtype = dtype
        self.shape = shape
        self.bytes = bytes
        self.owner = owner
    }

    public var count: Int { shape.reduce(1, &*) }
    public var view: TensorView {
        TensorView(base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), dtype: dtype, shape: shape)
    }
}

/// Value of a node's attribute; the cases are ONNX's attribute types.
public enum Attribute {
    case int(Int)
    case float(Float)
    case string(String)
    case ints([Int])
    case floats([Float])
    case strings([String])
    /// nil: a tensor of a type that Pare does not read.
    case tensor(TensorData?)
    case graph(Graph)
    case graphs([Graph])
    /// Anything else (types, sparse tensors, references): kept in the file, not looked at.
    case other
}

public struct Node {
    public var name: String
    public var op: String
    public var domain: String
    /// Value indices; -1 for an omitted optional input or output.
    public var inputs: [Int]
    public var outputs: [Int]
    public var attributes: [(name: String, value: Attribute)]

    public init(
        name: String, op: String, domain: String = "", inputs: [Int], outputs: [Int],
        attributes: [(name: String, value: Attribute)] = []
    ) {
        self.name = name
        self.op = op
        self.domain = domain
        self.inputs = inputs
        self.outputs = outputs
        self.attributes = attributes
    }

    public func attribute(_ name: String) -> Attribute? { attributes.first { $0.name == name }?.value }

    public func int(_ name: String, default value: Int) -> Int {
        if case .int(let found)? = attribute(name) { return found }
        return value
    }

    public func ints(_ name: String) -> [Int]? {
        if case .ints(let found)? = attribute(name) { return found }
        return nil
    }

    public func string(_ name: String, default value: String) -> String {
        if case .string(let found)? = attribute(name) { return found }
        return value
    }
}

/// A dimension: known, named, or unknown.
public enum Dimension: Equatable, Sendable {
    case size(Int)
    case symbol(String)
    case unknown

    public var value: Int? {
        if case .size(let size) = self { return size }
        return nil
    }
}

/// A tensor that flows: a graph input, a node's output, or an initialiser.
public struct Value {
    public var name: String
    public var dtype: DType?
    /// nil: rank unknown.
    public var shape: [Dimension]?
    /// Node that makes it; nil for graph inputs and initialisers.
    public var producer: Int?
    /// Nodes that read it, in execution order, once per reading node; subgraph readers count for the outer node.
    public var readers: [Int]
    /// Contents if it is an initialiser or a folded constant.
    public var constant: TensorData?
    public var isInitializer: Bool

    public init(name: String) {
        self.name = name
        self.readers = []
        self.isInitializer = false
    }
}

/// A model's graph in ONNX's vocabulary. Nodes are in execution order (checked when it is built).
public final class Graph {
    public var name: String
    /// Operator set version by domain ("" = ONNX's own).
    public var opsets: [String: Int]
    public var nodes: [Node]
    public var values: [Value]
    public var inputs: [Int]
    public var outputs: [Int]
    /// Value indices of the initialisers, in file order.
    public var initializers: [Int]

    public init(name: String = "") {
        self.name = name
        opsets = [:]
        nodes = []
        values = []
        inputs = []
        outputs = []
        initializers = []
    }
}
