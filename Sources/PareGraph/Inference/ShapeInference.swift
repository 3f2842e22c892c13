import PareTensor

/// Something odd that shape inference met: which node, and what does not fit.
public struct ShapeNote: Equatable, Sendable {
    public var node: Int
    public var text: String

    public init(node: Int, text: String) {
        self.node = node
        self.text = text
    }
}

extension Graph {
    /// Infers element types, shapes and small constants of all values, replacing what was inferred before.
    ///
    /// Graph inputs keep their declared shapes unless `overriding` names them (-1 leaves a dimension as it is declared);
    /// a declared dimension without size or name gets the name `input.axis`, so that it can be followed. Where an operator
    /// is unknown, its outputs keep the shapes the file declares; everything else declared is ignored, since it may be
    /// older than the graph. Integer tensors of up to 4096 elements that follow from constants and shapes are folded into
    /// `Value.constant`.
    ///
    /// Never fails: what contradicts itself is returned as notes, its outputs stay unknown and inference goes on.
    /// Cost: linear in the nodes; no weight is read.
    @discardableResult
    public func inferShapes(overriding shapes: [String: [Int]] = [:]) -> [ShapeNote] {
        let run = Inference(self, outer: nil)
        run.seed(overriding: shapes)
        run.walk()
        run.publish()
        return run.notes
    }
}

/// One pass over a graph. Subgraphs get a pass of their own, chained to that of the graph around them.
final class Inference {
    let graph: Graph
    let outer: Inference?
    var facts: [Fact]
    var notes: [ShapeNote] = []
    private lazy var byName = Dictionary(
        graph.values.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })

    init(_ graph: Graph, outer: Inference?) {
        self.graph = graph
        self.outer = outer
        facts = [Fact](repeating: .unknown, count: graph.values.count)
    }

    var depth: Int { (outer?.depth ?? 0) + 1 }

    func seed(overriding shapes: [String: [Int]]) {
        for (index, value) in graph.values.enumerated() where value.producer == nil {
            if let data = value.constant {
                facts[index] = Fact(data)
            } else if let outer, !graph.inputs.contains(index), let captured = outer.lookUp(value.name) {
                facts[index] = captured
            } else {
                facts[index] = Fact(value.dtype, value.shape)
            }
        }
        for index in graph.inputs where facts.indices.contains(index) && graph.values[index].constant == nil {
            let name = graph.values[index].name
            facts[index].shape = declared(facts[index].shape, name: name, override: shapes[name])
        }
    }

    private func declared(_ shape: [Dimension]?, name: String, override: [Int]?) -> [Dimension]? {
        guard let dimensions = shape ?? override?.map({ _ in .unknown }) else { return nil }
        if let override, override.count != dimensions.count, override.allSatisfy({ $0 >= 0 }) {
            return override.map { .size($0) }
        }
        return dimensions.enumerated().map { axis, dimension in
            if let override, override.indices.contains(axis), override[axis] >= 0 { return .size(override[axis]) }
            return dimension == .unknown ? .symbol("\(name).\(axis)") : dimension
        }
    }

    private func lookUp(_ name: String) -> Fact? {
        if let index = byName[name] { return facts[index] }
        return outer?.lookUp(name)
    }

    func walk() {
        for index in graph.nodes.indices { visit(index) }
    }

    private func visit(_ index: Int) {
        let node = graph.nodes[index]
        var results: [Fact] = []
        if Registry.isOwn(node.domain), let rule = Registry.rules[node.op] {
            do {
                results = try rule(view(of: node))
            } catch {
                notes.append(ShapeNote(node: index, text: (error as? Contradiction)?.text ?? "\(error)"))
            }
        } else {
            results = node.outputs.map { value in
                facts.indices.contains(value) ? Fact(graph.values[value].dtype, graph.values[value].shape) : .unknown
            }
        }
        for (slot, value) in node.outputs.enumerated() where facts.indices.contains(value) {
            facts[value] = results.indices.contains(slot) ? sound(results[slot], node: index) : .unknown
        }
    }

    /// Sizes are checked here once, so that no rule has to: negative ones and counts that overflow become unknown.
    private func sound(_ fact: Fact, node: Int) -> Fact {
        guard let shape = fact.shape else { return fact }
        guard checkedCount(shape.map { $0.value ?? 1 }, elementSize: 8) == nil else { return fact }
        notes.append(ShapeNote(node: node, text: "shape \(shape.text) is impossible"))
        return Fact(fact.dtype)
    }

    private func view(of node: Node) -> NodeView {
        NodeView(
            node: node,
            inputs: node.inputs.map { $0 < 0 ? nil : facts.indices.contains($0) ? facts[$0] : .unknown },
            inferBranch: { [self] in infer(branch: $0) })
    }

    /// Nesting is bounded so that a hostile file cannot exhaust the stack.
    private func infer(branch: Graph) -> [Fact] {
        guard depth < 32 else { return branch.outputs.map { _ in .unknown } }
        let run = Inference(branch, outer: self)
        run.seed(overriding: [:])
        run.walk()
        run.publish()
        return branch.outputs.map { run.facts.indices.contains($0) ? run.facts[$0] : .unknown }
    }

    func publish() {
        for index in graph.values.indices {
            let fact = facts[index]
            graph.values[index].shape = fact.shape
            if graph.values[index].producer == nil, graph.values[index].constant != nil { continue }
            graph.values[index].dtype = fact.dtype
            graph.values[index].constant = graph.values[index].producer == nil ? nil : fact.constant ?? folded(fact)
        }
    }

    private func folded(_ fact: Fact) -> TensorData? {
        guard let dtype = fact.dtype, let sizes = fact.sizes, let elements = fact.elements else { return nil }
        let known = elements.compactMap(\.int)
        guard known.count == elements.count, !dtype.isFloat else { return nil }
        return TensorData(integers: known, dtype: dtype, shape: sizes)
    }
}
