import ArgumentParser
import Glibc
import PareHost
import PareTensor

struct Pare: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pare",
        abstract: "Prune neural networks: choose what to remove, by plugins.",
        discussion: ExitStatus.help,
        version: "pare \(Context.version)",
        subcommands: [
            Plugins.self, Inspect.self, Prune.self, Apply.self, Diff.self, Measure.self, Validate.self,
        ])
}

@main
enum Main {
    static func main() {
        Signals.install()
        exit(run())
    }

    /// Runs the command and answers its exit code; all that goes wrong anywhere is shown here.
    private static func run() -> Int32 {
        do {
            var command = try Pare.parseAsRoot()
            try command.run()
            return ExitStatus.done
        } catch {
            return show(error)
        }
    }

    private static func show(_ error: any Error) -> Int32 {
        let style = Console.style(Console.error)
        if let error = error as? PareError {
            Console.printError(ErrorText.text(error, style))
            return ExitStatus.of(error.status)
        }
        if let code = error as? ExitCode { return code.rawValue }
        let message = Pare.message(for: error)
        if Pare.exitCode(for: error) == .success {
            do { try Console.print(message + "\n") } catch { return show(error) }
            return ExitStatus.done
        }
        let typo = SubcommandTypo.hint(Array(CommandLine.arguments.dropFirst()), under: Pare.self)
        Console.printError(ErrorText.usage(message: message, full: Pare.fullMessage(for: error), hint: typo, style))
        return ExitStatus.usage
    }
}
