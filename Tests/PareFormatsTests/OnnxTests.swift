@preconcurrency import Glibc
import PareGraph
import PareTensor
import Testing

@testable import PareFormats

/// Small ONNX files, field by field, without the reader or the writer.
enum Onnx {
    static func tensor(_ name: String, _ values: [Float]) -> [UInt8] {
        let raw = values.flatMap { value in withUnsafeBytes(of: value) { Array($0) } }
        return Wire.int(1, UInt64(values.count)) + Wire.int(2, 1) + Wire.string(8, name) + Wire.bytes(9, raw)
    }

    static func external(_ name: String, _ count: Int, _ entries: [(String, String)]) -> [UInt8] {
        Wire.int(1, UInt64(count)) + Wire.int(2, 1) + Wire.string(8, name)
            + entries.flatMap { Wire.bytes(13, Wire.string(1, $0) + Wire.string(2, $1)) } + Wire.int(14, 1)
    }

    static func node(_ op: String, _ inputs: [String], _ outputs: [String]) -> [UInt8] {
        Wire.bytes(1, inputs.flatMap { Wire.string(1, $0) } + outputs.flatMap { Wire.string(2, $0) } + Wire.string(4, op))
    }

    static func model(_ graph: [UInt8], opset: UInt64 = 17) -> [UInt8] {
        Wire.int(1, 8) + Wire.bytes(7, graph) + Wire.bytes(8, Wire.int(2, opset))
    }

    static func initializers(_ tensors: [[UInt8]]) -> [UInt8] { model(tensors.flatMap { Wire.bytes(5, $0) }) }
}

