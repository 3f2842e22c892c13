import PareTensor
import Testing

@testable import PareGraph

@Suite struct MacTests {
    @Test func countsLayers() {
        let builder = GraphBuilder().input("x", [.symbol("N"), .size(8), .size(10), .size(10)])
            .weight("w", [6, 4, 3, 3]).weight("b", [6])
            .node("Conv", ["x", "w", "b"], ["y"], [("group", .int(2))])  // 6·8·8 outputs of 4·3·3
            .weight("t", [6, 5, 2, 2]).node("ConvTranspose", ["y", "t"], ["z"], [("strides", .ints([2, 2]))])
            .node("Relu", ["z"], ["r"]).node("Flatten", ["r"], ["f"])
            .weight("g", [10, 1280]).node("Gemm", ["f", "g"], ["o"], [("transB", .int(1))])
        builder.graph.inferShapes()
        #expect(builder.graph.allMacs() == [13824, 6 * 64 * 20, 0, 0, 12800])
        #expect(builder.graph.macs(ofNode: 4) == 12800 && builder.graph.macs(ofNode: 5) == nil)
        #expect(builder.graph.parameters(ofNode: 0) == 222)
        #expect(
            builder.graph.totals()
                == GraphTotals(macs: 13824 + 7680 + 12800, parameters: 222 + 120 + 12800, unknownNodes: 0))
    }

    /// Attention's two products of activations, with the windows of one sample counted.
    @Test func countsActivationProducts() {
        let builder = GraphBuilder().input("q", [.symbol("4*N"), .size(7), .size(16)])
            .input("k", [.symbol("4*N"), .size(16), .size(9)]).node("MatMul", ["q", "k"], ["s"])
            .node("Einsum", ["q", "k"], ["e"], [("equation", .string("bij,bjk->bik"))])
        builder.graph.inferShapes()
        #expect(builder.graph.allMacs() == [4 * 7 * 16 * 9, 4 * 7 * 16 * 9])
    }

    @Test func countsRecurrentLayers() {
        let builder = GraphBuilder().input("x", sizes(5, 1, 3)).weight("w", [1, 16, 3]).weight("r", [1, 16, 4])
            .node("LSTM", ["x", "w", "r"], ["y"], [("hidden_size", .int(4))])
        builder.graph.inferShapes()
        // The leading dimension, here the steps, is taken as 1.
        #expect(builder.graph.allMacs() == [16 * 3 + 16 * 4])
        let batched = GraphBuilder().input("x", [.size(1), .size(5), .size(3)]).weight("w", [2, 12, 3]).weight("r", [2, 12, 4])
            .node("GRU", ["x", "w", "r"], ["y"], [("layout", .int(1)), ("direction", .string("bidirectional"))])
        batched.graph.inferShapes()
        #expect(batched.graph.allMacs() == [5 * 2 * (12 * 3 + 12 * 4)])
    }

    @Test func dividesAFixedBatch() {
        let builder = GraphBuilder().input("x", sizes(4, 8)).weight("w", [8, 3]).node("MatMul", ["x", "w"], ["y"])
            .weight("a", [4, 4]).weight("b", [4, 4]).node("MatMul", ["a", "b"], ["c"])
        builder.graph.inferShapes()
        #expect(builder.graph.allMacs() == [24, 64])
    }

    @Test func saysWhatIsUnknown() {
        let builder = GraphBuilder().input("x", sizes(1, 8)).node("Magic", ["x"], ["y"], domain: "custom")
            .weight("w", [8, 3]).node("MatMul", ["y", "w"], ["z"]).node("Relu", ["z"], ["o"])
        builder.graph.inferShapes()
        #expect(builder.graph.allMacs() == [nil, nil, 0])
        #expect(builder.graph.totals().unknownNodes == 2)
    }
}
