import PareTensor

/// An input of a node where an initialiser arrives.
struct Reading {
    var node: Int
    var slot: Int
    /// Axis of the initialiser that each axis of the arriving value is; nil where a reshape mixed them.
    var axes: [Int?]
}

/// Finds what parameters are for. Readers are collected once; each question then costs its own readers.
struct RoleFinder {
    let graph: Graph
    /// (node, slot) pairs that read a value, by value.
    let readers: [[(node: Int, slot: Int)]]
    let outputs: Set<Int>
    /// Position in `graph.initializers` by value.
    let positions: [Int: Int]

    init(_ graph: Graph) {
        self.graph = graph
        var readers = [[(node: Int, slot: Int)]](repeating: [], count: graph.values.count)
        for (node, content) in graph.nodes.enumerated() {
            for (slot, value) in content.inputs.enumerated() where readers.indices.contains(value) {
                readers[value].append((node, slot))
            }
        }
        self.readers = readers
        outputs = Set(graph.outputs)
        positions = Dictionary(graph.initializers.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// Where an initialiser arrives after the operators that only re-arrange it, and what forbids pruning it.
    func readings(of initializer: Int) -> (found: [Reading], blocks: [String]) {
        var found: [Reading] = []
        var blocks: [String] = []
        var seen: Set<Int> = [initializer]
        var queue = [(value: initializer, axes: (graph.values[initializer].shape ?? []).indices.map(Int?.some))]
        while let (value, axes) = queue.popLast() {
            if outputs.contains(value) { blocks.append("it is also an output of the graph") }
            let direct = Set(readers[value].map(\.node))
            for node in graph.values[value].readers where !direct.contains(node) && graph.nodes.indices.contains(node) {
                blocks.append("read inside a subgraph of \(graph.nodes[node].op) (node \(node))")
            }
            for (node, slot) in readers[value] {
                let content = graph.nodes[node]
                if !isKnown(op: content.op, domain: content.domain) {
                    blocks.append("read by unknown operator \(content.op) (node \(node))")
                } else if slot == 0, let next = content.outputs.first, graph.values.indices.contains(next),
                    let moved = pass(axes, through: content, from: value, to: next)
                {
                    if seen.insert(next).inserted { queue.append((next, moved)) }
                } else {
                    found.append(Reading(node: node, slot: slot, axes: axes))
                }
            }
        }
        return (found.sorted { ($0.node, $0.slot) < ($1.node, $1.slot) }, blocks)
    }

    /// Axes behind an operator that hands its first input on; nil for every other operator.
    private func pass(_ axes: [Int?], through node: Node, from value: Int, to next: Int) -> [Int?]? {
        switch node.op {
        case "Identity", "Cast", "CastLike", "DequantizeLinear", "QuantizeLinear", "Dropout": return axes
        case "Transpose":
            let order = node.ints("perm") ?? Array(axes.indices.reversed())
            guard order.count == axes.count, order.allSatisfy(axes.indices.contains) else { return nil }
            return order.map { axes[$0] }
        case "Reshape", "Squeeze", "Unsqueeze", "Flatten":
            guard let before = graph.values[value].shape, let after = graph.values[next].shape else { return nil }
            return matched(axes, before, after)
        default: return nil
        }
    }

    /// Axes that a reshape leaves alone, compared from the front and skipping those of size 1.
    private func matched(_ axes: [Int?], _ before: [Dimension], _ after: [Dimension]) -> [Int?] {
        guard axes.count == before.count else { return after.map { _ in nil } }
        var result = [Int?](repeating: nil, count: after.count)
        var old = before.indices.filter { before[$0] != .size(1) }[...]
        for new in after.indices where after[new] != .size(1) {
            guard let axis = old.popFirst(), before[axis] == after[new] else { break }
            result[new] = axes[axis]
        }
        return result
    }

    /// Node that makes a value, looking through operators that change neither its numbers nor their number.
    func maker(of value: Int, through extra: Set<String> = []) -> (index: Int, node: Node)? {
        var current = value
        for _ in 0..<16 {
            guard graph.values.indices.contains(current), let index = graph.values[current].producer,
                graph.nodes.indices.contains(index)
            else { return nil }
            let node = graph.nodes[index]
            guard ["Identity", "Cast", "CastLike", "Dropout"].contains(node.op) || extra.contains(node.op),
                let next = node.inputs.first
            else { return (index, node) }
            current = next
        }
        return nil
    }

    /// The initialiser a value is, perhaps behind operators that re-arrange it; its position in `graph.initializers`.
    func initializer(behind value: Int) -> Int? {
        var current = value
        for _ in 0..<16 {
            if let position = positions[current] { return position }
            guard let (_, node) = makerOnce(of: current), let next = node.inputs.first,
                ["Identity", "Cast", "CastLike", "Transpose", "Reshape", "Squeeze", "Unsqueeze", "DequantizeLinear"]
                    .contains(node.op)
            else { return nil }
            current = next
        }
        return nil
    }

    func makerOnce(of value: Int) -> (index: Int, node: Node)? {
        guard graph.values.indices.contains(value), let index = graph.values[value].producer,
            graph.nodes.indices.contains(index)
        else { return nil }
        return (index, graph.nodes[index])
    }
}
