import PareTensor

extension Model {
    /// Write the model with its changes. The target appears whole or not at all; what was not changed is written byte for byte.
    ///
    /// `progress` is called for every tensor and at least once every 4 MiB; returning false cancels with `.cancelled`. A failure leaves
    /// the target as it was. Throws `.argument` for a target that is the opened file itself, `.io` where it exists and `overwrite` is
    /// off or the disk fails, `.unsupported` for a conversion between formats that cannot hold the same.
    public func save(to path: String, options: SaveOptions = SaveOptions(), progress: Progress? = nil) throws {
        let target = SaveTarget(path: path, metadata: metadata(adding: options.provenance))
        var plan = try plan(target, as: options.format ?? (format == .memory ? .safetensors : format))
        plan.inputs = container?.inputs ?? []
        try plan.run(overwrite: options.overwrite, progress: progress)
    }

    private func metadata(adding entries: [(key: String, value: String)]) -> [(key: String, value: String)] {
        var all = metadata
        for (key, value) in entries {
            if let index = all.firstIndex(where: { $0.key == key }) {
                all[index].value = value
            } else {
                all.append((key, value))
            }
        }
        return all
    }

    private func plan(_ target: SaveTarget, as wanted: ModelFormat) throws -> SavePlan {
        if wanted == format, let container { return try container.plan(self, target) }
        switch wanted {
        case .safetensors:
            if let first = carried.first {
                throw PareError(
                    .unsupported, "a tensor of this type cannot be converted", at: first.name, found: first.dtype,
                    hint: "save in the format of the model, \(format.name)")
            }
            return SavePlan(files: [try SafetensorsHeader.plan(parameters, target)], inputs: [])
        case .npy where parameters.count == 1 && carried.isEmpty:
            return SavePlan(files: [try NpyFile.plan(parameters[0], target.path)], inputs: [])
        default:
            throw PareError(
                .unsupported, "this conversion is not possible", at: path.isEmpty ? "the model" : path,
                found: "from \(format.name) to \(wanted.name)",
                expected: wanted == .npy ? "a model of one array" : "safetensors, or the format of the model")
        }
    }
}
