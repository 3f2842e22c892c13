@preconcurrency import Glibc
import PareTensor
import Testing

@testable import PareFormats

@Suite struct FileTests {
    let scratch: Scratch
    let path: String

    init() throws {
        scratch = try Scratch()
        path = try scratch.write("in.safetensors", Safetensors.file(SafetensorsTests.one, 8))
    }

    @Test func existingTargetNeedsOverwrite() throws {
        try scratch.write("out", [1, 2, 3])
        let model = try Model.open(path)
        let problem = error { try model.save(to: scratch("out")) }
        #expect(problem?.status == .io && problem?.location == scratch("out"))
        #expect(try contents(scratch("out")) == [1, 2, 3])
        try model.save(to: scratch("out"), options: SaveOptions(overwrite: true))
        #expect(try contents(scratch("out")) == contents(path))
        #expect(scratch.names == ["in.safetensors", "out"])
    }

    @Test func openedFileIsNeverReplaced() throws {
        let model = try Model.open(path)
        symlink(path, scratch("soft"))
        link(path, scratch("hard"))
        for target in [path, scratch("soft"), scratch("hard"), scratch("./in.safetensors")] {
            let problem = error { try model.save(to: target, options: SaveOptions(overwrite: true)) }
            #expect(problem?.status == .argument)
        }
    }

    @Test func cancelledSaveLeavesNothing() throws {
        let model = try Model.open(path)
        var seen: [Double] = []
        let problem = error {
            try model.save(to: scratch("out")) { fraction, _ in
                seen.append(fraction)
                return false
            }
        }
        #expect(problem?.status == .cancelled && seen.count == 1)
        #expect(scratch.names == ["in.safetensors"])
    }

    @Test func failuresNameThePathAndReason() throws {
        let model = try Model.open(path)
        #expect(error { _ = try Model.open(scratch("none")) }?.status == .notFound)
        let problem = error { try model.save(to: scratch("none/out")) }
        #expect(problem?.location == scratch("none/out") && problem?.found == "No such file or directory")
        mkfifo(scratch("pipe"), 0o600)
        #expect(error { _ = try Model.open(scratch("pipe")) }?.expected == "a regular file")
        #expect(error { _ = try MappedFile(path: scratch.path) }?.found == "a folder")
        #expect(error { try model.save(to: scratch.path, options: SaveOptions(overwrite: true)) }?.status == .argument)
        #expect(error { try model.save(to: "") }?.status == .argument)
    }

    /// Pieces of odd sizes around the buffer's end, past the page cache and through it.
    @Test(arguments: [0, 1 << 30])
    func largeFilesAreWrittenInPieces(expected: Int) throws {
        var whole: [UInt8] = []
        let file = try AtomicFile(path: scratch("big"), expectedSize: min(expected, 16 << 20))
        for (size, granule) in [(1, 1), (4 << 20, 8), (5_000_003, 512), (4095, 1), (3 << 20, 4096), (77, 64)] {
            let start = whole.count
            whole += (0..<size).map { UInt8(truncatingIfNeeded: ($0 &+ start) &* 31 >> 3) }
            try file.write(count: size, granule: granule) { target, done in
                #expect(done % granule == 0)
                target.copyBytes(from: whole[start + done..<start + done + target.count])
            }
        }
        #expect(scratch.names.count == 2)
        try file.commit()
        #expect(try contents(scratch("big")) == whole)
        #expect(scratch.names == ["big", "in.safetensors"])
    }

    @Test func abandonedFilesGo() throws {
        do {
            let file = try AtomicFile(path: scratch("out"))
            try file.write([1])
        }
        #expect(scratch.names == ["in.safetensors"])
        let file = try AtomicFile(path: scratch("out"))
        #expect(scratch.names.count == 2)
        TemporaryFiles.unregister("unknown")
        file.discard()
        #expect(scratch.names == ["in.safetensors"])
    }

    @Test func forkedChildLeavesItsParentsFiles() throws {
        let file = try AtomicFile(path: scratch("out"))
        let child = fork()
        if child == 0 {
            removeTemporaryFiles()
            _exit(0)
        }
        var status: Int32 = 0
        #expect(waitpid(child, &status, 0) == child && status == 0)
        #expect(scratch.names.count == 2)
        file.discard()
    }

    @Test func foreignFilesAreNamed() throws {
        for (bytes, kind) in [
            (Array("version https://git-lfs.github.com/spec/v1\n".utf8), "a Git LFS pointer"),
            (Array("PK\u{3}\u{4}....".utf8), "a ZIP archive, as torch.save and numpy.savez write"),
            (Array("GGUF....".utf8), "a GGUF file"),
        ] {
            let problem = error { _ = try open(bytes, "model.onnx") }
            #expect(problem?.status == .unsupported && problem?.found == kind && problem?.hint.isEmpty == false)
        }
    }
}

@Suite struct DamageTests {
    static let seeds = Seeds.files("onnx") + Seeds.files("safetensors") + Seeds.files("npy")

    /// A cut file must fail, wherever it is cut; ONNX has no end mark, so a cut between two fields may be a model.
    @Test(arguments: seeds)
    func cutFilesFail(path: String) throws {
        let bytes = try contents(path)
        #expect(!bytes.isEmpty)
        var accepted = 0
        for length in 0..<bytes.count where error({ _ = try open(Array(bytes[..<length]), path) }) == nil { accepted += 1 }
        #expect(accepted <= (path.hasSuffix(".onnx") ? 4 : 0))
    }

    /// Whatever one changed byte does, it must end in a model or in an error that names the file.
    @Test(arguments: seeds)
    func changedBytesAreHarmless(path: String) throws {
        let bytes = try contents(path)
        for index in bytes.indices {
            for value in [bytes[index] ^ 1, bytes[index] ^ 0x80, 0, 0xFF, 0x7F] {
                var damaged = bytes
                damaged[index] = value
                if let problem = error({ _ = try open(damaged, path) }) {
                    #expect(problem.location.hasPrefix(path), "\(problem)")
                }
            }
        }
    }
}
