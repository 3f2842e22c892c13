import PareFormats
import PareGraph
import PareMask
import PareTensor

/// A model with what its graph says about each parameter: role, layout, cost, and whether it may be pruned.
public final class AnalysedModel {
    public let model: Model
    /// One per parameter of the model; nil where there is no graph to tell.
    public let uses: [ParameterUse?]
    /// Contradictions met during shape inference.
    public let notes: [ShapeNote]
    /// Multiply-accumulates of each node for one sample; nil where not known. Empty when there is no graph.
    public let nodeMacs: [Int?]
    /// Position of γ behind each of the graph's initialisers.
    private lazy var normScales = model.graph?.normScales() ?? []
    /// Pattern of the masks that are attached.
    public internal(set) var pattern = Pattern.element
    /// What the last prune request leaves in the metadata of the saved file.
    public internal(set) var provenance: [(key: String, value: String)] = []
    /// The masks that were attached when it was done.
    var decided: [Mask?] = []

    public init(_ model: Model) {
        self.model = model
        guard let graph = model.graph else {
            uses = model.parameters.map { _ in nil }
            notes = []
            nodeMacs = []
            return
        }
        notes = graph.inferShapes()
        nodeMacs = graph.allMacs()
        let analysed = analyseParameters(graph)
        var byValue: [Int: ParameterUse] = [:]
        for (position, value) in graph.initializers.enumerated() where position < analysed.count { byValue[value] = analysed[position] }
        uses = model.parameters.map { $0.valueIndex.flatMap { byValue[$0] } }
        for (parameter, use) in zip(model.parameters, uses) {
            guard let use else { continue }
            parameter.role = use.role
            parameter.prunable = use.prunable
            parameter.reason = use.reason
            parameter.layout = use.layout
            // A language model without its embeddings loses words, not weights: only on request.
            if use.role == .embedding, use.prunable {
                parameter.prunable = false
                parameter.reason = "embedding: pruned only when included by name"
            }
        }
    }

    /// Opens and analyses a model.
    public static func open(_ path: String) throws -> AnalysedModel { AnalysedModel(try Model.open(path)) }

    /// Multiply-accumulates of one sample in the layer that a parameter belongs to. Without a graph a matrix costs its elements
    /// per token; nil when not known, and for biases and the like, so that no layer counts twice.
    public func macs(of index: Int) -> Int? {
        let parameter = model.parameters[index]
        guard parameter.role == .weight || parameter.role == .embedding else { return nil }
        guard model.graph != nil else { return parameter.shape.count == 2 && parameter.role == .weight ? parameter.count : nil }
        guard let node = uses[index]?.node, let macs = nodeMacs[node] else { return nil }
        // A recurrent node has two weights: each carries its part.
        let shares = uses.indices.filter { uses[$0]?.node == node && uses[$0]?.role == parameter.role }
        guard shares.count > 1 else { return macs }
        let elements = shares.reduce(0) { $0 + model.parameters[$1].count }
        return elements == 0 ? macs : clampedCount(Double(macs) * Double(parameter.count) / Double(elements))
    }

    /// Shape as [out, in / groups, kernel …], whatever the file's layout.
    public func canonicalShape(of index: Int) -> [Int] {
        let parameter = model.parameters[index]
        guard parameter.layout == .inFirst, parameter.shape.count >= 2 else { return parameter.shape }
        var shape = parameter.shape
        shape.swapAt(0, 1)
        return shape
    }

    /// γ of the normalisation that follows the layer of a weight: index of its parameter.
    public func normScale(after index: Int) -> Int? {
        guard let graph = model.graph, let value = model.parameters[index].valueIndex,
            let position = graph.initializers.firstIndex(of: value), let scale = normScales[position]
        else { return nil }
        return model.parameters.firstIndex { $0.valueIndex == graph.initializers[scale] }
    }
}
