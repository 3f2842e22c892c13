import CPare
import Glibc
import PareTensor

extension Check {
    /// Name of the check whose payload is the list of plugins.
    static let survey = "factory-lists"

    /// Factories and what they list.
    static var factories: [Check] {
        [
            Check(
                "factory-unknown-kind", "The module has no factory for kinds that do not exist.", .module,
                needs: ["module-factories", "module-version"]
            ) { subject in
                let kinds = ["", "pare.nothing/1", "pare.criterion", "pare.criterion/", "pare.criterion/1x", "pare.criterion/2"]
                let module = try subject.module.get()
                for kind in kinds {
                    subject.stage("asking for the factory of \"\(kind)\"")
                    guard module.pointee.get_factory?(module, kind) == nil else {
                        throw Finding.fail("a factory for an unknown kind", found: "one for \"\(kind)\"", expected: "NULL")
                    }
                }
            },
            Check(
                "factory-tables", "Each factory is complete, of its kind, and counts a sane number of plugins.", .module,
                needs: ["module-factories", "module-version"]
            ) { subject in
                var kinds = 0
                for kind in PluginKind.allCases {
                    guard let factory = try subject.factory(kind) else { continue }
                    kinds += 1
                    let table = try readGrowing(
                        factory, "the factory of \(kind.rawValue)", required: MemoryLayout<pare_factory>.size,
                        zero: pare_factory())
                    guard table.descriptor != nil else { throw Finding.fail("the factory's descriptor function is NULL") }
                    guard table.create != nil else { throw Finding.fail("the factory's create function is NULL") }
                    guard fromC(table.kind) == kind.rawValue else {
                        throw Finding.fail(
                            "the factory is of another kind", found: "\"\(fromC(table.kind))\"",
                            expected: "\"\(kind.rawValue)\"")
                    }
                    guard (1...4096).contains(table.count) else {
                        throw Finding.fail("the factory's count", found: "\(table.count)", expected: "1 … 4096")
                    }
                    guard try subject.factory(kind) == factory else {
                        throw Finding.fail("another factory the second time", expected: "static data")
                    }
                }
                guard kinds > 0 else { throw Finding.fail("no plugin of a kind that this host knows") }
            },
            Check(
                survey, "Each index below a factory's count has a descriptor, the same one every time.", .module,
                needs: ["factory-tables"]
            ) { subject in subject.board.payload = try Survey.take(subject).map(Survey.line).joined(separator: "\n") },
            Check(
                "factory-past-end", "Each index past a factory's count has none.", .module, needs: ["factory-tables"]
            ) { subject in
                for kind in PluginKind.allCases {
                    guard let factory = try subject.factory(kind) else { continue }
                    let count = factory.pointee.count
                    for index in [count, count + 1, .max] {
                        subject.stage("asking for descriptor \(index) of \(count)")
                        guard factory.pointee.descriptor?(factory, index) == nil else {
                            throw Finding.fail("a descriptor past the end", found: "index \(index)", expected: "NULL")
                        }
                    }
                }
            },
            Check("id-unique", "No two plugins of one kind share an id.", .module, needs: [survey]) { subject in
                var seen: Set<String> = []
                for name in try Survey.take(subject) where !seen.insert("\(name.kind.rawValue) \(name.id)").inserted {
                    throw Finding.fail("two plugins of one id", found: "\"\(name.id)\" twice", expected: "unique ids")
                }
            },
        ]
    }
}

/// The plugins of a module, as text from the child to the parent.
enum Survey {
    static func take(_ subject: Subject) throws -> [PluginName] {
        var found: [PluginName] = []
        for kind in PluginKind.allCases {
            guard let factory = try subject.factory(kind) else { continue }
            for index in 0..<factory.pointee.count {
                subject.stage("asking for descriptor \(index) of \(kind.rawValue)")
                guard let descriptor = factory.pointee.descriptor?(factory, index) else {
                    throw Finding.fail(
                        "no descriptor for an index below the count", found: "NULL for index \(index)",
                        expected: "\(factory.pointee.count) descriptors")
                }
                guard factory.pointee.descriptor?(factory, index) == descriptor else {
                    throw Finding.fail("another descriptor the second time", expected: "static data")
                }
                let raw = try readGrowing(
                    descriptor, "descriptor \(index) of \(kind.rawValue)", required: MemoryLayout<pare_descriptor>.size,
                    zero: pare_descriptor())
                found.append(PluginName(kind: kind, index: index, id: String(fromC(raw.id).prefix(120))))
            }
        }
        return found
    }

    static func line(_ name: PluginName) -> String {
        let id = String(name.id.map { $0.isNewline || $0 == "\t" ? " " : $0 })
        return "\(name.kind.rawValue)\t\(name.index)\t\(id)"
    }

    /// Lines that make no sense are left out: the plugin could have written there.
    static func read(_ text: String) -> [PluginName] {
        text.split(separator: "\n").compactMap { line in
            let parts = line.split(separator: "\t", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3, let kind = PluginKind(rawValue: String(parts[0])), let index = UInt32(parts[1]) else {
                return nil
            }
            return PluginName(kind: kind, index: index, id: String(parts[2]))
        }
    }
}
