import PareTensor
import Testing

@testable import PareGraph

/// Every operator with random inputs and attributes that mostly make no sense: nothing may trap, and whatever shape comes
/// out is a possible one.
@Suite struct MalformedTests {
    static let names = [
        "axis", "axes", "kernel_shape", "strides", "pads", "dilations", "group", "output_padding", "output_shape", "perm",
        "split", "num_outputs", "starts", "ends", "keepdims", "to", "blocksize", "batch_dims", "start", "end", "hidden_size",
        "q_num_heads", "kv_num_heads", "scales", "k", "shape", "dtype", "value_ints", "size", "allowzero", "layout",
        "output_height", "pooled_shape", "ceil_mode", "transA",
    ]
    static let extremes = [Int.min, .min + 1, -5, -2, -1, 0, 1, 2, 3, 4, 7, 4096, 1 << 31, 1 << 40, .max - 1, .max]
    static let equations = ["ij,jk->ik", "", "->", "...ij,j...", "ii->z", "a,b,c", "-", "i-", ".", "ab,ab->"]

    @Test(arguments: Registry.rules.keys.sorted())
    func survives(_ op: String) {
        var random = Random(state: op.utf8.reduce(1) { $0 &* 31 &+ UInt64($1) })
        for _ in 0..<300 {
            let builder = GraphBuilder()
            let inputs = (0..<random.below(6)).map { slot in input(slot, builder, &random) }
            var attributes: [(name: String, value: Attribute)] = []
            for _ in 0..<random.below(5) {
                attributes.append((Self.names[random.below(Self.names.count)], value(&random)))
            }
            attributes.append(("auto_pad", .string(["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID", "?"][random.below(5)])))
            attributes.append(("equation", .string(Self.equations[random.below(Self.equations.count)])))
            if random.below(2) == 0 { attributes.append(("direction", .string("bidirectional"))) }
            builder.node(op, inputs, (0..<random.below(4)).map { "y\($0)" }, attributes)
            builder.graph.inferShapes()
            for value in builder.graph.values where value.producer != nil {
                #expect((value.shape ?? []).allSatisfy { ($0.value ?? 0) >= 0 })
                if let data = value.constant {
                    #expect(data.shape.map { Dimension.size($0) } == value.shape && data.bytes.count >= data.count * data.dtype.size)
                }
            }
            _ = builder.graph.totals()
            _ = builder.graph.normScales()
        }
    }

    /// Valid nodes with one number after another replaced by something else.
    @Test(arguments: fixtureLines())
    func survivesMutation(_ line: String) {
        let characters = Array(line.utf8)
        let numbers = characters.indices.filter { (48...57).contains(characters[$0]) && line.utf8.count > $0 }
        var random = Random(state: line.utf8.reduce(7) { $0 &* 31 &+ UInt64($1) })
        for _ in 0..<200 {
            var text = characters
            for _ in 0...random.below(2) {
                let place = numbers[random.below(numbers.count)]
                guard text.indices.contains(place), (48...57).contains(text[place]) else { continue }
                text.replaceSubrange(place...place, with: "\(Self.extremes[random.below(Self.extremes.count)])".utf8)
            }
            let parts = String(decoding: text, as: UTF8.self).split(separator: "|", omittingEmptySubsequences: false)
            guard let builder = sampleGraph(parts) else { continue }
            builder.graph.inferShapes()
            _ = builder.graph.totals()
            for value in builder.graph.values { #expect((value.shape ?? []).allSatisfy { ($0.value ?? 0) >= 0 }) }
        }
    }

    private func input(_ slot: Int, _ builder: GraphBuilder, _ random: inout Random) -> String {
        let name = "x\(slot)"
        switch random.below(5) {
        case 0: return ""
        case 1:
            let numbers = (0..<random.below(5)).map { _ in Self.extremes[random.below(Self.extremes.count)] }
            builder.weight(name, [numbers.count], .int64, integers: numbers)
        case 2: builder.weight(name, (0..<random.below(5)).map { _ in random.below(4) })
        case 3:
            builder.input(
                name,
                (0..<random.below(6)).map { _ in
                    switch random.below(8) {
                    case 0: .symbol("N")
                    case 1: .size(max(Self.extremes[random.below(Self.extremes.count)], 0))
                    default: .size(random.below(5))
                    }
                })
        default: builder.value(name)
        }
        return name
    }

    private func value(_ random: inout Random) -> Attribute {
        let numbers = (0..<random.below(5)).map { _ in Self.extremes[random.below(Self.extremes.count)] }
        switch random.below(6) {
        case 0, 1: return .int(Self.extremes[random.below(Self.extremes.count)])
        case 2, 3: return .ints(numbers)
        case 4: return .floats(numbers.map { Float($0) } + [.nan, .infinity])
        default: return .tensor(random.below(2) == 0 ? nil : TensorData(integers: numbers, dtype: .int64, shape: [numbers.count]))
        }
    }

    /// Indices that point nowhere, and a node that reads its own output.
    @Test func survivesBrokenIndices() {
        let graph = Graph()
        graph.values = [Value(name: "a"), Value(name: "b")]
        graph.inputs = [7]
        graph.outputs = [-3]
        graph.initializers = [9]
        graph.nodes = [Node(name: "", op: "Add", inputs: [5, -1, 1], outputs: [1, 8])]
        graph.inferShapes()
        _ = graph.totals()
        #expect(analyseParameters(graph).count == 1)
    }
}

/// A small deterministic generator (64-bit linear congruential, upper bits).
struct Random {
    var state: UInt64

    mutating func below(_ limit: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33) % limit
    }
}
