/// How a model is kept. Raw values equal the `PARE_FORMAT_*` macros of `pare/model.h`; `memory` has no file.
public enum ModelFormat: Int32, CaseIterable, Sendable {
    case memory = 0
    case onnx = 1
    /// One file.
    case safetensors = 2
    /// `*.safetensors.index.json` and its shards.
    case sharded = 3
    /// A folder with `config.json`, weights and tokenizer.
    case huggingFace = 4
    /// One array.
    case npy = 5

    public var name: String {
        switch self {
        case .memory: "memory"
        case .onnx: "ONNX"
        case .safetensors: "safetensors"
        case .sharded: "sharded safetensors"
        case .huggingFace: "Hugging Face folder"
        case .npy: "npy"
        }
    }
}
