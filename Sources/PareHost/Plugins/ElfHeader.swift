import CShim
import Glibc
import PareTensor

/// What is looked at in a plugin file before the dynamic linker gets it. The linker's own message for a text file is obscure, and it
/// trusts the sizes of segments: a file that was cut off (a copy that was interrupted, a full disk) would end the process.
enum ElfHeader {
    /// - Throws: `.pluginLoad` unless the file is ELF and holds every byte that is to be mapped; `.io` if it cannot be read.
    static func check(_ path: String) throws {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            throw PareError(.io, "the plugin file cannot be opened", at: path, found: String(cString: cshim_error_text(errno)))
        }
        defer { close(file) }
        var info = stat()
        guard fstat(file, &info) == 0 else {
            throw PareError(.io, "the plugin file cannot be read", at: path, found: String(cString: cshim_error_text(errno)))
        }
        let header = read(64, at: 0, of: file)
        let magic = header.prefix(4)
        guard Array(magic) == [0x7F, 0x45, 0x4C, 0x46] else {
            let shown = magic.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
            throw PareError(
                .pluginLoad, "not an ELF shared library", at: path,
                found: shown.isEmpty ? "an empty file" : "first bytes \(shown)", expected: "7f 45 4c 46")
        }
        // Other classes and byte orders the linker refuses by itself.
        guard header.count < 64 || (header[4] == 2 && header[5] == 1) else { return }
        let size = Int(info.st_size)
        guard let needed = end(of: header, file), needed <= size else {
            throw PareError(
                .pluginLoad, "the plugin file is cut off", at: path, found: "\(size) bytes",
                expected: end(of: header, file).map { "at least \($0)" } ?? "whole program headers", hint: "copy or build it again")
        }
    }

    /// Where the last byte ends that is to be mapped; nil if the program headers are not whole.
    private static func end(of header: [UInt8], _ file: Int32) -> Int? {
        guard header.count == 64, let start = number(header, 32, 8), let each = number(header, 54, 2),
            let count = number(header, 56, 2), each >= 56
        else { return nil }
        let table = read(each * count, at: start, of: file)
        guard table.count == each * count else { return nil }
        var end = 0
        for index in 0..<count where number(table, index * each, 4) == 1 {
            guard let offset = number(table, index * each + 8, 8), let length = number(table, index * each + 32, 8) else { return nil }
            let (sum, overflow) = offset.addingReportingOverflow(length)
            guard !overflow else { return nil }
            end = max(end, sum)
        }
        return end
    }

    private static func number(_ bytes: [UInt8], _ at: Int, _ size: Int) -> Int? {
        Int(exactly: (0..<size).reduce(UInt64(0)) { $0 | UInt64(bytes[at + $1]) << UInt64(8 * $1) })
    }

    /// As many of these bytes as there are.
    private static func read(_ count: Int, at offset: Int, of file: Int32) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            filled = max(0, pread(file, buffer.baseAddress, count, off_t(offset)))
        }
    }
}
