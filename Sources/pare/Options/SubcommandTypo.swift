import ArgumentParser
import PareTensor

/// The argument parser answers misspelt options with the nearest one, but not misspelt subcommands.
enum SubcommandTypo {
    /// "did you mean 'pare prune'?" where the first words name no subcommand but nearly do.
    static func hint(_ arguments: [String], under command: any ParsableCommand.Type, path: String = "pare") -> String? {
        guard let word = arguments.first, !word.hasPrefix("-") else { return nil }
        let children = command.configuration.subcommands
        guard !children.isEmpty else { return nil }
        let names = children.map { $0.configuration.commandName ?? "" }
        if let index = names.firstIndex(of: word) {
            return hint(Array(arguments.dropFirst()), under: children[index], path: "\(path) \(word)")
        }
        return nearest(to: word, in: names).map { "did you mean '\(path) \($0)'?" }
    }
}
