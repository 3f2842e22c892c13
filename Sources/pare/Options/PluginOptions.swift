import ArgumentParser
import PareFormats
import PareHost
import PareTensor

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
        for path in functions {
            do {
                try context.register(functionDescription: try TextFile.read(path))
            } catch let error as PareError {
                throw error.location.hasPrefix(path) ? error : error.within(path)
            }
        }
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

/// Small text files, whole.
enum TextFile {
    static func read(_ path: String) throws -> String {
        let file = try MappedFile(path: path)
        guard let text = String(validating: file.bytes, as: UTF8.self) else {
            throw PareError(.format, "is not text", at: path, expected: "UTF-8")
        }
        return text
    }

    static func write(_ text: String, to path: String, overwrite: Bool) throws {
        let file = try AtomicFile(path: path, overwrite: overwrite)
        try file.write(Array(text.utf8))
        try file.commit()
    }
}
