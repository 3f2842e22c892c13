import PareFormats
import PareTensor

/// What the dynamic linker would see of a shared library: ELF, 64 bits, little-endian.
struct ElfFile {
    struct Symbol {
        var name: String
        var isWeak: Bool
    }

    private(set) var machine = 0
    private(set) var isSharedLibrary = false
    /// Symbols that the library offers to others.
    private(set) var exports: [Symbol] = []
    /// Libraries that it asks for.
    private(set) var needed: [String] = []
    /// Marked as never to be unmapped.
    private(set) var staysMapped = false
    private(set) var hasExecutableStack = false

    /// What this program is built for.
    #if arch(x86_64)
        static let ownMachine = 62
    #elseif arch(arm64)
        static let ownMachine = 183
    #else
        static let ownMachine = 0
    #endif

    private let reader: Reader

    /// - Throws: `.format` with the offset of what is out of place.
    init(_ bytes: UnsafeRawBufferPointer) throws {
        reader = Reader(bytes: bytes)
        guard bytes.count >= 64, bytes.starts(with: [0x7F, 0x45, 0x4C, 0x46]) else {
            throw PareError(.format, "not an ELF file", found: "\(bytes.count) bytes", expected: "7f 45 4c 46 and a header")
        }
        guard bytes[4] == 2, bytes[5] == 1 else {
            throw PareError(
                .format, "not a 64-bit little-endian ELF file", found: "class \(bytes[4]), data \(bytes[5])",
                expected: "class 2, data 1")
        }
        isSharedLibrary = try reader.number(16, 2) == 3
        machine = try reader.number(18, 2)
        try readSegments()
        try readSections()
    }

    private mutating func readSegments() throws {
        let (start, size, count) = (try reader.number(32, 8), try reader.number(54, 2), try reader.number(56, 2))
        for index in 0..<count {
            let at = try reader.offset(start, plus: index, times: size)
            // PT_GNU_STACK with the flag of executable pages.
            if try reader.number(at, 4) == 0x6474_E551, try reader.number(at + 4, 4) & 1 != 0 { hasExecutableStack = true }
        }
    }

    private mutating func readSections() throws {
        let (start, size, count) = (try reader.number(40, 8), try reader.number(58, 2), try reader.number(60, 2))
        for index in 0..<count {
            let at = try reader.offset(start, plus: index, times: size)
            let type = try reader.number(at + 4, 4)
            guard type == 11 || type == 6 else { continue }
            let table = try section(at)
            let link = try reader.offset(start, plus: try reader.number(at + 40, 4), times: size)
            let strings = try section(link)
            if type == 11 { try readSymbols(table, strings) } else { try readDynamic(table, strings) }
        }
    }

    private func section(_ at: Int) throws -> Range<Int> {
        let (start, size) = (try reader.number(at + 24, 8), try reader.number(at + 32, 8))
        let (end, overflow) = start.addingReportingOverflow(size)
        guard !overflow, end <= reader.bytes.count else {
            throw PareError(.format, "a section reaches beyond the file", at: "byte \(at)", found: "\(start) + \(size)")
        }
        return start..<end
    }

    private mutating func readSymbols(_ table: Range<Int>, _ strings: Range<Int>) throws {
        for at in stride(from: table.lowerBound, to: table.upperBound - 23, by: 24) {
            let (binding, visibility) = (try reader.number(at + 4, 1) >> 4, try reader.number(at + 5, 1) & 3)
            let section = try reader.number(at + 6, 2)
            // Defined here, global, weak or unique, and visible from outside; absolute ones are names of versions.
            guard section != 0, section != 0xFFF1, [1, 2, 10].contains(binding), visibility == 0 || visibility == 3 else {
                continue
            }
            exports.append(
                Symbol(name: try reader.text(try reader.number(at, 4), in: strings), isWeak: binding != 1))
        }
    }

    private mutating func readDynamic(_ table: Range<Int>, _ strings: Range<Int>) throws {
        for at in stride(from: table.lowerBound, to: table.upperBound - 15, by: 16) {
            let (tag, value) = (try reader.number(at, 8), try reader.bits(at + 8))
            if tag == 0 { return }
            if tag == 1 { needed.append(try reader.text(Int(clamping: value), in: strings)) }
            // DT_FLAGS_1, DF_1_NODELETE.
            if tag == 0x6FFF_FFFB { staysMapped = value & 8 != 0 }
        }
    }

    /// Numbers at offsets that come from the file.
    private struct Reader {
        let bytes: UnsafeRawBufferPointer

        func bits(_ at: Int, _ size: Int = 8) throws -> UInt64 {
            guard at >= 0, at <= bytes.count - size else {
                throw PareError(.format, "the file ends too early", at: "byte \(at)", found: "\(bytes.count) bytes")
            }
            return (0..<size).reduce(UInt64(0)) { $0 | UInt64(bytes[at + $1]) << UInt64(8 * $1) }
        }

        func number(_ at: Int, _ size: Int) throws -> Int {
            let value = try bits(at, size)
            guard let number = Int(exactly: value) else {
                throw PareError(.format, "an impossible number", at: "byte \(at)", found: "\(value)")
            }
            return number
        }

        func offset(_ start: Int, plus index: Int, times size: Int) throws -> Int {
            let (product, a) = index.multipliedReportingOverflow(by: size)
            let (sum, b) = start.addingReportingOverflow(product)
            guard !a, !b, sum < bytes.count else {
                throw PareError(.format, "a table reaches beyond the file", found: "\(start) + \(index) * \(size)")
            }
            return sum
        }

        func text(_ at: Int, in strings: Range<Int>) throws -> String {
            guard at < strings.count else {
                throw PareError(.format, "a name lies outside its table", found: "\(at)", expected: "below \(strings.count)")
            }
            let rest = UnsafeRawBufferPointer(rebasing: bytes[(strings.lowerBound + at)..<strings.upperBound])
            return String(decoding: rest.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}
