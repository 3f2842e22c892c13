import CPare
import PareTensor
import Testing

@testable import PareHost

@Suite struct StatusTests {
    @Test func numbersEqualTheMacros() {
        let macros: [(Status, Int32)] = [
            (.argument, PARE_E_ARGUMENT), (.option, PARE_E_OPTION), (.notFound, PARE_E_NOT_FOUND),
            (.unsupported, PARE_E_UNSUPPORTED), (.state, PARE_E_STATE), (.nothingToDo, PARE_E_NOTHING_TO_DO),
            (.format, PARE_E_FORMAT), (.shape, PARE_E_SHAPE), (.dtype, PARE_E_DTYPE), (.nonfinite, PARE_E_NONFINITE),
            (.missing, PARE_E_MISSING), (.memory, PARE_E_MEMORY), (.io, PARE_E_IO), (.cancelled, PARE_E_CANCELLED),
            (.pluginLoad, PARE_E_PLUGIN_LOAD), (.pluginVersion, PARE_E_PLUGIN_VERSION),
            (.pluginDuplicate, PARE_E_PLUGIN_DUPLICATE), (.pluginFault, PARE_E_PLUGIN_FAULT), (.internal, PARE_E_INTERNAL),
        ]
        for (status, macro) in macros { #expect(status.rawValue == macro, "\(status)") }
        // No status that the macros do not name.
        let known = (-1000...2000).compactMap { Status(rawValue: $0) }
        #expect(Set(known) == Set(macros.map(\.0)) && PARE_OK == 0)
    }
}

@Suite struct GrowingStructTests {
    private func read(_ size: Int, required: Int = 8) throws -> pare_run {
        // Twice the size of the struct: a newer one has members behind the end of ours.
        let whole = MemoryLayout<pare_run>.size
        let block = UnsafeMutableRawPointer.allocate(byteCount: 2 * whole, alignment: 16)
        defer { block.deallocate() }
        for index in 0..<2 * whole { block.storeBytes(of: 0x11, toByteOffset: index, as: UInt8.self) }
        block.storeBytes(of: UInt32(size), as: UInt32.self)
        return try readGrowing(UnsafePointer(block.assumingMemoryBound(to: pare_run.self)), "the run", required: required, zero: pare_run())
    }

    @Test func olderAndNewerStructs() throws {
        let whole = MemoryLayout<pare_run>.size
        for size in [whole, whole + 1, 2 * whole, Int(UInt32.max)] {
            let run = try read(size)
            #expect(run.user == UnsafeMutableRawPointer(bitPattern: 0x1111_1111_1111_1111), "\(size)")
        }
        let short = try read(16)
        #expect(short.user == UnsafeMutableRawPointer(bitPattern: 0x1111_1111_1111_1111))
        #expect(short.progress == nil && short.keep_going == nil)
        #expect(try read(8).user == nil)
    }

    @Test func tooShortIsRefused() {
        let refusal = error { _ = try read(7) }
        #expect(refusal?.status == .pluginFault && refusal?.found == "struct_size 7" && refusal?.expected == "at least 8")
        #expect(error { _ = try read(0) }?.what == "the run is too short")
        #expect(error { _ = try readGrowing(nil, "the run", required: 4, zero: pare_run()) }?.what == "the run is NULL")
    }
}

@Suite struct ErrorRecordTests {
    private func filled(_ problem: PareError, size: Int = MemoryLayout<pare_error>.size) -> pare_error {
        var record = pare_error()
        withUnsafeMutableBytes(of: &record) { for index in $0.indices { $0[index] = 0x7E } }
        record.struct_size = UInt32(size)
        fill(&record, problem)
        return record
    }

    @Test func everyPart() {
        let record = filled(PareError(.shape, "does not fit", at: "w", found: "[1]", expected: "[2]", hint: "reshape it"))
        #expect(record.code == PARE_E_SHAPE)
        #expect(fromC(ofArray: record.message) == "w: does not fit; found [1]; expected [2] (reshape it)")
        #expect(fromC(ofArray: record.where) == "w" && fromC(ofArray: record.found) == "[1]")
        #expect(fromC(ofArray: record.expected) == "[2]" && fromC(ofArray: record.hint) == "reshape it")
    }

    /// However long the lead, the cut must not split the é, the 語 or the 😀 that straddles it.
    @Test(arguments: ["é", "語", "😀"])
    func cutsBetweenCharacters(_ letter: String) {
        for lead in 180..<192 {
            let text = String(repeating: "x", count: lead) + String(repeating: letter, count: 10)
            let record = filled(PareError(.io, "", found: text))
            let bytes = withUnsafeBytes(of: record.found) { Array($0) }
            let end = bytes.firstIndex(of: 0) ?? -1
            let kept = String(validating: bytes[0..<max(end, 0)], as: UTF8.self)
            #expect(end <= 191 && kept.map { text.hasPrefix($0) } == true, "\(lead)")
            #expect(191 - end < letter.utf8.count, "no more is cut than has to be")
        }
    }

    @Test func exactFitIsNotCut() {
        let text = String(repeating: "x", count: 189) + "é"
        #expect(fromC(ofArray: filled(PareError(.io, "", found: text)).found) == text)
    }

    @Test func aNullInsideDoesNotEndTheText() {
        #expect(fromC(ofArray: filled(PareError(.io, "", found: "a\0b")).found) == "a b")
    }

    @Test func smallRecordsAreRespected() {
        let message = MemoryLayout<pare_error>.offset(of: \pare_error.where) ?? 0
        let old = filled(PareError(.io, "broken", at: "here"), size: message)
        #expect(old.code == PARE_E_IO && fromC(ofArray: old.message) == "here: broken")
        #expect(withUnsafeBytes(of: old.where) { $0.allSatisfy { $0 == 0x7E } }, "nothing beyond the caller's size is touched")
        for size in [0, 4, 7] {
            let tiny = filled(PareError(.io, "broken"), size: size)
            #expect(withUnsafeBytes(of: tiny) { $0.dropFirst(4).allSatisfy { $0 == 0x7E } }, "\(size)")
        }
        #expect(filled(PareError(.io, "broken"), size: 8).code == PARE_E_IO)
        fill(nil, PareError(.io, "broken"))
    }

    @Test func bordersMapErrors() {
        struct Foreign: Error {}
        var record = pare_error.empty()
        #expect(border(&record) {} == PARE_OK && record.code == 0)
        #expect(border(&record) { throw PareError(.cancelled, "stopped") } == PARE_E_CANCELLED && record.code == PARE_E_CANCELLED)
        #expect(border(&record) { throw Foreign() } == PARE_E_INTERNAL)
        #expect(border(nil) { throw Foreign() } == PARE_E_INTERNAL)
    }

    @Test func pluginsWordsAreKept() {
        let words = filled(PareError(.option, "wrong", found: "1", hint: "use 2"))
        let made = pluginError(PARE_E_OPTION, words, plugin: "criterion \"x\"")
        #expect(made.status == .option && made.location == "criterion \"x\"")
        #expect(made.what == "wrong; found 1 (use 2)" && made.found.isEmpty && made.hint.isEmpty, "nothing is said twice")
        #expect(pluginError(12345, pare_error.empty(), plugin: "p").status == .pluginFault)
    }
}
