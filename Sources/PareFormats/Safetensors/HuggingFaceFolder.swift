import PareTensor

/// A folder with `config.json` and weights in safetensors. Everything else in it is copied when the model is saved.
final class HuggingFaceFolder {
    let path: String
    let weights: any TensorContainer
    private let weightsName: String
    private let own: Set<String>
    /// What the configuration says about the weights.
    private(set) var modelType = ""
    private(set) var tiesEmbeddings = false
    private let identity: FileIdentity?

    private static let single = "model.safetensors"

    init(_ path: String) throws {
        self.path = Path.withoutTrailingSlashes(path)
        identity = try FileStatus.of(path)?.identity
        let names = Set(try folderEntries(path))
        let file = HuggingFaceFolder.single
        let index = "model" + ShardedSafetensors.suffix
        if names.contains(file) {
            weights = try SafetensorsFile(MappedFile(path: Path.join(self.path, file)))
            weightsName = file
            own = [file]
        } else if names.contains(index) {
            let sharded = try ShardedSafetensors(MappedFile(path: Path.join(self.path, index)))
            weights = sharded
            weightsName = index
            own = Set(sharded.shards.map { $0.name } + [index])
        } else {
            let hasPickle = names.contains { $0.hasSuffix(".bin") || $0.hasSuffix(".pt") || $0.hasSuffix(".pth") }
            throw PareError(
                .missing, "the folder holds no weights that Pare reads", at: self.path,
                found: hasPickle ? "weights in PyTorch's pickle format" : "neither \(file) nor \(index)",
                expected: file, hint: hasPickle ? "convert them to safetensors" : "")
        }
        try readConfiguration(names)
    }

    private func readConfiguration(_ names: Set<String>) throws {
        let path = Path.join(path, "config.json")
        guard names.contains("config.json") else {
            throw PareError(
                .missing, "is not a model folder", at: self.path, found: "no config.json",
                hint: "open the .safetensors file itself")
        }
        let file = try MappedFile(path: path)
        let config = try withExtendedLifetime(file) { try JSONParser.parse(file.bytes, file: path) }
        modelType = config["model_type"]?.string ?? ""
        tiesEmbeddings = config["tie_word_embeddings"]?.bool ?? false
    }
}

extension HuggingFaceFolder: Container {
    var inputs: Set<FileIdentity> { weights.inputs.union([identity].compactMap { $0 }) }

    func plan(_ model: Model, _ target: SaveTarget) throws -> SavePlan {
        let inner = SaveTarget(path: weightsName, metadata: target.metadata)
        var files = try weights.plan(model, inner).files
        try addOthers(in: "", to: &files)
        return SavePlan(files: files, folder: target.path, inputs: inputs)
    }

    /// Plan copies of all regular files below `folder` that are not the weights. Download caches are left behind.
    private func addOthers(in folder: String, to files: inout [FilePlan]) throws {
        for name in try folderEntries(Path.join(path, folder)) {
            let relative = folder.isEmpty ? name : Path.join(folder, name)
            let full = Path.join(path, relative)
            if own.contains(relative) { continue }
            let isLink = try FileStatus.of(full, followLinks: false)?.kind == .other
            switch try FileStatus.of(full)?.kind {
            case .file:
                let file = try MappedFile(path: full)
                var plan = FilePlan(path: relative)
                plan.copy(0..<file.count, of: file)
                files.append(plan)
            case .folder where !isLink && name != ".git" && name != ".cache":
                try addOthers(in: relative, to: &files)
            default: break
            }
        }
    }
}
