import ArgumentParser
import PareFormats
import PareTensor

struct Diff: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff",
        abstract: "Compare the parameters of two models.",
        discussion: """
            Parameters are matched by name and compared bit by bit; the formats may differ. Exits with 0 if all are equal and \
            with 1 if not.
            """)

    @Argument(help: ArgumentHelp("The model before.", valueName: "a"), completion: .file())
    var first: String

    @Argument(help: ArgumentHelp("The model after.", valueName: "b"), completion: .file())
    var second: String

    @Flag(help: "List equal parameters too.")
    var all = false

    @Flag(help: "Print JSON instead of a table.")
    var json = false

    func run() throws {
        let (a, b) = (try Model.open(first), try Model.open(second))
        let difference = try ModelDifference(a, b)
        if json {
            try Console.print(difference.json(first, second))
        } else {
            try Console.print(difference.text(first, second, all: all, Console.style(Console.output)))
        }
        if !difference.isEmpty { throw ExitCode(ExitStatus.different) }
    }
}
