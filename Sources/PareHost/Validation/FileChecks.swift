import CPare
import Glibc
import PareFormats
import PareTensor

extension Check {
    /// What the file itself says, before any of its code runs.
    static var file: [Check] {
        [
            Check("file-elf", "The file is an ELF shared library for this machine.", .module) { subject in
                let elf = try subject.elf()
                guard elf.isSharedLibrary else { throw Finding.fail("not a shared library", expected: "cc -shared") }
                guard elf.machine == ElfFile.ownMachine else {
                    throw Finding.fail(
                        "built for another machine", found: "ELF machine \(elf.machine)",
                        expected: "\(ElfFile.ownMachine)")
                }
                guard !elf.hasExecutableStack else {
                    throw Finding.warn("asks for an executable stack", expected: "-z noexecstack")
                }
            },
            Check("file-exports-entry", "The file exports \(PARE_ENTRY_SYMBOL).", .module, needs: ["file-elf"]) { subject in
                let names = try subject.elf().exports.map(\.name)
                guard names.contains(PARE_ENTRY_SYMBOL) else {
                    throw Finding.fail(
                        "\(PARE_ENTRY_SYMBOL) is not exported", found: Check.list(names), expected: PARE_ENTRY_SYMBOL)
                }
            },
            Check(
                "file-exports-nothing-else", "The file exports nothing but \(PARE_ENTRY_SYMBOL).", .module, needs: ["file-elf"]
            ) { subject in
                // Marks that some linkers leave in every library.
                let marks = ["_init", "_fini", "_edata", "_end", "__bss_start", PARE_ENTRY_SYMBOL]
                let extra = try subject.elf().exports.filter { !marks.contains($0.name) }
                let names = Check.list(extra.map(\.name))
                guard !extra.contains(where: { !$0.isWeak }) else {
                    throw Finding.fail(
                        "other symbols are exported", found: names, expected: "-fvisibility=hidden or a version script")
                }
                guard extra.isEmpty else {
                    throw Finding.warn(
                        "weak symbols are exported, which other libraries may come to share", found: names,
                        expected: "a version script")
                }
            },
            Check(
                "file-links", "The file links neither libpare nor Foundation: all a plugin needs comes through the host table.",
                .module, needs: ["file-elf"]
            ) { subject in
                let unwanted = ["libpare.", "libFoundation", "lib_Foundation"]
                let found = try subject.elf().needed.filter { name in unwanted.contains { name.hasPrefix($0) } }
                guard found.isEmpty else {
                    throw Finding.fail("links what a plugin must not", found: Check.list(found), expected: "neither")
                }
            },
            Check(
                "file-stays-mapped", "A library with Swift code in it is marked as never to be unmapped.", .module,
                needs: ["file-elf"]
            ) { subject in
                let elf = try subject.elf()
                guard elf.needed.contains(where: { $0.hasPrefix("libswiftCore.") }) else {
                    throw Finding.skip("no Swift code")
                }
                guard elf.staysMapped else {
                    throw Finding.warn("unmapping a Swift library crashes later", expected: "-z nodelete")
                }
            },
        ]
    }

    static func list(_ names: [String]) -> String {
        names.isEmpty ? "none" : names.prefix(8).joined(separator: ", ") + (names.count > 8 ? ", …" : "")
    }
}

extension Subject {
    fileprivate func elf() throws -> ElfFile {
        stage("reading the file")
        let file = try MappedFile(path: path)
        return try withExtendedLifetime(file) { try ElfFile(file.bytes) }
    }
}
