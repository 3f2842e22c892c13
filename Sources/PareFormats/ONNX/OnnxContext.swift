import PareTensor

/// A message of the file, so that a change inside it can correct its length.
struct OnnxFrame {
    /// Tag and length.
    var header: Range<Int>
    var body: Range<Int>
    var number: Int
    /// Index of the frame around it; -1: the file.
    var parent: Int
}

/// What the parts of the ONNX reader share while one file is read.
final class OnnxContext {
    let file: MappedFile
    let external: OnnxExternalFiles
    var frames: [OnnxFrame] = []
    /// Every tensor whose data is in another file, wherever in the model it is.
    var externalTensors: [OnnxTensor] = []

    init(_ file: MappedFile) {
        self.file = file
        external = OnnxExternalFiles(beside: file)
    }

    private var dropped = 0

    /// Let go of what was looked at so far: the kernel maps up to 2 MiB around each tensor's header.
    func passed(_ offset: Int) {
        guard offset - dropped > 64 << 20 else { return }
        file.dropPages(dropped..<offset)
        dropped = offset
    }

    func push(_ field: WireField, parent: Int) -> Int {
        frames.append(
            OnnxFrame(
                header: field.range.lowerBound..<field.body.lowerBound, body: field.body, number: field.number,
                parent: parent))
        return frames.count - 1
    }
}

/// The external data files of one model, each mapped once.
final class OnnxExternalFiles {
    private let model: MappedFile
    private(set) var opened: [(location: String, file: MappedFile)] = []

    init(beside model: MappedFile) { self.model = model }

    /// Only files below the model's folder: a model from elsewhere must not name other files of this machine.
    func open(_ location: String) throws -> MappedFile {
        if let known = opened.first(where: { $0.location == location }) { return known.file }
        guard Path.isContained(location) else {
            throw PareError(
                .format, "external data lies outside the model's folder", found: "\"\(location)\"",
                expected: "a relative path without \"..\"")
        }
        let path = Path.join(Path.folder(of: model.path), location)
        guard model.identity != nil, let real = Path.resolved(path) else {
            throw PareError(
                .missing, "an external data file is missing", found: "nothing at \(path)", expected: "\"\(location)\"",
                hint: "keep the model and its data files together")
        }
        guard allowedFolders.contains(where: { real.hasPrefix($0) }) else {
            throw PareError(
                .format, "external data lies outside the model's folder", found: "\"\(location)\", a link to \(real)")
        }
        let file = try MappedFile(path: path)
        opened.append((location, file))
        return file
    }

    /// The model's folder, and the folder of the file that a linked model really is (download caches link all files of a model
    /// into one store).
    private var allowedFolders: [String] {
        let folders = [
            Path.resolved(Path.folder(of: model.path)), Path.resolved(model.path).map(Path.folder(of:)),
        ]
        return folders.compactMap { $0 }.map { $0 == "/" ? $0 : $0 + "/" }
    }
}
