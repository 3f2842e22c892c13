import ArgumentParser
import PareFormats
import PareHost

struct Plugins: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plugins",
        abstract: "List plugins, or show everything about one.",
        discussion: """
            Plugins are searched in the folders of PARE_PLUGIN_PATH (separated by colons), or else in the folder that was \
            installed with the command.
            """,
        subcommands: [List.self, Show.self], defaultSubcommand: List.self)

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(commandName: "list", abstract: "List plugins (default).")

        @Option(help: "Only plugins of this kind.")
        var kind: PluginKind?

        @Flag(help: "Print JSON instead of a table.")
        var json = false

        @OptionGroup var more: PluginOptions

        func run() throws {
            let plugins = try more.makeContext().plugins(kind).sorted(by: Plugins.inOrder)
            if json { return try Console.print(.array(plugins.map(PluginText.json))) }
            var table = Table([.left("kind"), .left("id"), .left("version"), .left("summary")])
            for plugin in plugins { table.add([plugin.kind.name, plugin.id, plugin.version, plugin.summary]) }
            guard !plugins.isEmpty else { return try Console.print(PluginText.none(of: kind)) }
            try Console.print(table.text(Console.style(Console.output)))
        }
    }

    /// By kind as `PluginKind` lists them, then by id.
    static func inOrder(_ a: Plugin, _ b: Plugin) -> Bool {
        let kinds = PluginKind.allCases
        let (first, second) = (kinds.firstIndex(of: a.kind) ?? 0, kinds.firstIndex(of: b.kind) ?? 0)
        return (first, a.id) < (second, b.id)
    }
}
