import CPare
import Glibc
import PareTensor

extension Check {
    /// Opening the library, its entry and the module that this returns.
    static var module: [Check] { entry + moduleStruct + initialisation }

    private static var entry: [Check] {
        [
            Check("open", "The library can be opened: everything it needs is there.", .module, needs: ["file-elf"]) {
                _ = try $0.open()
            },
            Check(
                "entry-returns", "The entry returns a module.", .module, needs: ["open", "file-exports-entry"]
            ) { _ = try $0.rawModule() },
            Check(
                "entry-fast", "Opening and the entry take milliseconds: every start of every program waits for them.",
                .module, needs: ["entry-returns"]
            ) { subject in
                let opening = try Stopwatch.milliseconds { _ = try subject.open() }
                let entry = try subject.entry()
                let calling = Stopwatch.milliseconds { _ = entry(UInt32(PARE_ABI_MAJOR), UInt32(PARE_ABI_MINOR)) }
                let found = "\(opening) ms to open, \(calling) ms for the entry"
                guard opening + calling < 1000 else { throw Finding.fail("far too slow", found: found, expected: "below 50 ms") }
                guard opening < 250, calling < 50 else { throw Finding.warn("slow", found: found, expected: "below 50 ms") }
                subject.note(found)
            },
            Check(
                "entry-repeatable", "The entry returns the same pointer every time, for any minor version of the host.",
                .module, needs: ["entry-fast"]
            ) { subject in
                let entry = try subject.entry()
                let first = entry(UInt32(PARE_ABI_MAJOR), 0)
                for minor: UInt32 in [0, UInt32(PARE_ABI_MINOR), 1, 99, 0] where entry(1, minor) != first {
                    throw Finding.fail(
                        "the entry returns another pointer the next time", found: "at minor version \(minor)",
                        expected: "static data")
                }
            },
        ]
    }

    private static var moduleStruct: [Check] {
        [
            Check("module-magic", "The module begins with the magic number.", .module, needs: ["entry-returns"]) { subject in
                let magic = UnsafeRawPointer(try subject.rawModule()).loadUnaligned(as: UInt64.self)
                guard magic == PARE_MODULE_MAGIC else {
                    throw Finding.fail(
                        "wrong magic number", found: "0x" + String(magic, radix: 16),
                        expected: "0x" + String(UInt64(PARE_MODULE_MAGIC), radix: 16))
                }
            },
            Check("module-size", "The module's struct_size covers version 1.0.", .module, needs: ["module-magic"]) { subject in
                let size = UnsafeRawPointer(try subject.rawModule()).loadUnaligned(fromByteOffset: 8, as: UInt32.self)
                guard size >= MemoryLayout<pare_module>.size else {
                    throw Finding.fail(
                        "the module is too short", found: "struct_size \(size)",
                        expected: "at least \(MemoryLayout<pare_module>.size)")
                }
            },
            Check(
                "module-version", "The module is made for this major version and accepts this host's minor version.", .module,
                needs: ["module-size"]
            ) { subject in
                let module = try subject.rawModule().pointee
                let host = "host \(PARE_ABI_MAJOR).\(PARE_ABI_MINOR)"
                guard module.abi_major == PARE_ABI_MAJOR else {
                    throw Finding.fail("another major version", found: "\(module.abi_major).\(module.abi_minor)", expected: host)
                }
                guard module.min_host_minor <= PARE_ABI_MINOR else {
                    throw Finding.fail(
                        "needs a newer host", found: host, expected: "\(module.abi_major).\(module.min_host_minor)")
                }
                guard module.min_host_minor <= module.abi_minor else {
                    throw Finding.fail(
                        "asks for a host newer than its own headers", found: "min_host_minor \(module.min_host_minor)",
                        expected: "at most \(module.abi_minor)")
                }
            },
            Check("module-texts", "The module's id, version and licence are there and are UTF-8.", .module, needs: ["module-size"]) {
                subject in
                let module = try subject.rawModule().pointee
                try Check.text(module.id, "id")
                try Check.text(module.version, "version")
                try Check.text(module.license, "license")
                guard isIdentifier(fromC(module.id), dots: true), fromC(module.id).utf8.contains(0x2E) else {
                    throw Finding.warn(
                        "unusual module id", found: "\"\(fromC(module.id))\"", expected: "reverse DNS or pare.<name>")
                }
            },
            Check("module-factories", "The module has a get_factory function.", .module, needs: ["module-size", "entry-fast"]) { subject in
                guard try subject.rawModule().pointee.get_factory != nil else {
                    throw Finding.fail("get_factory is NULL", expected: "a function")
                }
            },
        ]
    }

    private static var initialisation: [Check] {
        [
            Check("init-succeeds", "The module's init, where it has one, succeeds.", .module, needs: ["module-version", "entry-fast"]) {
                subject in
                guard try subject.module.get().pointee.`init` != nil else { throw Finding.skip("it has no init") }
                do {
                    try subject.start(TrialHost())
                } catch let error as PareError {
                    throw Finding.fail("init fails", found: error.what, expected: "status 0")
                }
            },
            Check(
                "init-counted", "The module's init and deinit are a counted pair: two hosts in turn, nested, and again.", .module,
                needs: ["init-succeeds"]
            ) { subject in
                let module = try subject.module.get()
                guard module.pointee.`init` != nil || module.pointee.`deinit` != nil else {
                    throw Finding.skip("it has neither")
                }
                let stop = { (what: String) in
                    subject.stage("calling deinit (\(what))")
                    module.pointee.`deinit`?(module)
                }
                try subject.start(TrialHost())
                try subject.start(TrialHost())
                stop("of the second host")
                stop("of the first host")
                try subject.start(TrialHost())
                stop("after a third init")
            },
        ]
    }

    /// A static text that must be there, be UTF-8 and not be empty unless `empty`.
    static func text(_ pointer: UnsafePointer<CChar>?, _ name: String, empty: Bool = false) throws {
        guard let pointer else { throw Finding.fail("\(name) is NULL", expected: "a text") }
        guard String(validatingCString: pointer) != nil else { throw Finding.fail("\(name) is not UTF-8") }
        guard empty || pointer.pointee != 0 else { throw Finding.fail("\(name) is empty", expected: "a text") }
    }
}

enum Stopwatch {
    static func milliseconds(_ body: () throws -> Void) rethrows -> Int {
        let start = seconds
        try body()
        return Int((seconds - start) * 1000)
    }

    /// Of the monotonic clock.
    static var seconds: Double {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
    }
}
