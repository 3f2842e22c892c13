import ArgumentParser
import PareFormats
import PareHost
import PareTensor

extension Plugins {
    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show", abstract: "Show a plugin: where it comes from, what it needs, its options.")

        @Argument(help: "Id of the plugin.", completion: PluginCompletion.ids(nil))
        var id: String

        @Option(help: "Its kind, where several kinds have that id.")
        var kind: PluginKind?

        @Flag(help: "Print JSON instead of text.")
        var json = false

        @OptionGroup var more: PluginOptions

        func run() throws {
            let all = try more.makeContext().plugins(kind).sorted(by: Plugins.inOrder)
            let found = all.filter { $0.id == id }
            guard !found.isEmpty else { throw notFound(all) }
            if json { return try Console.print(.array(found.map(PluginText.json))) }
            let style = Console.style(Console.output)
            try Console.print(found.map { PluginText.text($0, style) }.joined(separator: "\n"))
        }

        private func notFound(_ all: [Plugin]) -> PareError {
            let near = nearest(to: id, in: all.map(\.id))
            return PareError(
                .notFound, "there is no \(kind?.name ?? "plugin") \"\(id)\"", found: "\"\(id)\"",
                hint: near.map { "did you mean \"\($0)\"?" } ?? "pare plugins lists them")
        }
    }
}
