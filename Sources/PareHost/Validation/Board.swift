import CShim
import Glibc
import PareTensor

/// Where a child process writes down what it is doing and what came of it. The plugin under test can reach this memory, so
/// everything read from it is taken as untrusted.
final class Board {
    private static let size = 1 << 16
    private static let verdictAt = 0
    private static let noVerdict: Int32 = -1

    private enum Field: Int {
        case stage = 64
        case what = 1024
        case found = 2048
        case expected = 3072
        case payload = 4096

        var capacity: Int { self == .payload ? Board.size - 4096 : self == .stage ? 960 : 1024 }
    }

    private let block: UnsafeMutableRawPointer

    init() throws {
        guard let block = cshim_shared(Board.size) else {
            throw PareError(.memory, "no memory to share with a child process")
        }
        self.block = block
        block.storeBytes(of: Board.noVerdict, toByteOffset: Board.verdictAt, as: Int32.self)
    }

    deinit { cshim_unshare(block, Board.size) }

    /// What is being done right now: all that is left to tell after a crash.
    var stage: String {
        get { read(.stage) }
        set { write(newValue, .stage) }
    }

    /// Data for later checks.
    var payload: String {
        get { read(.payload) }
        set { write(newValue, .payload) }
    }

    /// The child's last word; nil if it never got there.
    var finding: Finding? {
        get {
            let raw = block.load(fromByteOffset: Board.verdictAt, as: Int32.self)
            guard let verdict = Verdict(rawValue: raw) else { return nil }
            return Finding(verdict: verdict, what: read(.what), found: read(.found), expected: read(.expected))
        }
        set {
            guard let newValue else { return }
            write(newValue.what, .what)
            write(newValue.found, .found)
            write(newValue.expected, .expected)
            block.storeBytes(of: newValue.verdict.rawValue, toByteOffset: Board.verdictAt, as: Int32.self)
        }
    }

    private func write(_ text: String, _ field: Field) {
        let bytes = Array(text.utf8.prefix(field.capacity - 1))
        let target = block + field.rawValue
        for (offset, byte) in bytes.enumerated() {
            target.storeBytes(of: byte == 0 ? 0x20 : byte, toByteOffset: offset, as: UInt8.self)
        }
        target.storeBytes(of: 0, toByteOffset: bytes.count, as: UInt8.self)
    }

    private func read(_ field: Field) -> String {
        let bytes = UnsafeRawBufferPointer(start: block + field.rawValue, count: field.capacity)
        return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
}
