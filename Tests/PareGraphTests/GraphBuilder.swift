import PareTensor

@testable import PareGraph

/// Builds small graphs by value names, with producers and readers filled as a file reader would.
final class GraphBuilder {
    let graph = Graph(name: "test")
    private var names: [String: Int] = [:]

    init(opset: Int = 21) { graph.opsets[""] = opset }

    subscript(name: String) -> Value { graph.values[names[name] ?? 0] }
    func index(_ name: String) -> Int { names[name] ?? -1 }
    /// Position in `initializers`.
    func position(_ name: String) -> Int { graph.initializers.firstIndex(of: index(name)) ?? -1 }

    @discardableResult
    func value(_ name: String) -> Int {
        if name.isEmpty || name == "-" { return -1 }
        if let known = names[name] { return known }
        graph.values.append(Value(name: name))
        names[name] = graph.values.count - 1
        return graph.values.count - 1
    }

    @discardableResult
    func input(_ name: String, _ shape: [Dimension], _ dtype: DType = .float32) -> GraphBuilder {
        let index = value(name)
        graph.values[index].shape = shape
        graph.values[index].dtype = dtype
        graph.inputs.append(index)
        return self
    }

    /// Floating-point zeros, or the given integers.
    @discardableResult
    func weight(_ name: String, _ shape: [Int], _ dtype: DType = .float32, integers: [Int]? = nil) -> GraphBuilder {
        let index = value(name)
        let count = shape.reduce(1, *)
        let words = integers ?? [Int](repeating: 0, count: count)
        graph.values[index].constant =
            dtype.isFloat ? floats(words.map { Float($0) }, dtype, shape) : TensorData(integers: words, dtype: dtype, shape: shape)
        graph.values[index].dtype = dtype
        graph.values[index].shape = shape.map { .size($0) }
        graph.values[index].isInitializer = true
        graph.initializers.append(index)
        return self
    }

    func vector(_ name: String, _ integers: [Int]) -> GraphBuilder {
        weight(name, [integers.count], .int64, integers: integers)
    }

    @discardableResult
    func node(
        _ op: String, _ inputs: [String], _ outputs: [String], domain: String = "",
        _ attributes: [(name: String, value: Attribute)] = []
    ) -> GraphBuilder {
        let node = Node(
            name: "", op: op, domain: domain, inputs: inputs.map { value($0) }, outputs: outputs.map { value($0) },
            attributes: attributes)
        for output in node.outputs where output >= 0 { graph.values[output].producer = graph.nodes.count }
        for input in Set(node.inputs) where input >= 0 { graph.values[input].readers.append(graph.nodes.count) }
        graph.nodes.append(node)
        return self
    }

    @discardableResult
    func output(_ names: String...) -> GraphBuilder {
        graph.outputs += names.map { value($0) }
        return self
    }
}

func floats(_ values: [Float], _ dtype: DType, _ shape: [Int]) -> TensorData {
    let memory = FoldedBytes(count: values.count * dtype.size)
    for (index, value) in values.enumerated() {
        switch dtype {
        case .float64: memory.pointer.storeBytes(of: Double(value), toByteOffset: index * 8, as: Double.self)
        case .float32: memory.pointer.storeBytes(of: value, toByteOffset: index * 4, as: Float.self)
        default: memory.pointer.storeBytes(of: UInt16(value.bitPattern >> 16), toByteOffset: index * 2, as: UInt16.self)
        }
    }
    return TensorData(dtype: dtype, shape: shape, bytes: UnsafeRawBufferPointer(memory.pointer), owner: memory)
}

extension TensorData {
    var integers: [Int]? { Block(self)?.elements.compactMap(\.int) }
}

func sizes(_ sizes: Int...) -> [Dimension] { sizes.map { .size($0) } }
