import PareTensor

/// Totals of a graph for one sample.
public struct GraphTotals: Equatable, Sendable {
    /// Multiply-accumulates of the nodes whose count is known.
    public var macs: Int
    /// Elements of the floating-point initialisers that training changes: no running statistics, no constants.
    public var parameters: Int
    /// Nodes that may have some, but whose count is unknown.
    public var unknownNodes: Int
}

extension Graph {
    /// Multiply-accumulates of one node for one sample; nil where a shape or the operator is unknown.
    ///
    /// The rule is "convolutions and fully connected layers": only matrix products count (convolution, Gemm, MatMul also of
    /// two activations, Einsum of two, attention, recurrent layers), without their biases; all else is 0.
    ///
    /// One sample means that the leading dimension of the graph's inputs is 1. A named dimension therefore counts as 1
    /// ("64*batch" as 64). A leading dimension of the first input that is a number n above 1 divides the counts of the
    /// nodes that depend on an input, where n divides them. Needs `inferShapes`; linear in the nodes.
    public func macs(ofNode node: Int) -> Int? {
        guard nodes.indices.contains(node) else { return nil }
        return allMacs()[node]
    }

    /// `macs(ofNode:)` for every node in one pass.
    public func allMacs() -> [Int?] {
        let batch = leadingSize
        guard batch > 1 else { return nodes.map { MacRule.count($0, in: self) } }
        var depends = [Bool](repeating: false, count: values.count)
        for input in inputs where values.indices.contains(input) && values[input].constant == nil { depends[input] = true }
        return nodes.map { node in
            let follows = node.inputs.contains { depends.indices.contains($0) && depends[$0] }
            if follows { for output in node.outputs where depends.indices.contains(output) { depends[output] = true } }
            guard let count = MacRule.count(node, in: self) else { return nil }
            return follows && count % batch == 0 ? count / batch : count
        }
    }

    /// Leading dimension of the first input that has one, if it is a number; otherwise 1.
    private var leadingSize: Int {
        let shapes = inputs.filter { values.indices.contains($0) && values[$0].constant == nil }.compactMap { values[$0].shape }
        return shapes.first { $0.count >= 2 }?.first?.value ?? 1
    }

    /// Elements of the floating-point initialisers that a node reads itself.
    public func parameters(ofNode node: Int) -> Int {
        guard nodes.indices.contains(node) else { return 0 }
        return Set(nodes[node].inputs).reduce(0) { sum, value in
            guard values.indices.contains(value), values[value].isInitializer, values[value].dtype?.isFloat == true else {
                return sum
            }
            return sum &+ (MacRule.size(values[value].shape) ?? 0)
        }
    }

    /// MACs, parameters and how many nodes are unknown. Linear in the nodes.
    public func totals() -> GraphTotals {
        var totals = GraphTotals(macs: 0, parameters: 0, unknownNodes: 0)
        for count in allMacs() {
            guard let count else {
                totals.unknownNodes += 1
                continue
            }
            totals.macs = clampedSum([totals.macs, count])
        }
        let fixed: Set<ParameterRole> = [.normMean, .normVariance, .constant]
        for (use, value) in zip(analyseParameters(self), initializers) where !fixed.contains(use.role) && values.indices.contains(value) {
            totals.parameters &+= MacRule.size(values[value].shape) ?? 0
        }
        return totals
    }
}

/// How the operators that multiply matrices are counted.
enum MacRule {
    static func count(_ node: Node, in graph: Graph) -> Int? {
        guard isKnown(op: node.op, domain: node.domain) else { return nil }
        func shape(_ slot: Int) -> [Dimension]? {
            guard node.inputs.indices.contains(slot), graph.values.indices.contains(node.inputs[slot]) else { return nil }
            return graph.values[node.inputs[slot]].shape
        }
        let output = node.outputs.first.flatMap { graph.values.indices.contains($0) ? graph.values[$0].shape : nil }
        switch node.op {
        case "Conv", "ConvInteger", "DeformConv": return product(size(output), size(shape(1)?.dropFirst()))
        case "QLinearConv": return product(size(output), size(shape(3)?.dropFirst()))
        case "ConvTranspose": return product(size(shape(0)), size(shape(1)?.dropFirst()))
        case "Gemm":
            let inner = shape(0).flatMap { $0.count == 2 ? $0[node.int("transA", default: 0) != 0 ? 0 : 1] : nil }
            return product(size(output), size(inner.map { [$0] }))
        case "MatMul", "MatMulInteger", "QLinearMatMul": return product(size(output), size(shape(0)?.suffix(1)))
        case "Einsum": return einsum(node, node.inputs.indices.map { shape($0) })
        case "RNN", "GRU", "LSTM":
            guard let own = size(shape(1)), let recurrent = size(shape(2)) else { return nil }
            return product(size(shape(0)?.prefix(2)), clampedSum([own, recurrent]))
        case "Attention": return attention(graph, node, value: shape(2))
        case "If", "Loop", "Scan": return control(node)
        default: return 0
        }
    }

    /// Number of elements with every name taken as 1; nil if a dimension is unknown or the count overflows.
    static func size(_ shape: (some Sequence<Dimension>)?) -> Int? {
        guard let shape else { return nil }
        return shape.reduce(Int?.some(1)) { product($0, $1.monomial?.factor) }
    }

    static func product(_ a: Int?, _ b: Int?) -> Int? {
        guard let a, let b else { return nil }
        let (result, overflow) = a.multipliedReportingOverflow(by: b)
        return overflow ? nil : result
    }

    /// Two operands: every combination of labels is one multiplication. One operand needs none.
    private static func einsum(_ node: Node, _ shapes: [[Dimension]?]) -> Int? {
        guard shapes.count > 1 else { return 0 }
        let known = shapes.compactMap { $0 }
        guard known.count == 2, shapes.count == 2,
            let sum = try? EinsteinSum(node.string("equation", default: ""), known)
        else { return nil }
        return product(size(Array(sum.sizes.values)), size(sum.batch))
    }

    /// Queries by keys, then the weights by values: batch · heads · length · total · (key size + value size).
    private static func attention(_ graph: Graph, _ node: Node, value: [Dimension]?) -> Int? {
        let rule = Registry.rules["Attention"]
        let facts = node.inputs.map { index -> Fact? in
            guard graph.values.indices.contains(index) else { return nil }
            return Fact(graph.values[index].dtype, graph.values[index].shape)
        }
        let view = NodeView(node: node, inputs: facts, inferBranch: { _ in [] })
        guard let shapes = try? rule?(view), shapes.count == 4, let scores = size(shapes[3].shape) else { return nil }
        guard let key = shapes[1].shape?.last?.value, let size = shapes[2].shape?.last?.value else { return nil }
        return product(scores, clampedSum([key, size]))
    }

    /// The larger branch; a loop whose body multiplies matrices runs an unknown number of times.
    private static func control(_ node: Node) -> Int? {
        let bodies = node.attributes.compactMap { if case .graph(let body) = $0.value { body } else { nil } }
        let counts = bodies.map { body in
            body.allMacs().reduce(Int?.some(0)) { sum, count in sum.flatMap { so in count.map { clampedSum([so, $0]) } } }
        }
        guard let largest = counts.max(by: { ($0 ?? .max) < ($1 ?? .max) }) ?? 0 else { return nil }
        return node.op == "If" || largest == 0 ? largest : nil
    }
}
