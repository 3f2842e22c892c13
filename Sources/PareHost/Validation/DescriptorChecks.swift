import CPare
import PareTensor

extension Check {
    /// One plugin's descriptor and option schema.
    static var descriptor: [Check] {
        [
            Check("descriptor-texts", "The descriptor's texts are there and are UTF-8.", .plugin) { subject in
                let raw = try subject.rawDescriptor().pointee
                try Check.text(raw.kind, "kind")
                try Check.text(raw.id, "id")
                try Check.text(raw.version, "version")
                try Check.text(raw.summary, "summary")
                try Check.text(raw.source, "source", empty: true)
                try Check.text(raw.license, "license")
                guard !fromC(raw.summary).utf8.contains(0x0A) else { throw Finding.warn("the summary has several lines") }
            },
            Check("descriptor-kind", "The plugin is of the kind of the factory that lists it.", .plugin) { subject in
                let (found, kind) = (fromC(try subject.rawDescriptor().pointee.kind), try subject.named().kind)
                guard found == kind.rawValue else {
                    throw Finding.fail("another kind", found: "\"\(found)\"", expected: "\"\(kind.rawValue)\"")
                }
            },
            Check(
                "descriptor-bits", "The descriptor's flags, needs and granularities are ones that its version of the headers knows.",
                .plugin
            ) { subject in
                let (raw, module) = (try subject.rawDescriptor().pointee, try subject.module.get().pointee)
                let known: [(String, UInt32, UInt32)] = [
                    ("flags", raw.flags, 0x7F), ("needs", raw.needs, 0x7FF), ("granularities", raw.granularities, 0x3F),
                ]
                for (name, bits, mask) in known where bits & ~mask != 0 {
                    let text = "0x" + String(bits & ~mask, radix: 16)
                    // A host that does not know a flag does without; what it does not know it cannot supply.
                    guard name == "needs", module.abi_minor <= PARE_ABI_MINOR else {
                        throw Finding.warn("unknown \(name), not looked at", found: text)
                    }
                    throw Finding.fail("unknown \(name)", found: text, expected: "within 0x" + String(mask, radix: 16))
                }
            },
            Check("id-spelling", "The plugin's id is spelt [a-z][a-z0-9-]*, with dots for third parties.", .plugin) { subject in
                let id = fromC(try subject.rawDescriptor().pointee.id)
                guard isIdentifier(id, dots: true), id.utf8.count <= 100 else {
                    throw Finding.fail("unusable id", found: "\"\(id.prefix(120))\"", expected: "[a-z][a-z0-9-]*")
                }
            },
            Check("id-namespace", "Ids without a dot are left to Pare's own modules.", .plugin, needs: ["id-spelling"]) { subject in
                let (id, module) = (fromC(try subject.rawDescriptor().pointee.id), fromC(try subject.module.get().pointee.id))
                guard id.utf8.contains(0x2E) || module.hasPrefix("pare.") else {
                    throw Finding.fail(
                        "the id may clash with a plugin of Pare", found: "\"\(id)\" in module \"\(module)\"",
                        expected: "reverse DNS, as in org.example.\(id)")
                }
            },
        ]
    }

