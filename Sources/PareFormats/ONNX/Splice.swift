/// Edits a protocol-buffer file by replacing ranges and correcting the lengths of the messages around them; everything else is
/// copied byte for byte.
struct Splice {
    private let file: MappedFile
    private let frames: [OnnxFrame]
    private var edits: [(range: Range<Int>, segments: [Segment])] = []
    /// By how much the body of each frame grows.
    private var growth: [Int]

    init(_ file: MappedFile, frames: [OnnxFrame]) {
        self.file = file
        self.frames = frames
        growth = [Int](repeating: 0, count: frames.count)
    }

    /// Put `segments` in place of a range that lies directly in `frame` (-1: in the file itself). Ranges must not overlap.
    mutating func replace(_ range: Range<Int>, in frame: Int, with segments: [Segment]) {
        edits.append((range, segments))
        if frame >= 0 { growth[frame] += segments.reduce(0) { $0 + $1.size } - range.count }
    }

    /// The edited file.
    func plan(path: String) -> FilePlan {
        var edits = edits
        var growth = growth
        // A frame comes after the one around it, so going backwards meets the inner ones first.
        for index in frames.indices.reversed() where growth[index] != 0 {
            let frame = frames[index]
            let header = Wire.field(frame.number, .bytes) + Wire.varint(UInt64(frame.body.count + growth[index]))
            edits.append((frame.header, [.bytes(header)]))
            if frame.parent >= 0 { growth[frame.parent] += growth[index] + header.count - frame.header.count }
        }
        edits.sort { ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound) }
        var plan = FilePlan(path: path)
        var at = 0
        for edit in edits {
            plan.copy(at..<edit.range.lowerBound, of: file)
            plan.segments += edit.segments
            at = edit.range.upperBound
        }
        plan.copy(at..<file.count, of: file)
        return plan
    }
}
