import PareGraph
import PareTensor

/// An ONNX file that is open: its graph, and where in the file everything is that a save may change.
final class OnnxFile {
    let context: OnnxContext
    let graph: Graph
    /// Initialisers of the main graph, in file order.
    let tensors: [OnnxTensor]
    /// Entries of metadata_props with the range of the whole field.
    private(set) var metadata: [(key: String, value: String, range: Range<Int>)] = []

    static let opsets = 7...26
    /// Largest file that is written; a test makes it small.
    var sizeLimit = Int(Int32.max)

    init(_ file: MappedFile) throws {
        context = OnnxContext(file)
        var reader = WireReader(file, 0..<file.count)
        var graphField: WireField?
        var opsets: [String: Int] = [:]
        var version = 0
        while let field = try reader.next() {
            switch field.number {
            case 1: version = try reader.int(field, "IR version")
            case 7:
                try reader.expect(.bytes, field, "graph")
                guard graphField == nil else { throw OnnxFile.error(file, "there are two graphs", field) }
                graphField = field
            case 8:
                let (domain, version) = try OnnxFile.readOpset(field, reader)
                opsets[domain] = version
            case 14: metadata.append(try OnnxFile.readEntry(field, reader))
            default: break
            }
        }
        guard let graphField, version > 0 else {
            throw PareError(
                .format, "is not an ONNX model", at: file.path,
                found: graphField == nil ? "no graph" : "no IR version", expected: "a ModelProto",
                hint: "a model in another format may have the wrong extension")
        }
        try OnnxFile.check(opsets, file)
        let main = try OnnxGraphReader(graphField, context, parent: -1)
        graph = main.graph
        graph.opsets = opsets
        tensors = main.tensors
    }

    private static func readOpset(_ field: WireField, _ outer: WireReader) throws -> (domain: String, version: Int) {
        var reader = try outer.message(field, "opset")
        var domain = ""
        var version = 0
        while let part = try reader.next() {
            if part.number == 1 { domain = try reader.string(part, "domain of an opset") }
            if part.number == 2 { version = try reader.int(part, "version of an opset") }
        }
        return (domain == "ai.onnx" ? "" : domain, version)
    }

    private static func readEntry(
        _ field: WireField, _ outer: WireReader
    ) throws -> (key: String, value: String, range: Range<Int>) {
        var reader = try outer.message(field, "metadata entry")
        var key = ""
        var value = ""
        while let part = try reader.next() {
            if part.number == 1 { key = try reader.string(part, "key of a metadata entry") }
            if part.number == 2 { value = try reader.string(part, "value of a metadata entry") }
        }
        return (key, value, field.range)
    }

    private static func check(_ opsets: [String: Int], _ file: MappedFile) throws {
        guard let version = opsets[""] else {
            // A model made of other domains alone is fine; one without any is not a model.
            if !opsets.isEmpty { return }
            throw PareError(.format, "names no operator set", at: file.path, expected: "opset_import")
        }
        guard OnnxFile.opsets.contains(version) else {
            throw PareError(
                .unsupported, "the operator set is not supported", at: file.path, found: "opset \(version)",
                expected: "opset \(OnnxFile.opsets.lowerBound) to \(OnnxFile.opsets.upperBound)",
                hint: "convert the model, for instance with onnx.version_converter")
        }
    }

    private static func error(_ file: MappedFile, _ what: String, _ field: WireField) -> PareError {
        PareError(.format, what, at: "\(file.path): byte \(field.range.lowerBound)")
    }
}

extension OnnxFile: Container {
    var inputs: Set<FileIdentity> {
        Set(([context.file] + context.external.opened.map { $0.file }).compactMap { $0.identity })
    }

    func plan(_ model: Model, _ target: SaveTarget) throws -> SavePlan {
        var changed: [Int: Parameter] = [:]
        for parameter in model.parameters where parameter.isChanged {
            if let index = parameter.storageIndex { changed[index] = parameter }
        }
        let files = try plan(changed, target, spilling: false)
        // The encoding holds no message of 2 GiB and more: what no longer fits moves to a data file.
        let fits = (files.last?.size ?? 0) <= sizeLimit
        return SavePlan(files: fits ? files : try plan(changed, target, spilling: true), inputs: inputs)
    }

    private func plan(_ changed: [Int: Parameter], _ target: SaveTarget, spilling: Bool) throws -> [FilePlan] {
        var splice = Splice(context.file, frames: context.frames)
        editMetadata(&splice, target.metadata)
        var outside: [(file: ObjectIdentifier, range: Range<Int>, parameter: Parameter)] = []
        var spill = OnnxSpill(target)
        for (index, tensor) in tensors.enumerated() {
            let parameter = changed[index]
            if spilling, try spill.move(tensor, parameter, &splice) { continue }
            guard let parameter else { continue }
            switch tensor.contents {
            // Of equal length: no message around it changes.
            case .plain(let range): splice.replace(range, in: -1, with: [.parameter(parameter)])
            case .decoded: OnnxFile.reencode(tensor, parameter, &splice)
            case .external(let file, let range): outside.append((ObjectIdentifier(file), range, parameter))
            case .none: break
            }
        }
        var files = try externalPlans(outside, target, &splice)
        if spilling { files.append(spill.plan) }
        files.append(splice.plan(path: target.path))
        return files
    }

    /// Replace the data fields of a tensor by one raw_data field: never both.
    private static func reencode(_ tensor: OnnxTensor, _ parameter: Parameter, _ splice: inout Splice) {
        for (position, field) in tensor.dataFields.enumerated() {
            let header = Wire.field(9, .bytes) + Wire.varint(UInt64(parameter.byteCount))
            splice.replace(
                field.range, in: tensor.frame, with: position == 0 ? [.bytes(header), .parameter(parameter)] : [])
        }
    }

    /// Change, remove and append entries until the file has those of `wanted`; unchanged ones are not touched.
    private func editMetadata(_ splice: inout Splice, _ wanted: [(key: String, value: String)]) {
        var left = wanted
        for entry in metadata {
            guard let index = left.firstIndex(where: { $0.key == entry.key }) else {
                splice.replace(entry.range, in: -1, with: [])
                continue
            }
            let value = left.remove(at: index).value
            guard value != entry.value else { continue }
            splice.replace(entry.range, in: -1, with: [.bytes(OnnxFile.encoded(entry.key, value))])
        }
        let end = context.file.count
        let added = left.map { Segment.bytes(OnnxFile.encoded($0.key, $0.value)) }
        if !added.isEmpty { splice.replace(end..<end, in: -1, with: added) }
    }

    private static func encoded(_ key: String, _ value: String) -> [UInt8] {
        Wire.bytes(14, Wire.string(1, key) + Wire.string(2, value))
    }
}
