@preconcurrency import Glibc
import PareTensor
import Testing

@testable import PareGraph

/// Every line of Tests/graph/operators.txt, whose expectations come from onnxruntime and onnx (operators.py beside it).
@Suite struct OperatorTests {
    /// Sizes that depend on the data.
    static let dataDependent: Set<String> = ["NonMaxSuppression"]

    @Test(arguments: fixtureLines())
    func matchesOnnx(_ line: String) throws {
        let parts = line.split(separator: "|", omittingEmptySubsequences: false)
        let builder = try #require(sampleGraph(parts))
        let op = builder.graph.nodes[0].op
        let notes = builder.graph.inferShapes()
        #expect(notes.isEmpty)
        for (slot, text) in words(parts[3]).enumerated() {
            let wanted = try #require(SampleTensor(text))
            let value = builder["y\(slot)"]
            #expect(value.dtype == wanted.dtype)
            let shape = try #require(value.shape)
            try #require(shape.count == wanted.shape.count)
            for (found, expected) in zip(shape, wanted.shape) {
                if case .symbol(let name) = expected, name.hasPrefix("unk") {
                    #expect(found != .unknown)
                } else if !Self.dataDependent.contains(op) {
                    #expect(found == expected)
                }
            }
            if let numbers = wanted.numbers { #expect(value.constant?.integers == numbers.map { Int($0) }) }
        }
    }

    @Test func fixtureIsThere() { #expect(fixtureLines().count > 140) }
}

private func words(_ text: Substring) -> [String] { text.split(separator: " ").map(String.init) }

/// The node of a line, already split at its bars; nil if the line is none.
func sampleGraph(_ parts: [Substring]) -> GraphBuilder? {
    guard parts.count == 4, let op = words(parts[0]).first, let opset = Int(words(parts[0])[1]) else { return nil }
    let builder = GraphBuilder(opset: opset)
    var inputs: [String] = []
    for (slot, text) in words(parts[1]).enumerated() {
        inputs.append(text == "-" ? "" : "x\(slot)")
        SampleTensor(text)?.add(to: builder, as: "x\(slot)")
    }
    builder.node(op, inputs, words(parts[3]).indices.map { "y\($0)" }, words(parts[2]).map { attribute($0) })
    return builder
}

/// `type[sizes]{contents}` of the fixture.
struct SampleTensor {
    var dtype: DType
    var shape: [Dimension]
    var numbers: [Double]?

    init?(_ text: String) {
        guard let open = text.firstIndex(of: "["), let close = text.firstIndex(of: "]"),
            let dtype = DType.allCases.first(where: { $0.name == text[..<open] })
        else { return nil }
        self.dtype = dtype
        shape = text[text.index(after: open)..<close].split(separator: ",").map { size in
            Int(size).map { .size($0) } ?? (size == "?" ? .unknown : .symbol(String(size)))
        }
        let rest = text[text.index(after: close)...]
        if rest.hasPrefix("{") {
            numbers = rest.dropFirst().dropLast().split(separator: ",").compactMap { Double(String($0)) ?? Int($0).map(Double.init) }
        }
    }

    func add(to builder: GraphBuilder, as name: String) {
        guard let numbers else {
            builder.input(name, shape.map { ($0.value ?? 0) < 0 ? .unknown : $0 }, dtype)
            return
        }
        let sizes = shape.compactMap(\.value)
        // Contents that no longer fit (a mutated line) leave a plain input.
        guard checkedCount(sizes) == numbers.count, sizes.count == shape.count else {
            builder.input(name, shape.map { ($0.value ?? 0) < 0 ? .unknown : $0 }, dtype)
            return
        }
        let whole = numbers.map { Int(exactly: $0.rounded(.towardZero)) ?? ($0 < 0 ? .min : .max) }
        builder.weight(name, sizes, dtype, integers: whole)
        if dtype.isFloat {
            builder.graph.values[builder.index(name)].constant = floats(numbers.map { Float($0) }, dtype, sizes)
        }
    }
}

private func attribute(_ text: String) -> (name: String, value: Attribute) {
    let name = text.prefix { $0 != "=" }
    let kind = text[text.index(after: name.endIndex)]
    let value = String(text.dropFirst(name.count + 3))
    switch kind {
    case "i": return (String(name), .int(Int(value) ?? 0))
    case "I": return (String(name), .ints(value.split(separator: ",").compactMap { Int($0) }))
    case "f": return (String(name), .float(Float(value) ?? 0))
    default: return (String(name), .string(value))
    }
}

func fixtureLines(_ file: String = #filePath) -> [String] {
    let folder = file.split(separator: "/").dropLast(2).joined(separator: "/")
    guard let stream = fopen("/\(folder)/graph/operators.txt", "r") else { return [] }
    defer { fclose(stream) }
    var lines: [String] = []
    var buffer = [CChar](repeating: 0, count: 4096)
    while fgets(&buffer, Int32(buffer.count), stream) != nil {
        let bytes = buffer.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }
        lines.append(String(decoding: bytes, as: UTF8.self))
    }
    return lines
}
