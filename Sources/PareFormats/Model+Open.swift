import PareGraph
import PareTensor

extension Model {
    /// Open a file or folder. What it is follows from its contents, and from its name only where contents leave it open.
    ///
    /// Cost: the header; weights are mapped, not read. Throws `.notFound`, `.io`, `.format` and the other codes for data that is wrong,
    /// `.missing` for a data file or shard that is not there, `.unsupported` for formats that Pare does not read.
    public static func open(_ path: String) throws -> Model {
        if try FileStatus.of(path)?.kind == .folder { return try openFolder(path) }
        return try open(MappedFile(path: path))
    }

    /// The same for the contents of a file in memory (copied); `name` stands for the path.
    static func open(bytes: UnsafeRawBufferPointer, name: String) throws -> Model {
        try open(MappedFile(bytes: bytes, name: name))
    }

    private static func open(_ file: MappedFile) throws -> Model {
        guard file.count > 0 else {
            throw PareError(.format, "is empty", at: file.path, hint: "the file may not have been downloaded completely")
        }
        switch try FileKind.of(file) {
        case .onnx: return try openOnnx(file)
        case .npy: return try openNpy(file)
        case .index: return openTensors(file.path, .sharded, try ShardedSafetensors(file))
        case .safetensors: return openTensors(file.path, .safetensors, try SafetensorsFile(file))
        }
    }

    private static func openOnnx(_ file: MappedFile) throws -> Model {
        let onnx = try OnnxFile(file)
        var parameters: [Parameter] = []
        var carried: [CarriedTensor] = []
        for (index, tensor) in onnx.tensors.enumerated() {
            guard let dtype = tensor.dtype, let stored = try tensor.stored else {
                carried.append(
                    CarriedTensor(name: tensor.name, dtype: OnnxType.name(tensor.type), shape: tensor.shape))
                continue
            }
            let parameter = Parameter(
                name: tensor.name, dtype: dtype, shape: tensor.shape, role: dtype.isFloat ? .other : .constant,
                stored: stored)
            parameter.storageIndex = index
            parameter.valueIndex = onnx.graph.initializers[index]
            parameters.append(parameter)
        }
        return Model(
            path: file.path, format: .onnx, parameters: parameters, graph: onnx.graph,
            metadata: onnx.metadata.map { ($0.key, $0.value) }, carried: carried, container: onnx)
    }

    private static func openTensors(
        _ path: String, _ format: ModelFormat, _ weights: any TensorContainer, in folder: HuggingFaceFolder? = nil
    ) -> Model {
        let parameters = weights.parameters()
        ParameterNames.classify(
            parameters, modelType: folder?.modelType ?? "", tiesEmbeddings: folder?.tiesEmbeddings ?? false)
        return Model(
            path: path, format: format, parameters: parameters, metadata: weights.metadataEntries,
            carried: weights.carried(), container: folder ?? weights)
    }

    private static func openFolder(_ path: String) throws -> Model {
        let folder = try HuggingFaceFolder(path)
        return openTensors(path, .huggingFace, folder.weights, in: folder)
    }

    private static func openNpy(_ file: MappedFile) throws -> Model {
        let array = try NpyFile(file)
        let parameter = array.parameter()
        parameter.role = .weight
        parameter.prunable = parameter.dtype.isFloat
        parameter.reason = ParameterNames.reason(for: .weight, dtype: parameter.dtype)
        return Model(path: file.path, format: .npy, parameters: [parameter], container: array)
    }
}

/// Which reader a file is for.
enum FileKind {
    case onnx, npy, index, safetensors

    /// By contents where they speak, else by name.
    static func of(_ file: MappedFile) throws -> FileKind {
        if file.begins(with: NpyFile.magic) { return .npy }
        for (magic, kind, hint) in foreign where file.begins(with: magic) {
            throw PareError(.unsupported, "is not a model that Pare reads", at: file.path, found: kind, hint: hint)
        }
        if file.path.hasSuffix(ShardedSafetensors.suffix) { return .index }
        if file.path.hasSuffix(".safetensors") { return .safetensors }
        if file.path.hasSuffix(".onnx") { return .onnx }
        if file.path.hasSuffix(".npy") {
            throw PareError(
                .format, "is not a .npy file", at: "\(file.path): byte 0", expected: "the bytes \\x93NUMPY")
        }
        if file.count > 8, file.bytes[8] == UInt8(ascii: "{") { return .safetensors }
        // An ONNX file begins with its IR version, a small number in field 1.
        if file.count > 2, file.bytes[0] == 0x08, file.bytes[1] < 0x40 { return .onnx }
        throw PareError(
            .format, "is not a model that Pare reads", at: file.path,
            expected: "ONNX, safetensors, an index of shards, .npy, or a Hugging Face folder")
    }

    private static let foreign: [(magic: [UInt8], kind: String, hint: String)] = [
        (Array("version https://git-lfs".utf8), "a Git LFS pointer", "fetch the file itself: git lfs pull"),
        (Array("PK\u{3}\u{4}".utf8), "a ZIP archive, as torch.save and numpy.savez write", "convert it to safetensors"),
        ([0x80, 0x02], "a Python pickle", "convert it to safetensors"),
        ([0x89] + Array("HDF".utf8), "an HDF5 file", "export the model as ONNX"),
        (Array("GGUF".utf8), "a GGUF file", "use the model it was made from"),
    ]
}

extension MappedFile {
    func begins(with magic: [UInt8]) -> Bool { count >= magic.count && bytes.prefix(magic.count).elementsEqual(magic) }
}
