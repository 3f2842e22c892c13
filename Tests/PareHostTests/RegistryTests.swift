import CPare
import PareTensor
import Testing

@testable import PareHost

/// What an entry returns; the entry itself can capture nothing.
private nonisolated(unsafe) let entryModule = FixtureModule("org.example.entry", [FixturePlugin(.criterion, "from-entry")]).pointer

@Suite struct RegistryTests {
    @Test func aModuleOfTheProgram() throws {
        let context = Context(threads: 1, searchPath: "")
        #expect(context.plugins().isEmpty)
        try context.register { _, _ in UnsafePointer(entryModule) }
        let plugin = try context.plugin(.criterion, "from-entry")
        #expect(plugin.moduleID == "org.example.entry" && plugin.path == "" && plugin.version == "1.2.3")
        #expect(error { _ = try context.plugin(.criterion, "from-enty") }?.hint == "did you mean \"from-entry\"?")
        #expect(error { _ = try context.plugin(.metric, "from-entry") }?.expected == "none is loaded")
        #expect(error { try context.register { _, _ in UnsafePointer(entryModule) } }?.status == .pluginDuplicate)
        #expect(error { try context.register { _, _ in nil } }?.what == "pare_plugin_entry returned NULL")
    }

    @Test func duplicatesNameBothPlaces() throws {
        let context = Context(threads: 1, searchPath: "")
        let first = FixtureModule("org.example.first", [FixturePlugin(.criterion, "twin"), FixturePlugin(.metric, "alone")])
        let second = FixtureModule("org.example.second", [FixturePlugin(.allocator, "fresh"), FixturePlugin(.criterion, "twin")])
        try context.registry.register(first.pointer, path: "/plugins/first.pare", host: context.host)
        let refusal = error { try context.registry.register(second.pointer, path: "/plugins/second.pare", host: context.host) }
        #expect(refusal?.status == .pluginDuplicate)
        #expect(refusal?.location == "/plugins/second.pare" && refusal?.found == "the same id from /plugins/first.pare")
        #expect(context.plugins(.allocator).isEmpty, "nothing of a refused module is registered")
        #expect(second.inits == 0, "a refused module is not started")
        let inside = FixtureModule("org.example.third", [FixturePlugin(.criterion, "same"), FixturePlugin(.criterion, "same")])
        #expect(
            error { try context.registry.register(inside.pointer, path: "", host: context.host) }?.what
                == "criterion \"same\" is listed twice")
        let other = FixtureModule("org.example.fourth", [FixturePlugin(.metric, "twin")])
        try context.registry.register(other.pointer, path: "", host: context.host)
        #expect(context.plugins().map { "\($0.kind.name) \($0.id)" } == ["criterion twin", "metric alone", "metric twin"])
        #expect(
            error { try context.registry.register(second.pointer, path: "", host: context.host) }?.location
                == "module \"org.example.second\"")
    }

    @Test func modulesStartOnceAndEndWithTheContext() throws {
        let good = FixtureModule("org.example.good", [FixturePlugin(.metric, "good")])
        let bad = FixtureModule("org.example.bad", [FixturePlugin(.metric, "bad")])
        bad.initStatus = PARE_E_MEMORY
        do {
            let context = Context(threads: 1, searchPath: "")
            try context.registry.register(good.pointer, path: "", host: context.host)
            let refusal = error { try context.registry.register(bad.pointer, path: "", host: context.host) }
            #expect(refusal?.status == .memory && refusal?.what == "no room for tables")
            #expect(context.plugins().map(\.id) == ["good"])
            #expect((good.inits, good.deinits) == (1, 0))
        }
        #expect((good.inits, good.deinits) == (1, 1))
        #expect((bad.inits, bad.deinits) == (1, 0), "what did not start is not ended")
    }

    @Test func brokenModulesAreRefused() throws {
        func refusal(_ change: (UnsafeMutablePointer<pare_module>) -> Void) -> PareError? {
            let module = FixtureModule("org.example.broken", [FixturePlugin(.metric, "broken")]).pointer
            change(module)
            return Broken.turn.withLock {
                Broken.module = module
                return error { _ = try Loader.check { _, _ in UnsafePointer(Broken.module) } }
            }
        }
        #expect(refusal { _ in } == nil)
        #expect(refusal { $0.pointee.magic = 1 }?.expected == "0x3145524150454c42")
        #expect(refusal { $0.pointee.struct_size = 16 }?.what == "the module is too short")
        let major = refusal { $0.pointee.abi_major = 2 }
        #expect(major?.status == .pluginVersion && major?.found == "2.0" && major?.expected == "1.0")
        let minor = refusal { $0.pointee.min_host_minor = 7 }
        #expect(minor?.status == .pluginVersion && minor?.expected == "at least 1.7")
        #expect(refusal { $0.pointee.abi_minor = 9 } == nil, "a newer minor alone is no reason")
        #expect(refusal { $0.pointee.get_factory = nil }?.what == "the module has no get_factory function")
        #expect(refusal { $0.pointee.id = nil }?.status == .pluginFault)
    }

    @Test func brokenDescriptorsAndInstancesAreRefused() throws {
        func refusal(_ change: (FixturePlugin) -> Void) -> PareError? {
            let plugin = FixturePlugin(.metric, "broken", options: [rawOption("x", PARE_OPTION_INT, standard: "1")])
            change(plugin)
            return error { _ = try Context.with(plugin).makeInstance(.metric, "broken") }
        }
        #expect(refusal { _ in } == nil)
        #expect(refusal { $0.descriptor.pointee.id = c("Bad id") }?.what == "descriptor 0 has an unusable id")
        #expect(refusal { $0.descriptor.pointee.kind = c("pare.solver/1") }?.what == "plugin \"broken\" is listed under another kind")
        #expect(refusal { $0.descriptor.pointee.struct_size = 20 }?.what == "descriptor 0 is too short")
        #expect(refusal { $0.descriptor.pointee.option_count = 2 }?.what == "plugin \"broken\" answers NULL for option 1")
        #expect(refusal { $0.options[0].pointee.type = 99 }?.status == .pluginFault)
        #expect(refusal { $0.answersNull = true }?.what == "create succeeded but returned NULL")
        #expect(refusal { $0.table = nil }?.what == "the instance's table is NULL")
        #expect(refusal { $0.table = UnsafeRawPointer(immortal(UInt64(8))) }?.found == "struct_size 8")
        let failing = refusal { $0.createStatus = PARE_E_OPTION }
        #expect(failing?.status == .option && failing?.what == "the plugin failed with status 102 and gave no reason")
        #expect(refusal { $0.createStatus = 77 }?.status == .pluginFault, "an unknown status is the plugin's fault")
    }

    @Test func foldersThatCannotBeSearched() {
        #expect(Context.folders("/a::/b:") == ["/a", "/b"])
        #expect(Context.folders("").isEmpty)
        #expect(Context(threads: 1, searchPath: "/nowhere/at/all").problems.isEmpty, "an absent folder is an empty one")
        let blocked = Context(threads: 1, searchPath: "/dev/null").problems
        #expect(blocked.map(\.status) == [.io] && blocked.first?.found == "Not a directory")
        #expect(error { try Context(threads: 1, searchPath: "").load("/nowhere.pare") }?.status == .notFound)
        #expect(error { try Context(threads: 1, searchPath: "").load("/dev/null") }?.what == "not a regular file")
        #expect(error { try Context(threads: 1, searchPath: "").load(#filePath) }?.what == "not an ELF shared library")
    }
}

/// What the entry of a broken module returns.
private enum Broken {
    static let turn = Lock()
    nonisolated(unsafe) static var module: UnsafeMutablePointer<pare_module>?
}
