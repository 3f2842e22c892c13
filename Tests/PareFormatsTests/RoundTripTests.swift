import PareTensor
import Testing

@testable import PareFormats

@Suite struct RoundTripTests {
    static let models = Shared.files(".onnx") + Shared.files(".safetensors")

    @Test(.enabled(if: Shared.root != nil, "no shared data"), arguments: models)
    func unchangedModelIsSavedByteForByte(path: String) throws {
        let scratch = try Scratch()
        let model = try Model.open(path)
        #expect(!model.parameters.isEmpty)
        try model.save(to: scratch("copy"))
        #expect(try contents(scratch("copy")) == contents(path))
        #expect(scratch.names == ["copy"])
    }

    /// The expected bytes are made without the writer: the file's own, with the masked elements of every array zeroed.
    @Test(.enabled(if: Shared.root != nil, "no shared data"), arguments: models)
    func masksChangeExactlyTheirElements(path: String) throws {
        let scratch = try Scratch()
        let model = try Model.open(path)
        var expected = try contents(path)
        for parameter in model.parameters where parameter.dtype == .float32 {
            guard case .mapped(_, let range) = parameter.stored else { continue }
            for element in stride(from: 0, to: parameter.count, by: 3) {
                for byte in 0..<4 { expected[range.lowerBound + 4 * element + byte] = 0 }
            }
            parameter.mask = try thirds(parameter.shape)
        }
        try model.save(to: scratch("masked"))
        #expect(try contents(scratch("masked")) == expected)
    }

    @Test(.enabled(if: Shared.root != nil, "no shared data"))
    func provenanceIsAddedAndReplaced() throws {
        for path in Shared.files("lenet5.onnx") + Shared.files("lenet5.safetensors") {
            let scratch = try Scratch()
            let model = try Model.open(path)
            try model.save(to: scratch("a"), options: SaveOptions(provenance: [("pare.version", "1"), ("pare.x", "é\n")]))
            // Without an extension, the contents say what it is.
            let again = try Model.open(scratch("a"))
            #expect(again.format == model.format)
            #expect(again.metadata.suffix(2).map { $0.key } == ["pare.version", "pare.x"])
            #expect(again.metadata.last?.value == "é\n")
            try again.save(to: scratch("b"), options: SaveOptions(provenance: [("pare.version", "22")]))
            let third = try Model.open(scratch("b"))
            #expect(third.metadata.count == again.metadata.count)
            #expect(third.metadata.first { $0.key == "pare.version" }?.value == "22")
            for (one, two) in zip(model.parameters, third.parameters) {
                #expect(one.name == two.name && one.stored.bytes.elementsEqual(two.stored.bytes))
            }
        }
    }
}