    /// What the plugin declares about its options.
    static var schema: [Check] {
        [
            Check("schema-entries", "The plugin has as many options as it says, the same ones every time, and none past the end.", .plugin)
            {
                subject in
                let descriptor = try subject.rawDescriptor()
                let count = descriptor.pointee.option_count
                guard count <= 256 else { throw Finding.fail("too many options", found: "\(count)", expected: "at most 256") }
                let first = try subject.rawOptions().map { $0.0 }
                guard try subject.rawOptions().map({ $0.0 }) == first else {
                    throw Finding.fail("another option the second time", expected: "static data")
                }
                for index in [count, count + 1, .max] {
                    subject.stage("asking for option \(index) of \(count)")
                    guard descriptor.pointee.option?(descriptor, index) == nil else {
                        throw Finding.fail("an option past the end", found: "index \(index)", expected: "NULL")
                    }
                }
            },
            Check("schema-types", "Each option is of a known type and knows its flags.", .plugin, needs: ["schema-entries"]) {
                subject in
                for (_, option) in try subject.rawOptions() {
                    guard OptionInfo.Kind(rawValue: option.type) != nil else {
                        throw Finding.fail(
                            "option \"\(fromC(option.key))\" has an unknown type", found: "\(option.type)", expected: "1 … 7")
                    }
                    guard option.flags & ~0x1F == 0 else {
                        throw Finding.warn("option \"\(fromC(option.key))\" has unknown flags", found: "\(option.flags)")
                    }
                }
            },
            Check("schema-keys", "Keys are spelt [a-z][a-z0-9-]* and unique.", .plugin, needs: ["schema-entries"]) { subject in
                var seen: Set<String> = []
                for (_, option) in try subject.rawOptions() {
                    let key = fromC(option.key)
                    guard isIdentifier(key) else {
                        throw Finding.fail("unusable key", found: "\"\(key.prefix(80))\"", expected: "[a-z][a-z0-9-]*")
                    }
                    guard seen.insert(key).inserted else { throw Finding.fail("two options of one key", found: "\"\(key)\" twice") }
                }
            },
            Check("schema-texts", "Each option says what it does.", .plugin, needs: ["schema-entries"]) { subject in
                for (_, option) in try subject.rawOptions() {
                    try Check.text(option.help, "help of \"\(fromC(option.key))\"")
                    try Check.text(option.unit, "unit of \"\(fromC(option.key))\"", empty: true)
                }
            },
            Check("schema-choices", "Choices are there, not empty and unique.", .plugin, needs: ["schema-types"]) { subject in
                for (_, option) in try subject.rawOptions() where option.type == PARE_OPTION_CHOICE {
                    let (key, choices) = (fromC(option.key), try Check.choices(option))
                    guard !choices.isEmpty, !choices.contains("") else { throw Finding.fail("option \"\(key)\" lacks choices") }
                    guard Set(choices).count == choices.count else {
                        throw Finding.fail("option \"\(key)\" names a choice twice", found: choices.joined(separator: ", "))
                    }
                }
            },
            Check(
                "schema-defaults", "Each default lies in its option's range; only required options have none.", .plugin,
                needs: ["schema-types", "schema-keys", "schema-choices"]
            ) { subject in
                for (index, option) in try subject.rawOptions().enumerated() {
                    let info = try OptionInfo(option.0, index: index)
                    guard info.defaultText == nil || !info.isRequired else {
                        throw Finding.warn("option \"\(info.key)\" is required and has a default all the same")
                    }
                }
            },
            Check(
                "host-accepts", "The host reads descriptor and schema without complaint.", .plugin,
                needs: ["descriptor-texts", "descriptor-kind", "id-spelling", "schema-defaults"]
            ) { _ = try $0.plugin() },
            Check(
                "schema-round-trip", "A value written as text reads back as the same value; what lies outside is refused.",
                .plugin, needs: ["host-accepts"]
            ) { subject in
                for option in try subject.plugin().options {
                    for text in OptionSamples.valid(option, seed: subject.seed) {
                        let value = try option.parse(text)
                        guard try option.parse(value.text) == value else {
                            throw Finding.fail("option \"\(option.key)\" does not read back", found: "\"\(text)\"")
                        }
                    }
                    for text in OptionSamples.invalid(option) where (try? option.parse(text)) != nil {
                        throw Finding.fail("option \"\(option.key)\" takes a value outside its range", found: "\"\(text)\"")
                    }
                }
            },
        ]
    }

    private static func choices(_ option: pare_option_info) throws -> [String] {
        var found: [String] = []
        var cursor = option.choices
        while let entry = cursor?.pointee {
            guard found.count < 4096 else { throw Finding.fail("choices without an end", expected: "NULL after the last") }
            found.append(String(cString: entry))
            cursor = cursor?.advanced(by: 1)
        }
        return found
    }
}

extension Subject {
    /// Schema entries as they are: where each lies, and a copy.
    func rawOptions() throws -> [(UnsafePointer<pare_option_info>, pare_option_info)] {
        let descriptor = try rawDescriptor()
        return try (0..<min(descriptor.pointee.option_count, 256)).map { index in
            stage("asking for option \(index)")
            guard let option = descriptor.pointee.option?(descriptor, index) else {
                throw Finding.fail(
                    "no option for an index below option_count", found: "NULL for index \(index)",
                    expected: "\(descriptor.pointee.option_count) options")
            }
            let copy = try readGrowing(
                option, "option \(index)", required: MemoryLayout<pare_option_info>.size, zero: pare_option_info())
            return (option, copy)
        }
    }
}
