@preconcurrency import Glibc
import PareGraph
import PareTensor
import Testing

@testable import PareFormats

enum Safetensors {
    static func file(_ header: String, _ data: Int = 0, length: UInt64? = nil) -> [UInt8] {
        let size = length ?? UInt64(header.utf8.count)
        return withUnsafeBytes(of: size.littleEndian) { Array($0) } + Array(header.utf8)
            + (0..<data).map { UInt8(truncatingIfNeeded: $0 + 1) }
    }
}

@Suite struct SafetensorsTests {
    static let one = #"{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#

    static func entry(_ name: String, _ type: String, _ shape: String, _ offsets: String) -> String {
        "\"\(name)\":{\"dtype\":\"\(type)\",\"shape\":\(shape),\"data_offsets\":\(offsets)}"
    }

    @Test(arguments: [
        (Safetensors.file("{}", length: 1 << 62), Status.format, "header is too long"),
        (Safetensors.file("{}", length: 100_000_001), .format, "header is too long"),
        (Safetensors.file("{}", length: 3), .format, "cut short inside the header"),
        ([UInt8](repeating: 0, count: 4), .format, "too short"),
        ([], .format, "is empty"),
        (Safetensors.file("[]"), .format, "not a safetensors"),
        (Safetensors.file("{} x"), .format, "byte 11"),
        (Safetensors.file(one, 7), .format, "cut short"),
        (Safetensors.file(one, 9), .format, "behind the last tensor"),
        (Safetensors.file("{\(entry("w", "F32", "[2]", "[8,16]"))}", 16), .format, "hole"),
        (Safetensors.file("{\(entry("a", "U8", "[4]", "[0,4]")),\(entry("b", "U8", "[4]", "[2,6]"))}", 6), .format, "overlap"),
        (Safetensors.file("{\(entry("a", "U8", "[4]", "[0,4]")),\(entry("a", "U8", "[4]", "[4,8]"))}", 8), .format, "twice"),
        (Safetensors.file("{\(entry("w", "F99", "[2]", "[0,8]"))}", 8), .dtype, "F99"),
        (Safetensors.file("{\(entry("w", "F32", "[3]", "[0,8]"))}", 8), .format, "12 bytes"),
        (Safetensors.file("{\(entry("w", "F32", "[4294967296,4294967296]", "[0,8]"))}", 8), .shape, "impossible"),
        (Safetensors.file("{\(entry("w", "F32", "[9223372036854775807,2]", "[0,8]"))}", 8), .shape, "impossible"),
        (Safetensors.file("{\(entry("w", "F4", "[3]", "[0,1]"))}", 1), .shape, "whole byte"),
        (Safetensors.file("{\(entry("w", "F32", "[-2]", "[0,8]"))}", 8), .format, "sizes ≥ 0"),
        (Safetensors.file("{\(entry("w", "F32", "[2.0]", "[0,8]"))}", 8), .format, "sizes ≥ 0"),
        (Safetensors.file("{\(entry("w", "F32", "[2]", "[8,0]"))}", 8), .format, "ascending"),
        (Safetensors.file("{\(entry("w", "F32", "[2]", "[0]"))}", 8), .format, "ascending"),
        (Safetensors.file(#"{"w":3}"#), .format, "a dtype"),
        (Safetensors.file(#"{"__metadata__":{"a":1}}"#), .format, "a string"),
        (Safetensors.file(String(repeating: #"{"a":"#, count: 100)), .format, "nested"),
    ])
    func malformedFilesAreRefused(_ bytes: [UInt8], _ status: Status, _ text: String) throws {
        let problem = error { _ = try open(bytes, "m.safetensors") }
        #expect(problem?.status == status)
        #expect(problem?.location.hasPrefix("m.safetensors") == true)
        #expect(problem?.description.contains(text) == true, "\(String(describing: problem))")
    }

    @Test func typesThatAreNotComputedWithSurvive() throws {
        let header =
            "{" + Self.entry("q", "F8_E4M3", "[3]", "[0,3]") + "," + Self.entry("w", "F16", "[2,2]", "[3,11]") + ","
            + Self.entry("f", "F4", "[2,2]", "[11,13]") + "}  "
        let bytes = Safetensors.file(header, 13)
        let model = try open(bytes, "m.safetensors")
        #expect(model.parameters.map { $0.name } == ["w"])
        #expect(model.carried.map { $0.dtype } == ["F8_E4M3", "F4"])
        model.parameters[0].mask = try thirds([2, 2])
        let scratch = try Scratch()
        try model.save(to: scratch("m.safetensors"))
        var expected = bytes
        let data = bytes.count - 13
        for index in [0, 1, 6, 7] { expected[data + 3 + index] = 0 }
        #expect(try contents(scratch("m.safetensors")) == expected)
    }

    @Test func metadataIsAddedWithoutTouchingTheRest() throws {
        let scratch = try Scratch()
        try open(Safetensors.file(Self.one, 8), "m.safetensors")
            .save(to: scratch("a"), options: SaveOptions(provenance: [("k\"", "v")]))
        let text = "{\"__metadata__\":{\"k\\\"\":\"v\"},\(Self.one.dropFirst())"
        let padded = text + String(repeating: " ", count: (8 - text.utf8.count % 8) % 8)
        #expect(try contents(scratch("a")) == Safetensors.file(padded, 8))
    }

    @Test func arraysInMemoryBecomeAFile() throws {
        let scratch = try Scratch()
        let model = Model.inMemory()
        var values: [Float] = [1, 2, 3, 4, 5, 6]
        var bytes: [UInt8] = [7, 8, 9]
        try values.withUnsafeMutableBytes { memory in
            let view = TensorView(base: memory.baseAddress, dtype: .float32, shape: [3, 2], strides: [1, 3])
            try model.add(name: "t", view: view, role: .weight)
        }
        try bytes.withUnsafeMutableBytes { memory in
            try model.add(
                name: "b", view: TensorView(base: memory.baseAddress, dtype: .uint8, shape: [3]), role: .constant)
        }
        #expect(error { try model.add(name: "b", view: model.parameters[0].originalView, role: .weight) }?.status == .argument)
        try model.save(to: scratch("m.safetensors"))
        let again = try Model.open(scratch("m.safetensors"))
        #expect(again.parameters.map { $0.name } == ["t", "b"])
        let floats = again.parameters[0].stored.bytes.bindMemory(to: Float.self)
        #expect(Array(floats) == [1, 4, 2, 5, 3, 6])
        #expect(Array(again.parameters[1].stored.bytes) == [7, 8, 9])
    }

    @Test(.enabled(if: Shared.root != nil, "no shared data"))
    func onnxBecomesSafetensors() throws {
        let scratch = try Scratch()
        let path = try #require(Shared.files("lenet5.onnx").first)
        let model = try Model.open(path)
        try model.save(to: scratch("m.safetensors"), options: SaveOptions(format: .safetensors))
        let again = try Model.open(scratch("m.safetensors"))
        for parameter in model.parameters {
            #expect(try again.parameter(named: parameter.name).stored.bytes.elementsEqual(parameter.stored.bytes))
        }
        #expect(error { try model.save(to: scratch("x"), options: SaveOptions(format: .npy)) }?.status == .unsupported)
    }
}

@Suite struct FolderTests {
    let scratch: Scratch

    /// Two shards, an index, a configuration, a file and a folder that go along.
    init() throws {
        scratch = try Scratch()
        mkdir(scratch("in"), 0o755)
        mkdir(scratch("in/more"), 0o755)
        let first = SafetensorsTests.entry("wte.weight", "F32", "[2,1]", "[0,8]")
        let second = SafetensorsTests.entry("h.0.c_fc.weight", "F32", "[2,2]", "[0,16]")
        try scratch.write("in/model-1.safetensors", Safetensors.file("{\(first)}", 8))
        try scratch.write("in/model-2.safetensors", Safetensors.file("{\(second)}", 16))
        try scratch.write("in/config.json", Array(#"{"model_type":"gpt2","tie_word_embeddings":true}"#.utf8))
        try scratch.write("in/more/vocab.txt", [1, 2, 3])
        try index(["wte.weight": "model-1.safetensors", "h.0.c_fc.weight": "model-2.safetensors"])
    }

    func index(_ map: [String: String]) throws {
        let entries = map.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \"\($0.value)\"" }.joined(separator: ", ")
        let text = "{\"metadata\": {\"total_size\": 24}, \"weight_map\": {\(entries)}}\n"
        try scratch.write("in/model.safetensors.index.json", Array(text.utf8))
    }

    @Test func folderIsSavedWhole() throws {
        let model = try Model.open(scratch("in/"))
        #expect(model.format == .huggingFace)
        let weight = try model.parameter(named: "h.0.c_fc.weight")
        #expect(weight.prunable && weight.layout == .inFirst)
        #expect(try !model.parameter(named: "wte.weight").prunable)
        weight.mask = try thirds([2, 2])
        try model.save(to: scratch("out"), options: SaveOptions(provenance: [("pare.version", "1")]))
        for name in ["config.json", "more/vocab.txt", "model-1.safetensors"] {
            #expect(try contents(scratch("out/" + name)) == contents(scratch("in/" + name)))
        }
        var expected = try contents(scratch("in/model-2.safetensors"))
        for index in [0, 1, 2, 3, 12, 13, 14, 15] { expected[expected.count - 16 + index] = 0 }
        #expect(try contents(scratch("out/model-2.safetensors")) == expected)
        let text = String(decoding: try contents(scratch("out/model.safetensors.index.json")), as: UTF8.self)
        #expect(text.hasPrefix(#"{"metadata": {"total_size": 24, "pare.version": "1"}, "weight_map": "#))
        #expect(scratch.names == ["in", "out"])
    }

    @Test func foldersAreReplacedOnlyIfTheyAreModels() throws {
        let model = try Model.open(scratch("in"))
        mkdir(scratch("other"), 0o755)
        try scratch.write("other/thesis.txt", [1])
        let overwrite = SaveOptions(overwrite: true)
        #expect(error { try model.save(to: scratch("other"), options: overwrite) }?.status == .argument)
        #expect(error { try model.save(to: scratch("in"), options: overwrite) }?.status == .argument)
        try model.save(to: scratch("out"))
        #expect(error { try model.save(to: scratch("out")) }?.status == .io)
        try scratch.write("out/stale.txt", [1])
        try model.save(to: scratch("out"), options: overwrite)
        #expect(try folderEntries(scratch("out")) == folderEntries(scratch("in")))
        #expect(try contents(scratch("other/thesis.txt")) == [1])
        #expect(scratch.names == ["in", "other", "out"])
    }

    @Test func cancelledFolderLeavesNothing() throws {
        let model = try Model.open(scratch("in"))
        var calls = 0
        let problem = error {
            try model.save(to: scratch("out")) { _, _ in
                calls += 1
                return calls < 4
            }
        }
        #expect(problem?.status == .cancelled)
        #expect(scratch.names == ["in"])
    }

    @Test func shardsAreChecked() throws {
        let path = scratch("in/model.safetensors.index.json")
        #expect(try Model.open(path).format == .sharded)
        try index(["wte.weight": "model-9.safetensors"])
        var problem = error { _ = try Model.open(path) }
        #expect(problem?.status == .missing && problem?.found.contains("model-9.safetensors") == true)
        try index(["lost.weight": "model-1.safetensors"])
        problem = error { _ = try Model.open(path) }
        #expect(problem?.status == .missing && problem?.found.contains("lost.weight") == true)
        try index(["wte.weight": "../model-1.safetensors"])
        #expect(error { _ = try Model.open(path) }?.status == .format)
    }

    @Test func shardsAreSavedBesideTheirIndex() throws {
        let model = try Model.open(scratch("in/model.safetensors.index.json"))
        mkdir(scratch("out"), 0o755)
        #expect(error { try model.save(to: scratch("out/x.json")) }?.status == .argument)
        // In the same folder the shards would land on themselves.
        #expect(error { try model.save(to: scratch("in/b.safetensors.index.json")) }?.status == .argument)
        try model.save(to: scratch("out/model.safetensors.index.json"))
        for name in try folderEntries(scratch("out")) {
            #expect(try contents(scratch("out/" + name)) == contents(scratch("in/" + name)))
        }
        try model.save(to: scratch("one.safetensors"), options: SaveOptions(format: .safetensors))
        #expect(try Model.open(scratch("one.safetensors")).parameters.count == 2)
    }

    @Test func folderWithoutWeightsSaysWhy() throws {
        unlink(scratch("in/model.safetensors.index.json"))
        try scratch.write("in/pytorch_model.bin", [1])
        let problem = error { _ = try Model.open(scratch("in")) }
        #expect(problem?.status == .missing && problem?.hint == "convert them to safetensors")
    }
}
