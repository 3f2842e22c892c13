import PareTensor

/// One safetensors file that is open.
final class SafetensorsFile {
    let header: SafetensorsHeader

    init(_ file: MappedFile) throws { header = try SafetensorsHeader(file) }

    /// Its tensors of types that Pare computes with; `storageIndex` counts the entries of the header.
    func parameters() -> [Parameter] {
        header.entries.enumerated().compactMap { index, entry in
            guard let dtype = entry.type.dtype else { return nil }
            let parameter = Parameter(
                name: entry.name, dtype: dtype, shape: entry.shape, stored: .mapped(header.file, entry.range))
            parameter.storageIndex = index
            return parameter
        }
    }

    func carried() -> [CarriedTensor] {
        header.entries.filter { $0.type.dtype == nil }
            .map { CarriedTensor(name: $0.name, dtype: $0.type.name, shape: $0.shape) }
    }

    /// The file with its changed parameters.
    func plan(
        _ changed: [Parameter], path: String, metadata: [(key: String, value: String)]
    ) throws -> FilePlan {
        var plan = try header.rewritten(metadata)
        plan.path = path
        let patches = changed.compactMap { parameter in
            parameter.storageIndex.map { (range: header.entries[$0].range, parameter: parameter) }
        }
        plan.copy(
            header.dataStart..<header.file.count, of: header.file,
            replacing: patches.filter { !$0.range.isEmpty }.sorted { $0.range.lowerBound < $1.range.lowerBound })
        return plan
    }
}

extension SafetensorsFile: TensorContainer {
    var metadataEntries: [(key: String, value: String)] { header.metadata }

    var inputs: Set<FileIdentity> { Set([header.file.identity].compactMap { $0 }) }

    func plan(_ model: Model, _ target: SaveTarget) throws -> SavePlan {
        let changed = model.parameters.filter { $0.isChanged }
        return SavePlan(
            files: [try plan(changed, path: target.path, metadata: target.metadata)], inputs: inputs)
    }
}
