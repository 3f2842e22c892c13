import PareTensor

/// Moves the data of initialisers out of the model into one new file beside it, "<name of the model>.data".
struct OnnxSpill {
    private(set) var plan: FilePlan
    private let name: String
    private var at = 0

    /// Smaller tensors stay: the entries that name the file take room too.
    private static let threshold = 1024
    private static let alignment = 4096

    init(_ target: SaveTarget) {
        name = Path.name(of: target.path) + ".data"
        plan = FilePlan(path: Path.join(Path.folder(of: target.path), name))
    }

    /// False if the tensor stays where it is. `parameter`: its new values where it changed.
    mutating func move(_ tensor: OnnxTensor, _ parameter: Parameter?, _ splice: inout Splice) throws -> Bool {
        guard let stored = try tensor.stored, let first = tensor.dataFields.first else { return false }
        let size = stored.bytes.count
        guard size >= OnnxSpill.threshold else { return false }
        let start = (at + OnnxSpill.alignment - 1) / OnnxSpill.alignment * OnnxSpill.alignment
        plan.append([UInt8](repeating: 0, count: start - at))
        switch (parameter, stored) {
        case (let parameter?, _): plan.segments.append(.parameter(parameter))
        case (nil, .mapped(let file, let range)): plan.copy(range, of: file)
        case (nil, .owned(let buffer)): plan.append(Array(buffer.bytes))
        }
        at = start + size
        let entries = [("location", name), ("offset", "\(start)"), ("length", "\(size)")]
        let fields = entries.flatMap { Wire.bytes(13, Wire.string(1, $0) + Wire.string(2, $1)) } + Wire.int(14, 1)
        for field in tensor.placeFields + tensor.dataFields {
            let isFirst = field.range == first.range
            splice.replace(field.range, in: tensor.frame, with: isFirst ? [.bytes(fields)] : [])
        }
        return true
    }
}
