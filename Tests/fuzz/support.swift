import PareMask

@testable import PareFormats

/// Open a file from memory. What opens must also be saved with every array masked, and what is saved must open again with the same
/// parameters. Errors are fine; traps and sanitizer reports are findings.
func exercise(_ bytes: UnsafeRawBufferPointer, _ name: String) {
    guard let model = try? Model.open(bytes: bytes, name: name) else { return }
    do {
        for parameter in model.parameters {
            parameter.mask = try Mask(zeros: parameter.shape)
            _ = try parameter.currentView()
        }
        let saved = try written(model, [("pare.version", "1")], name)
        let again = try saved.withUnsafeBytes { try Model.open(bytes: $0, name: name) }
        precondition(again.parameters.map { $0.name } == model.parameters.map { $0.name }, "parameters were lost")
        precondition(again.metadata.contains { $0.key == "pare.version" && $0.value == "1" } || model.format == .npy)
        for parameter in again.parameters {
            precondition(parameter.stored.bytes.allSatisfy { $0 == 0 }, "a mask was not applied")
        }
    } catch {
        preconditionFailure("a model that opened cannot be saved and opened again: \(error)")
    }
}

/// The bytes that a save would write.
private func written(_ model: Model, _ extra: [(key: String, value: String)], _ name: String) throws -> [UInt8] {
    let kept = model.metadata.filter { entry in !extra.contains { $0.key == entry.key } }
    let target = SaveTarget(path: name, metadata: kept + extra)
    var bytes: [UInt8] = []
    for segment in try model.container?.plan(model, target).files.last?.segments ?? [] {
        switch segment {
        case .copy(let file, let range): bytes += file.bytes[range]
        case .bytes(let new): bytes += new
        case .parameter(let parameter):
            let view = try parameter.currentView()
            bytes += UnsafeRawBufferPointer(start: view.base, count: parameter.byteCount)
        }
    }
    return bytes
}