enum Seeds {
    static let root = Path.join(Path.folder(of: Path.folder(of: #filePath)), "fuzz/seeds")

    static func files(_ folder: String) -> [String] {
        let path = "\(root)/\(folder)"
        let names = (try? folderEntries(path)) ?? []
        return names.map { "\(path)/\($0)" }
    }
}

@Suite struct OnnxTests {
    func values<T>(_ parameter: Parameter, _ type: T.Type) throws -> [T] {
        let view = try parameter.currentView()
        let base = try #require(view.base)
        return (0..<view.count).map { base.loadUnaligned(fromByteOffset: $0 * MemoryLayout<T>.size, as: T.self) }
    }

    /// Written by the onnx package, each tensor in another of the format's encodings.
    @Test func everyEncodingIsRead() throws {
        let model = try Model.open(Seeds.root + "/onnx/encodings.onnx")
        #expect(model.parameters.map { $0.name } == ["w", "h", "b", "d", "i", "l", "o", "e"])
        #expect(model.carried.map { $0.dtype } == ["uint16", "string"])
        #expect(try values(model.parameters[3], Double.self) == [1.5, -2.25, 3])
        #expect(try values(model.parameters[4], Int8.self) == [-128, -1, 0, 1, 127])
        #expect(try values(model.parameters[5], Int64.self) == [.min, -1, .max])
        #expect(try values(model.parameters[6], UInt8.self) == [1, 0, 1])
        let singles = try values(model.parameters[0], Float.self)
        let halves = try values(model.parameters[1], Float16.self)
        #expect(zip(singles, halves).allSatisfy { Float16($0) == $1 })
        let brains = try values(model.parameters[2], UInt16.self)
        #expect(zip(singles, brains).allSatisfy { abs(Float(bitPattern: UInt32($1) << 16) - $0) <= abs($0) / 256 })
        #expect(model.parameters[7].count == 0)
    }

    @Test func changedEncodingsAreReplacedNotAdded() throws {
        let scratch = try Scratch()
        let model = try Model.open(Seeds.root + "/onnx/encodings.onnx")
        for parameter in model.parameters { parameter.mask = try thirds(parameter.shape) }
        try model.save(to: scratch("m.onnx"))
        let again = try Model.open(scratch("m.onnx"))
        for (one, two) in zip(model.parameters, again.parameters) {
            let size = one.dtype.size
            for index in 0..<one.count {
                let expected =
                    index % 3 == 0
                    ? [UInt8](repeating: 0, count: size) : Array(one.stored.bytes[index * size..<(index + 1) * size])
                #expect(two.stored.bytes[index * size..<(index + 1) * size].elementsEqual(expected))
            }
        }
        let onnx = try #require(again.container as? OnnxFile)
        #expect(onnx.tensors.allSatisfy { $0.dtype == nil || $0.dataFields.count <= 1 })
        #expect(again.carried.count == 2)
    }

    @Test func subgraphReadersCountForTheOuterNode() throws {
        let graph = try #require(try Model.open(Seeds.root + "/onnx/control-flow.onnx").graph)
        let named = Dictionary(uniqueKeysWithValues: graph.values.map { ($0.name, $0) })
        #expect(named["w"]?.readers == [0])
        #expect(named["hid"]?.producer == 0 && named["hid"]?.readers == [1])
        // Only the branches read b, one of them two graphs down.
        #expect(named["b"]?.readers == [1])
        guard case .graph(let branch)? = graph.nodes[1].attribute("else_branch") else {
            Issue.record("no else_branch")
            return
        }
        #expect(branch.values.filter { $0.producer == nil }.map { $0.name }.sorted() == ["b", "c", "hid"])
    }

    @Test func unknownFieldsAndOperatorsSurvive() throws {
        let strange = Wire.bytes(99, [1, 2, 3])
        let node = Onnx.node("Frobnicate", ["w"], ["y"])
        let graph = strange + node + Wire.bytes(5, Onnx.tensor("w", [1, 2, 3]) + strange) + Wire.bytes(12, Wire.string(1, "y"))
        let bytes = Onnx.model(graph) + strange
        let scratch = try Scratch()
        let model = try open(bytes, "strange.onnx")
        model.parameters[0].mask = try thirds([3])
        try model.save(to: scratch("m.onnx"), options: SaveOptions(provenance: [("k", "v")]))
        var expected = bytes
        let at = try #require(bytes.indices.first { bytes[$0...].starts(with: [0, 0, 0x80, 0x3F]) })
        expected.replaceSubrange(at..<at + 4, with: [0, 0, 0, 0])
        expected += Wire.bytes(14, Wire.string(1, "k") + Wire.string(2, "v"))
        #expect(try contents(scratch("m.onnx")) == expected)
    }

    @Test(arguments: [
        ("cycle", Onnx.node("Add", ["a", "w"], ["b"]) + Onnx.node("Relu", ["b"], ["a"]), "before it is made"),
        ("self", Onnx.node("Relu", ["a"], ["a"]), "before it is made"),
        ("nothing", Onnx.node("Relu", ["q"], ["a"]), "nothing makes"),
        ("twice", Onnx.node("Relu", ["w"], ["a"]) + Onnx.node("Relu", ["w"], ["a"]), "same name"),
        ("over an initializer", Onnx.node("Relu", ["w"], ["w"]), "same name"),
        ("output", Wire.bytes(12, Wire.string(1, "y")), "nothing makes"),
    ])
    func wrongGraphsAreRefused(_ name: String, _ graph: [UInt8], _ text: String) throws {
        let problem = error { _ = try open(Onnx.model(Wire.bytes(5, Onnx.tensor("w", [1])) + graph), "g.onnx") }
        #expect(problem?.status == .format)
        #expect(problem?.description.contains(text) == true, "\(name): \(String(describing: problem))")
    }

    @Test(arguments: [(6, false), (7, true), (26, true), (27, false)])
    func opsetsAreChecked(opset: UInt64, accepted: Bool) throws {
        let problem = error { _ = try open(Onnx.model([], opset: opset), "g.onnx") }
        #expect((problem == nil) == accepted)
        if !accepted { #expect(problem?.status == .unsupported) }
    }
}

@Suite struct OnnxExternalTests {
    let scratch: Scratch
    let data: [UInt8] = (0..<64).map { UInt8($0 + 1) }

    init() throws {
        scratch = try Scratch()
        mkdir(scratch("in"), 0o755)
        mkdir(scratch("in/sub"), 0o755)
        mkdir(scratch("out"), 0o755)
        try scratch.write("in/sub/w.bin", data)
    }

    func write(_ entries: [(String, String)], count: Int = 4) throws -> String {
        try scratch.write("in/m.onnx", Onnx.initializers([Onnx.external("w", count, entries)]))
    }

    let good = [("location", "sub/w.bin"), ("offset", "16"), ("length", "16")]

    @Test func savedElsewhereTheDataGoesAlong() throws {
        let model = try Model.open(write(good))
        #expect(model.parameters[0].stored.bytes.elementsEqual(data[16..<32]))
        model.parameters[0].mask = try thirds([4])
        try model.save(to: scratch("out/m.onnx"))
        var expected = data
        expected.replaceSubrange(16..<20, with: [0, 0, 0, 0])
        expected.replaceSubrange(28..<32, with: [0, 0, 0, 0])
        #expect(try contents(scratch("out/sub/w.bin")) == expected)
        #expect(try contents(scratch("out/m.onnx")) == contents(scratch("in/m.onnx")))
        #expect(try contents(scratch("in/sub/w.bin")) == data)
    }

    @Test func savedBesideItChangedDataGetsAName() throws {
        let model = try Model.open(write(good))
        model.parameters[0].mask = try thirds([4])
        try model.save(to: scratch("in/pruned.onnx"))
        let again = try Model.open(scratch("in/pruned.onnx"))
        #expect(
            try again.parameters[0].stored.bytes.elementsEqual(
                UnsafeRawBufferPointer(start: model.parameters[0].currentView().base, count: 16)))
        #expect(try folderEntries(scratch("in/sub")) == ["pruned.w.bin", "w.bin"])
        #expect(try contents(scratch("in/sub/w.bin")) == data)
    }

    @Test func unchangedDataBesideItIsShared() throws {
        try Model.open(write(good)).save(to: scratch("in/copy.onnx"))
        #expect(try folderEntries(scratch("in/sub")) == ["w.bin"])
    }

    @Test(arguments: [
        ([("location", "../secret")], Status.format, "outside"), ([("location", "/etc/passwd")], .format, "outside"),
        ([("location", "sub/../../x")], .format, "outside"), ([("location", "none.bin")], .missing, "none.bin"),
        ([("location", "sub/w.bin"), ("offset", "60")], .format, "too early"),
        ([("location", "sub/w.bin"), ("length", "8")], .format, "does not fit"),
        ([("location", "sub/w.bin"), ("offset", "-1")], .format, "not a size"),
        ([("location", "sub/w.bin"), ("offset", "9223372036854775800")], .format, "too early"),
        ([("offset", "0")], .format, "names no file"),
    ])
    func wrongReferencesAreRefused(_ entries: [(String, String)], _ status: Status, _ text: String) throws {
        let path = try write(entries)
        let problem = error { _ = try Model.open(path) }
        #expect(problem?.status == status)
        #expect(problem?.description.contains(text) == true, "\(String(describing: problem))")
    }

    @Test func linksOutOfTheFolderAreRefused() throws {
        try scratch.write("secret", data)
        symlink("../secret", scratch("in/link.bin"))
        let path = try write([("location", "link.bin")])
        #expect(error { _ = try Model.open(path) }?.status == .format)
    }

    @Test func sharedDataCannotBeChangedForOne() throws {
        let tensors = [Onnx.external("a", 4, good), Onnx.external("b", 4, good)]
        let model = try Model.open(scratch.write("in/m.onnx", Onnx.initializers(tensors)))
        try model.save(to: scratch("out/same.onnx"))
        model.parameters[0].mask = try thirds([4])
        #expect(error { try model.save(to: scratch("out/m.onnx")) }?.status == .unsupported)
        #expect(try !folderEntries(scratch("out")).contains("m.onnx"))
    }

    @Test func whatGrowsTooLargeMovesOut() throws {
        let large = (0..<600).map { Float($0) }
        let model = try Model.open(scratch.write("in/m.onnx", Onnx.initializers([Onnx.tensor("a", large), Onnx.tensor("b", [1])])))
        model.parameters[0].mask = try thirds([600])
        try #require(model.container as? OnnxFile).sizeLimit = 1000
        try model.save(to: scratch("out/m.onnx"))
        #expect(try folderEntries(scratch("out")) == ["m.onnx", "m.onnx.data"])
        #expect(try contents(scratch("out/m.onnx")).count < 1000)
        let again = try Model.open(scratch("out/m.onnx"))
        let values = again.parameters[0].stored.bytes.bindMemory(to: Float.self)
        #expect(values.elementsEqual(large.enumerated().map { $0.offset % 3 == 0 ? 0 : $0.element }))
        #expect(again.parameters[1].stored.bytes.elementsEqual(model.parameters[1].stored.bytes))
    }
}
