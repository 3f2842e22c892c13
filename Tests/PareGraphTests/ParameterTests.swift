import PareTensor
import Testing

@testable import PareGraph

@Suite struct ParameterTests {
    func uses(_ builder: GraphBuilder) -> (String) -> ParameterUse {
        #expect(builder.graph.inferShapes().isEmpty)
        let all = analyseParameters(builder.graph)
        return { all[builder.position($0)] }
    }

    @Test func readsConvolutionalNetworks() {
        let builder = GraphBuilder().input("x", sizes(1, 4, 8, 8)).weight("w", [6, 2, 3, 3]).weight("b", [6])
            .node("Conv", ["x", "w", "b"], ["c"], [("group", .int(2))])
            .weight("γ", [6]).weight("β", [6]).weight("μ", [6]).weight("σ", [6])
            .node("BatchNormalization", ["c", "γ", "β", "μ", "σ"], ["n"])
            .weight("t", [6, 5, 2, 2]).node("ConvTranspose", ["n", "t"], ["o"]).weight("eps", [1])
            .node("Add", ["o", "eps"], ["p"])
        let use = uses(builder)
        #expect(use("w").role == .weight && use("w").layerType == .conv && use("w").groups == 2)
        #expect(use("w").layout == .outFirst && use("w").prunable && use("w").reason.isEmpty && use("w").node == 0)
        #expect(use("t").layout == .inFirst && use("t").prunable)
        #expect(["b", "γ", "β", "μ", "σ"].map { use($0).role } == [.bias, .normScale, .normShift, .normMean, .normVariance])
        #expect(use("eps").role == .constant && !use("b").prunable && use("b").reason == "not a weight")
        #expect(builder.graph.normScaleAfter(builder.position("w")) == builder.position("γ"))
        #expect(builder.graph.normScaleAfter(builder.position("t")) == nil)
    }

    @Test func findsLayoutsOfMatrices() {
        let builder = GraphBuilder().input("x", sizes(3, 8))
            .weight("in", [8, 8]).node("MatMul", ["x", "in"], ["a"])
            .weight("out", [8, 8]).node("Gemm", ["a", "out"], ["b"], [("transB", .int(1))])
            .weight("plain", [8, 8]).node("Gemm", ["b", "plain"], ["c"])
            .weight("flipped", [8, 8]).node("Transpose", ["flipped"], ["f"], [("perm", .ints([1, 0]))])
            .node("MatMul", ["c", "f"], ["d"])
            .weight("left", [5, 3]).node("MatMul", ["left", "d"], ["e"])
            .weight("half", [8, 8], .bfloat16).node("Cast", ["half"], ["h"], [("to", .int(1))])
            .node("MatMul", ["e", "h"], ["g"]).weight("bias", [8]).node("Add", ["bias", "g"], ["i"])
        let use = uses(builder)
        #expect(["in", "out", "plain", "flipped", "left", "half"].allSatisfy { use($0).prunable && use($0).layerType == .linear })
        #expect(use("in").layout == .inFirst && use("plain").layout == .inFirst && use("half").layout == .inFirst)
        #expect(use("out").layout == .outFirst && use("flipped").layout == .outFirst && use("left").layout == .outFirst)
        #expect(use("flipped").node == 4 && use("flipped").slot == 1)
        #expect(use("bias").role == .bias && use("bias").layerType == .linear)
    }

    @Test func seesThroughReshapesAndQuantisation() {
        let builder = GraphBuilder().input("x", sizes(1, 8, 4, 4)).weight("w", [6, 8]).vector("s", [6, 8, 1, 1])
            .node("Reshape", ["w", "s"], ["k"]).node("Conv", ["x", "k"], ["c"])
            .weight("mixed", [6, 6]).vector("m", [4, 9]).node("Reshape", ["mixed", "m"], ["v"])
            .input("z", sizes(2, 4)).node("MatMul", ["z", "v"], ["o"])
            .weight("q", [9, 5], .int8).weight("scale", [5]).node("DequantizeLinear", ["q", "scale"], ["dq"], [("axis", .int(1))])
            .node("MatMul", ["o", "dq"], ["r"])
        let use = uses(builder)
        #expect(use("w").prunable && use("w").layout == .outFirst && use("w").layerType == .conv)
        #expect(use("mixed").role == .weight && use("mixed").reason == "MatMul (node 3) takes it with its axes mixed")
        #expect(use("q").role == .weight && use("q").reason == "element type i8")
        #expect(use("scale").role == .constant && use("s").role == .constant)
    }

