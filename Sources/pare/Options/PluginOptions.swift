import ArgumentParser
import PareHost

extension PluginKind: ExpressibleByArgument {
    public init?(argument: String) {
        guard let kind = PluginKind.allCases.first(where: { $0.name == argument }) else { return nil }
        self = kind
    }

    public static var allValueStrings: [String] { allCases.map(\.name) }
    public var defaultValueDescription: String { name }
}

/// Plugins beyond those that are found by themselves.
struct PluginOptions: ParsableArguments {
    @Option(
        name: .customLong("plugin"),
        help: ArgumentHelp("Also load this plugin file (repeatable).", valueName: "file"),
        completion: .file(extensions: ["pare"]))
    var files: [String] = []

    @Option(
        name: .customLong("function"),
        help: ArgumentHelp(
            "Also offer the plain C function that this JSON file describes (repeatable).", valueName: "file.json"),
        completion: .file(extensions: ["json"]))
    var functions: [String] = []

    /// Loads plugins; files that were found but could not be used are warned about on standard error.
    func makeContext(threads: Int = 1, quiet: Bool = false) throws -> Context {
        let context = Context(threads: threads)
        for path in files { try context.load(path) }
        // A path that looked like JSON would be taken for the description itself.
        for path in functions { try context.register(functionDescription: path.hasPrefix("{") ? "./\(path)" : path) }
        if !quiet {
            let style = Console.style(Console.error)
            for problem in context.problems { Console.printError(ErrorText.warning(problem, style)) }
        }
        return context
    }
}

/// Ids of loaded plugins, for shells to complete.
enum PluginCompletion {
    static func ids(_ kind: PluginKind?) -> CompletionKind {
        .custom { _, _, prefix in
            let ids = Set(Context(threads: 1).plugins(kind).map(\.id))
            return ids.filter { $0.hasPrefix(prefix) }.sorted()
        }
    }
}
