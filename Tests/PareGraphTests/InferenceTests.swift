import PareTensor
import Testing

@testable import PareGraph

/// What single operators cannot show: names through several nodes, folding, overriding, odd graphs.
@Suite struct InferenceTests {
    /// x.view(x.size(0), -1, 4) and a window partition, as exporters write them for a dynamic batch.
    @Test func followsANamedBatch() {
        let builder = GraphBuilder().input("x", [.symbol("N"), .size(8), .size(6)])
            .node("Shape", ["x"], ["all"]).vector("zero", [0]).vector("one", [1])
            .node("Slice", ["all", "zero", "one", "zero"], ["batch"])
            .vector("rest", [-1, 4]).node("Concat", ["batch", "rest"], ["target"], [("axis", .int(0))])
            .node("Reshape", ["x", "target"], ["y"])
            .vector("windows", [-1, 2, 4]).node("Reshape", ["x", "windows"], ["z"])
            .node("Shape", ["z"], ["sizes"]).weight("first", [], .int64, integers: [0])
            .node("Gather", ["sizes", "first"], ["count"])
            .weight("six", [], .int64, integers: [6]).node("Div", ["count", "six"], ["back"])
            .node("Unsqueeze", ["back", "zero"], ["lead"]).vector("tail", [48])
            .node("Concat", ["lead", "tail"], ["last"], [("axis", .int(0))]).node("Reshape", ["z", "last"], ["w"])
        #expect(builder.graph.inferShapes().isEmpty)
        #expect(builder["y"].shape == [.symbol("N"), .size(12), .size(4)])
        #expect(builder["z"].shape == [.symbol("6*N"), .size(2), .size(4)])
        #expect(builder["w"].shape == [.symbol("N"), .size(48)])
        #expect(builder["last"].constant == nil)
    }

    @Test func overridesAndInfersAgain() {
        let builder = GraphBuilder().input("x", [.symbol("N"), .size(3), .size(9), .size(9)])
            .weight("w", [4, 3, 3, 3]).node("Conv", ["x", "w"], ["y"])
        builder.graph.inferShapes(overriding: ["x": [2, -1, 5, 7]])
        #expect(builder["y"].shape == sizes(2, 4, 3, 5))
        #expect(builder["x"].shape == sizes(2, 3, 5, 7))
    }

    @Test func namesUnknownInputSizes() {
        let builder = GraphBuilder().input("x", [.unknown, .size(4)]).node("Relu", ["x"], ["y"])
        builder.graph.inferShapes()
        #expect(builder["y"].shape == [.symbol("x.0"), .size(4)])
    }

    /// -1 markers in an Expand, decided although the batch has no number.
    @Test func foldsWhere() {
        let builder = GraphBuilder().input("x", [.symbol("N"), .size(1)]).node("Shape", ["x"], ["shape"])
            .vector("wanted", [-1, 7]).vector("minus", [-1]).node("Equal", ["wanted", "minus"], ["keep"])
            .vector("ones", [1, 1]).node("Where", ["keep", "ones", "wanted"], ["target"])
            .node("Expand", ["x", "target"], ["y"]).node("Equal", ["shape", "minus"], ["never"])
        builder.graph.inferShapes()
        #expect(builder["y"].shape == [.symbol("N"), .size(7)])
        #expect(builder["never"].constant?.integers == [0, 0])
        #expect(builder["target"].constant?.integers == [1, 7])
    }

    @Test func takesTheKnownBranch() {
        func branch(_ shape: [Int]) -> Graph {
            let builder = GraphBuilder()
            builder.value("x")
            return builder.vector("s", shape).node("Reshape", ["x", "s"], ["r"]).output("r").graph
        }
        let builder = GraphBuilder().input("x", sizes(2, 6)).weight("yes", [], .bool, integers: [1]).input("maybe", [], .bool)
        let branches: [(name: String, value: Attribute)] = [
            ("then_branch", .graph(branch([3, 4]))), ("else_branch", .graph(branch([2, 3, 2]))),
        ]
        let same: [(name: String, value: Attribute)] = [
            ("then_branch", .graph(branch([3, 4]))), ("else_branch", .graph(branch([4, 3]))),
        ]
        builder.node("If", ["yes"], ["known"], branches).node("If", ["maybe"], ["either"], branches)
            .node("If", ["maybe"], ["rank"], same)
        #expect(builder.graph.inferShapes().isEmpty)
        #expect(builder["known"].shape == sizes(3, 4))
        #expect(builder["either"].shape == nil)
        #expect(builder["rank"].shape == [.unknown, .unknown])
    }

    @Test func leavesUnknownOperatorsAlone() {
        let builder = GraphBuilder().input("x", sizes(2, 3)).node("Magic", ["x"], ["y"], domain: "custom")
            .node("Relu", ["y"], ["z"]).node("Magic", ["x"], ["nothing"])
        builder.graph.values[builder.index("y")].shape = sizes(5, 3)
        builder.graph.values[builder.index("y")].dtype = .float32
        #expect(builder.graph.inferShapes().isEmpty)
        #expect(builder["z"].shape == sizes(5, 3))
        #expect(builder["nothing"].shape == nil)
        #expect(!isKnown(op: "Magic", domain: "") && !isKnown(op: "Relu", domain: "custom"))
        #expect(isKnown(op: "Relu", domain: "ai.onnx"))
    }

    @Test func notesContradictionsAndGoesOn() {
        let builder = GraphBuilder().input("x", sizes(1, 4, 8, 8)).weight("w", [2, 3, 3, 3])
            .node("Conv", ["x", "w"], ["y"]).node("Relu", ["y"], ["z"]).node("Relu", ["x"], ["fine"])
            .vector("s", [7, 7]).node("Reshape", ["x", "s"], ["r"])
        let notes = builder.graph.inferShapes()
        #expect(notes.map(\.node) == [0, 3])
        #expect(notes[0].text == "4 input channels, but weight [2, 3, 3, 3] with 1 groups")
        #expect(notes[1].text == "[1, 4, 8, 8] does not reshape to [7, 7]")
        #expect(builder["z"].shape == nil && builder["fine"].shape == sizes(1, 4, 8, 8))
    }

    @Test func computesWithNames() {
        let batch = Monomial(parsing: "64*N")
        #expect(batch == Monomial(64, ["N"]))
        #expect(batch.divided(by: Monomial(parsing: "N")) == Monomial(64))
        #expect(batch.divided(by: Monomial(parsing: "M")) == nil)
        #expect(batch.times(batch)?.text == "4096*N*N")
        #expect(Monomial(parsing: "s0 + 1").times(Monomial(2)) == nil)
        #expect(Monomial(parsing: "s0 + 1").times(Monomial(1))?.text == "s0 + 1")
        #expect(Monomial(.max).times(Monomial(2)) == nil)
        #expect(Dimension.symbol("N").plus(.symbol("N")) == .symbol("2*N"))
        #expect(Dimension.symbol("N").plus(.size(1)) == .unknown)
        #expect(Dimension.size(0).times(.unknown) == .size(0))
    }
}
