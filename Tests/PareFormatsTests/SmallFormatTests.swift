import PareMask
import PareTensor
import Testing

@testable import PareFormats

@Suite struct JSONTests {
    func parse(_ text: String) throws -> JSONValue {
        let bytes = Array(text.utf8)
        return try bytes.withUnsafeBytes { try JSONParser.parse($0, file: "t") }
    }

    @Test func valuesAreExact() throws {
        let value = try parse(#" {"a": [9223372036854775807, -0, 1.5e3, true, null], "é\u00e9\ud83d\ude00\n": "\/"} "#)
        #expect(value.members?.map { $0.name } == ["a", "éé😀\n"])
        #expect(value["a"]?.array?[0].int == Int.max)
        #expect(value["a"]?.array?[1].int == 0)
        if case .double(let number)? = value["a"]?.array?[2].kind { #expect(number == 1500) } else { Issue.record("no double") }
        if case .double = try parse("9223372036854775808").kind {} else { Issue.record("too large for an integer") }
        #expect(value.members?[1].value.string == "/")
        #expect(value["a"]?.range == 7..<51)
    }

    @Test(arguments: [
        ("", 0), ("{", 1), (#"{"a"}"#, 4), (#"{"a":1,}"#, 7), ("[1,]", 3), ("01", 1), ("1.", 2), ("-", 1), ("1e", 2), ("tru", 3),
        ("\"\u{1}\"", 1), (#""\x""#, 2), (#""\ud800""#, 7), (#""\ud800\u0041""#, 13), (#""\u00g0""#, 5), ("\"a", 0),
        (#"{"a":1,"a":2}"#, 7), ("[1] 2", 4), ("+1", 0), ("'a'", 0), (#"{a:1}"#, 1), ("nan", 1), ("[1 2]", 3),
    ])
    func errorsNameTheByte(_ text: String, _ offset: Int) throws {
        let problem = error { _ = try parse(text) }
        #expect(problem?.status == .format)
        #expect(problem?.location == "t: byte \(offset)", "\(text): \(String(describing: problem))")
    }

    @Test func depthAndEncodingAreLimited() throws {
        #expect(error { _ = try parse(String(repeating: "[", count: 1_000_000)) }?.what == "JSON is nested too deeply")
        let bad: [UInt8] = [0x22, 0xC3, 0x28, 0x22]
        let problem = error { _ = try bad.withUnsafeBytes { try JSONParser.parse($0, file: "t") } }
        #expect(problem?.what == "a JSON string is not valid UTF-8")
    }

    @Test func writtenStringsAreReadBack() throws {
        let text = "a\"\\\n\t\u{1}é😀/"
        #expect(try parse(JSONText.quoted(text)).string == text)
    }
}

@Suite struct NpyTests {
    @Test func arraysOfNumPyAreRead() throws {
        let plain = try Model.open(Seeds.root + "/npy/c.npy")
        #expect(plain.parameters[0].shape == [2, 3] && plain.parameters[0].name == "c")
        #expect(Array(plain.parameters[0].stored.bytes.bindMemory(to: Float.self)) == [0, 1, 2, 3, 4, 5])
        let fortran = try Model.open(Seeds.root + "/npy/fortran.npy").parameters[0]
        #expect(fortran.shape == [2, 3, 4])
        #expect(Array(fortran.stored.bytes.bindMemory(to: Int16.self)) == Array(0..<24))
    }

    @Test func changedArrayIsWrittenAsNumPyDoes() throws {
        let scratch = try Scratch()
        let model = try Model.open(Seeds.root + "/npy/c.npy")
        try model.save(to: scratch("same.npy"))
        #expect(try contents(scratch("same.npy")) == contents(Seeds.root + "/npy/c.npy"))
        try model.parameters[0].setValues(model.parameters[0].originalView)
        try model.save(to: scratch("set.npy"))
        #expect(try contents(scratch("set.npy")) == contents(Seeds.root + "/npy/c.npy"))
        try model.save(to: scratch("c.safetensors"), options: SaveOptions(format: .safetensors))
        try Model.open(scratch("c.safetensors")).save(to: scratch("back.npy"), options: SaveOptions(format: .npy))
        #expect(try contents(scratch("back.npy")) == contents(Seeds.root + "/npy/c.npy"))
    }
}

@Suite struct MaskFileTests {
    @Test func masksComeBack() throws {
        let scratch = try Scratch()
        let saved = [
            (name: "b", mask: try thirds([5, 7]), pattern: "4x1"), (name: "a", mask: try thirds([]), pattern: ""),
        ]
        try MaskFile.save(saved, to: scratch("m"))
        let loaded = try MaskFile.load(scratch("m"))
        #expect(loaded.map { $0.name } == ["b", "a"] && loaded.map { $0.pattern } == ["4x1", ""])
        for (one, two) in zip(saved, loaded) {
            #expect(one.mask.shape == two.mask.shape && one.mask.packedBytes() == two.mask.packedBytes())
        }
    }

    @Test func otherFilesAreRefused() throws {
        let scratch = try Scratch()
        try scratch.write("w", Safetensors.file(SafetensorsTests.one, 8))
        #expect(error { _ = try MaskFile.load(scratch("w")) }?.what == "the file is not a file of masks")
        // Ones behind the last element.
        let header = #"{"__metadata__":{"pare.masks":"1","shape:w":"[4]"},"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}"#
        try scratch.write("m", Safetensors.file(header) + [0x1F])
        #expect(error { _ = try MaskFile.load(scratch("m")) }?.status == .format)
    }
}

@Suite struct ParameterTests {
    @Test func masksAndValuesLieBesideTheOriginal() throws {
        let model = try open(Safetensors.file(SafetensorsTests.one, 8), "m.safetensors")
        let parameter = model.parameters[0]
        let original = Array(parameter.stored.bytes)
        #expect(try parameter.currentView().base == parameter.originalView.base)
        parameter.mask = try thirds([2])
        let view = try parameter.currentView()
        #expect(view.base != parameter.originalView.base)
        #expect(UnsafeRawBufferPointer(start: view.base, count: 8).elementsEqual([0, 0, 0, 0] + original[4...]))
        var halves: [UInt16] = [0x3C00, 0xC000]
        try halves.withUnsafeMutableBytes { memory in
            try parameter.setValues(TensorView(base: memory.baseAddress, dtype: .float16, shape: [2]))
        }
        #expect(parameter.mask == nil)
        let floats = try parameter.currentView().base?.assumingMemoryBound(to: Float.self)
        #expect(floats?[0] == 1 && floats?[1] == -2)
        #expect(Array(parameter.stored.bytes) == original)
        #expect(error { try parameter.setValues(TensorView(base: nil, dtype: .float32, shape: [3])) }?.status == .shape)
        parameter.restore()
        #expect(!parameter.isChanged)
    }

    @Test func unknownNamesSuggestTheNearest() throws {
        let model = try open(Safetensors.file(SafetensorsTests.one, 8), "m.safetensors")
        #expect(error { _ = try model.parameter(named: "v") }?.hint == "did you mean \"w\"?")
    }

    @Test(.enabled(if: Shared.root != nil, "no shared data"))
    func namesOfRealCheckpointsTellRoles() throws {
        let root = try #require(Shared.root)
        let gpt = try Model.open(root + "/data/lm_gpt2_char")
        #expect(gpt.parameters.filter { $0.prunable }.allSatisfy { $0.layout == .inFirst && $0.shape.count == 2 })
        #expect(gpt.parameters.contains { $0.prunable } && gpt.parameters.contains { $0.role == .embedding })
        let llama = try Model.open(root + "/data/lm_stories260k")
        #expect(llama.parameters.filter { $0.shape.count == 1 }.allSatisfy { $0.role == .normScale })
        #expect(llama.parameters.filter { $0.prunable }.count == 7 * 5)
    }
}