    @Test func keepsSharedWeights() {
        let builder = GraphBuilder().input("x", sizes(1, 4, 8, 8)).weight("w", [4, 4, 1, 1]).weight("zero", [4])
            .node("Conv", ["x", "w", "zero"], ["a"]).node("Conv", ["a", "w"], ["b"])
            .weight("γ", [4]).node("InstanceNormalization", ["b", "γ", "zero"], ["c"])
        let use = uses(builder)
        #expect(use("w").prunable && use("w").node == 0)
        #expect(use("zero").role == .other)
        #expect(
            use("zero").reason
                == "its readers disagree: read as bias by Conv (node 0), normShift by InstanceNormalization (node 2)")
        #expect(builder.graph.normScaleAfter(builder.position("w")) == nil)
    }

    @Test func keepsTiedEmbeddings() {
        let builder = GraphBuilder().input("ids", sizes(1, 5), .int64).weight("table", [50, 8]).weight("own", [50, 8])
            .node("Gather", ["table", "ids"], ["e"]).node("Gather", ["own", "ids"], ["p"]).node("Add", ["e", "p"], ["h"])
            .node("Transpose", ["table"], ["t"]).node("MatMul", ["h", "t"], ["logits"])
        let use = uses(builder)
        #expect(use("table").role == .embedding && !use("table").prunable && use("table").layerType == .embedding)
        #expect(use("table").reason == "tied: read as embedding by Gather (node 0), weight by MatMul (node 4)")
        #expect(use("own").role == .embedding && use("own").prunable)
    }

    @Test func blocksWhatItDoesNotUnderstand() {
        let builder = GraphBuilder().input("x", sizes(2, 8)).weight("a", [8, 8]).weight("b", [8, 8]).weight("c", [8, 8])
            .weight("d", [8, 8]).weight("idle", [3, 3])
            .node("MatMul", ["x", "a"], ["1"]).node("Magic", ["1", "a"], ["2"], domain: "custom")
            .node("MatMul", ["x", "b"], ["3"]).node("MatMul", ["x", "c"], ["4"]).node("Loop", [], ["5"])
            .node("Magic", ["d"], ["6"]).output("b")
        builder.graph.values[builder.index("c")].readers.append(4)
        let use = uses(builder)
        #expect(use("a").role == .weight && use("a").reason == "read by unknown operator Magic (node 1)")
        #expect(use("b").reason == "it is also an output of the graph")
        #expect(use("c").reason == "read inside a subgraph of Loop (node 4)")
        #expect(use("d").role == .other && use("d").reason == "read by unknown operator Magic (node 5)")
        #expect(use("idle").reason == "nobody reads it" && use("idle").node == nil)
        #expect(["a", "b", "c", "d", "idle"].allSatisfy { !use($0).prunable })
    }

    /// RMS normalisation as exporters write it: x · 1/√(mean(x²) + ε) · γ; and layer normalisation with γ and β.
    @Test func recognisesWrittenOutNorms() {
        let builder = GraphBuilder().input("x", sizes(1, 5, 8)).weight("two", []).weight("ε", []).vector("last", [-1])
            .node("Pow", ["x", "two"], ["sq"]).node("ReduceMean", ["sq", "last"], ["ms"]).node("Add", ["ms", "ε"], ["me"])
            .node("Sqrt", ["me"], ["rms"]).node("Reciprocal", ["rms"], ["inv"]).node("Mul", ["x", "inv"], ["n"])
            .weight("γ", [8]).node("Mul", ["γ", "n"], ["y"])
            .node("Div", ["y", "rms"], ["d"]).weight("scale", [8]).node("Mul", ["d", "scale"], ["e"])
            .weight("shift", [8]).node("Add", ["e", "shift"], ["f"]).weight("other", [8]).node("Mul", ["f", "other"], ["g"])
        let use = uses(builder)
        #expect(use("γ").role == .normScale && use("scale").role == .normScale && use("shift").role == .normShift)
        #expect(use("other").role == .other && use("two").role == .constant)
    }

    @Test func readsRecurrentLayers() {
        let builder = GraphBuilder().input("x", sizes(5, 1, 3)).weight("w", [1, 16, 3]).weight("r", [1, 16, 4]).weight("b", [1, 32])
            .node("LSTM", ["x", "w", "r", "b"], ["y"], [("hidden_size", .int(4))])
        let use = uses(builder)
        #expect(use("w").prunable && use("r").prunable && use("w").layerType == .recurrent)
        #expect(use("b").role == .bias && use("b").layerType == .recurrent)
    }

    @Test func rawValuesAreThoseOfTheHeaders() {
        #expect(ParameterRole.allCases.map(\.rawValue) == Array(0...9))
        #expect(LayerType.allCases.map(\.rawValue) == Array(0...5))
    }

    @Test func normBehindALinearLayer() {
        let builder = GraphBuilder().input("x", sizes(2, 8)).weight("w", [8, 4]).weight("b", [4]).weight("γ", [4]).weight("β", [4])
            .node("MatMul", ["x", "w"], ["y"]).node("Add", ["y", "b"], ["z"])
            .node("LayerNormalization", ["z", "γ", "β"], ["n"])
        builder.graph.inferShapes()
        #expect(builder.graph.normScaleAfter(builder.position("w")) == builder.position("γ"))
        #expect(builder.graph.normScaleAfter(builder.position("γ")) == nil && builder.graph.normScaleAfter(99) == nil)
    }
}
