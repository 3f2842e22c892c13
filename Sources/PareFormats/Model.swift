import PareGraph
import PareTensor

/// A tensor that is kept as it is because Pare does not compute with its type.
public struct CarriedTensor: Sendable {
    public var name: String
    public var dtype: String
    public var shape: [Int]
}

/// How to save.
public struct SaveOptions {
    /// nil: as it was opened; a model made in memory becomes safetensors.
    public var format: ModelFormat?
    /// Replace an existing target.
    public var overwrite: Bool
    /// Metadata entries to add; an entry of the same key is replaced.
    public var provenance: [(key: String, value: String)]

    public init(
        format: ModelFormat? = nil, overwrite: Bool = false, provenance: [(key: String, value: String)] = []
    ) {
        self.format = format
        self.overwrite = overwrite
        self.provenance = provenance
    }
}

/// What a container is asked to write.
struct SaveTarget {
    var path: String
    /// All entries that the file is to have.
    var metadata: [(key: String, value: String)]
}

/// The file or files behind a model: knows how to write them again with the model's changes.
protocol Container: AnyObject {
    /// Files that are being read and must not be replaced.
    var inputs: Set<FileIdentity> { get }
    func plan(_ model: Model, _ target: SaveTarget) throws -> SavePlan
}

/// A container of named tensors and nothing more.
protocol TensorContainer: Container {
    /// New objects at every call.
    func parameters() -> [Parameter]
    func carried() -> [CarriedTensor]
    var metadataEntries: [(key: String, value: String)] { get }
}

/// A model: named parameters, and a graph where the format has one.
///
/// Opening maps the file and reads its header only; saving streams. The file that was opened is never written.
public final class Model {
    /// As given to `open`; empty for a model made in memory.
    public let path: String
    public let format: ModelFormat
    /// In file order.
    public private(set) var parameters: [Parameter]
    public let graph: Graph?
    /// Metadata entries of the file, in file order; what is changed here is saved.
    public var metadata: [(key: String, value: String)]
    /// Tensors of other types, saved unchanged.
    public let carried: [CarriedTensor]
    let container: (any Container)?
    private var indices: [String: Int]

    init(
        path: String, format: ModelFormat, parameters: [Parameter], graph: Graph? = nil,
        metadata: [(key: String, value: String)] = [], carried: [CarriedTensor] = [], container: (any Container)?
    ) {
        self.path = path
        self.format = format
        self.parameters = parameters
        self.graph = graph
        self.metadata = metadata
        self.carried = carried
        self.container = container
        indices = Dictionary(
            parameters.enumerated().map { ($0.element.name, $0.offset) }, uniquingKeysWith: { first, _ in first })
    }

    /// A model without a file; `add` gives it parameters.
    public static func inMemory() -> Model {
        Model(path: "", format: .memory, parameters: [], container: nil)
    }

    /// Add a copy of an array to a model made in memory.
    public func add(name: String, view: TensorView, role: ParameterRole) throws {
        guard format == .memory else {
            throw PareError(.state, "parameters can be added only to a model made in memory", at: path)
        }
        guard !name.isEmpty, name != SafetensorsHeader.metadataName else {
            throw PareError(.argument, "is not a name for a parameter", found: "\"\(name)\"")
        }
        guard indices[name] == nil else {
            throw PareError(.argument, "two parameters have the same name", at: name)
        }
        guard let count = checkedCount(view.shape, elementSize: view.dtype.size) else {
            throw PareError(.shape, "the shape is impossible", at: name, found: "\(view.shape)")
        }
        let buffer = try OwnedBuffer(count: count * view.dtype.size)
        try copyElements(view, to: buffer.base, as: view.dtype)
        let parameter = Parameter(
            name: name, dtype: view.dtype, shape: view.shape, role: role, stored: .owned(buffer))
        parameter.prunable = role == .weight && view.dtype.isFloat
        parameter.reason = parameter.prunable ? "" : ParameterNames.reason(for: role, dtype: view.dtype)
        indices[name] = parameters.count
        parameters.append(parameter)
    }

    /// Index of a parameter; the error names the nearest one.
    public func index(of name: String) throws -> Int {
        if let index = indices[name] { return index }
        let near = nearest(to: name, in: indices.keys)
        throw PareError(
            .notFound, "there is no such parameter", at: path, found: "\"\(name)\"",
            hint: near.map { "did you mean \"\($0)\"?" } ?? "")
    }

    public func parameter(named name: String) throws -> Parameter { parameters[try index(of: name)] }
}
