@preconcurrency import Glibc
import PareTensor

/// A piece of a file that is going to be written.
enum Segment {
    case copy(MappedFile, Range<Int>)
    case bytes([UInt8])
    /// The current values: replaced or stored, mask applied.
    case parameter(Parameter)

    var size: Int {
        switch self {
        case .copy(_, let range): range.count
        case .bytes(let bytes): bytes.count
        case .parameter(let parameter): parameter.byteCount
        }
    }

    var label: String {
        if case .parameter(let parameter) = self { return parameter.name }
        return ""
    }
}

/// What a file will hold, before anything is written.
struct FilePlan {
    var path: String
    var segments: [Segment] = []
    /// Folders to make first, outer ones first; they go again if the save fails.
    var folders: [String] = []

    var size: Int { segments.reduce(0) { $0 + $1.size } }

    /// Append part of a mapped file; joins with the piece before where it can.
    mutating func copy(_ range: Range<Int>, of file: MappedFile) {
        guard !range.isEmpty else { return }
        if case .copy(let last, let before)? = segments.last, last === file, before.upperBound == range.lowerBound {
            segments[segments.count - 1] = .copy(file, before.lowerBound..<range.upperBound)
        } else {
            segments.append(.copy(file, range))
        }
    }

    mutating func append(_ bytes: [UInt8]) {
        if !bytes.isEmpty { segments.append(.bytes(bytes)) }
    }

    /// A copy of `file` in which some ranges hold parameters of the same size. The ranges must be in order and apart.
    mutating func copy(
        _ whole: Range<Int>, of file: MappedFile, replacing patches: [(range: Range<Int>, parameter: Parameter)]
    ) {
        var at = whole.lowerBound
        for patch in patches {
            copy(at..<patch.range.lowerBound, of: file)
            segments.append(.parameter(patch.parameter))
            at = patch.range.upperBound
        }
        copy(at..<whole.upperBound, of: file)
    }
}

/// Called between pieces of work with the fraction done and the item at hand; false stops.
public typealias Progress = (Double, String) -> Bool

/// Everything that one save writes.
struct SavePlan {
    /// In the order in which they are to appear: what others refer to comes first.
    var files: [FilePlan]
    /// A folder that is made as a whole; `files` then have paths relative to it.
    var folder: String? = nil
    /// Files that are being read.
    var inputs: Set<FileIdentity>

    func run(overwrite: Bool, progress: Progress?) throws {
        var meter = Meter(total: files.reduce(0) { $0 + $1.size }, progress: progress)
        if let folder {
            try FolderSave(folder, overwrite: overwrite, inputs: inputs).run(files, &meter)
            return
        }
        for file in files { try AtomicFile.checkTarget(file.path, overwrite: overwrite, inputs: inputs) }
        var written: [AtomicFile] = []
        let folders = NewFolders()
        for file in files {
            for folder in file.folders { try folders.make(folder) }
            let output = try AtomicFile(
                path: file.path, overwrite: overwrite, expectedSize: file.size, inputs: inputs)
            try output.write(file, &meter)
            try output.finish()
            written.append(output)
        }
        for output in written { try output.publish() }
        folders.keep()
    }
}

/// Folders that a save makes; those that stay empty because it fails are removed.
private final class NewFolders {
    private var made: [String] = []

    deinit {
        for folder in made.reversed() { rmdir(folder) }
    }

    func make(_ path: String) throws {
        if mkdir(path, 0o777) == 0 {
            made.append(path)
        } else if errno != EEXIST {
            throw systemError("folder cannot be created", at: path, code: errno)
        }
    }

    func keep() { made = [] }
}

/// Counts bytes and asks whether to go on.
struct Meter {
    let total: Int
    let progress: Progress?
    private var done = 0

    init(total: Int, progress: Progress?) {
        self.total = max(total, 1)
        self.progress = progress
    }

    mutating func advance(_ bytes: Int, _ label: String) throws {
        done += bytes
        guard let progress, !progress(min(Double(done) / Double(total), 1), label) else { return }
        throw PareError(.cancelled, "saving was cancelled; nothing was written")
    }
}

extension AtomicFile {
    func write(_ plan: FilePlan, _ meter: inout Meter) throws {
        for segment in plan.segments { try write(segment, &meter) }
    }

    private func write(_ segment: Segment, _ meter: inout Meter) throws {
        let label = segment.label
        switch segment {
        case .copy(let file, let range):
            try write(count: range.count) { target, done in
                try file.read(range.lowerBound + done, into: target)
                try meter.advance(target.count, label)
            }
        case .bytes(let bytes):
            try write(bytes)
            try meter.advance(bytes.count, label)
        case .parameter(let parameter):
            try write(count: parameter.byteCount, granule: parameter.dtype.size * 64) { target, done in
                try parameter.readCurrent(at: done, into: target)
                try meter.advance(target.count, label)
            }
        }
    }
}
