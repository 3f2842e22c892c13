@preconcurrency import Glibc
import PareFormats

/// The format that an output's name asks for.
enum OutputFormat {
    /// nil: as the model was opened. A name in another format's suffix converts, or fails where that cannot be done, so that no
    /// file is called what it is not.
    static func of(_ path: String, from source: ModelFormat) -> ModelFormat? {
        let name = path.split(separator: "/").last ?? ""
        if name.hasSuffix(".safetensors"), source == .onnx || source == .npy { return .safetensors }
        if name.hasSuffix(".onnx"), source != .onnx { return .onnx }
        if name.hasSuffix(".npy"), source != .npy { return .npy }
        return nil
    }
}

/// Sizes on disk.
enum FileSize {
    /// "485.67 k → 485.80 k bytes"; empty unless both are single files.
    static func change(from input: String, to output: String) -> String {
        guard let before = of(input), let after = of(output) else { return "" }
        return "\(Numbers.grouped(before)) → \(Numbers.grouped(after)) bytes"
    }

    /// Bytes of a regular file; nil for anything else.
    static func of(_ path: String) -> Int? {
        var info = stat()
        guard stat(path, &info) == 0, info.st_mode & S_IFMT == S_IFREG else { return nil }
        return Int(info.st_size)
    }
}
