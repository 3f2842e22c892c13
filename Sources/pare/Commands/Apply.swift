import ArgumentParser
import PareFormats
import PareHost

struct Apply: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply",
        abstract: "Apply a stored mask to a model and save the result.",
        discussion: """
            The mask must have been made for this model: every name and shape in it has to match, or nothing is written. \
            Masks come from pare prune --mask-out.
            """)

    @Argument(help: "The model.", completion: .file())
    var model: String

    @Argument(help: "The mask file.", completion: .file())
    var mask: String

    @Option(name: [.customShort("o"), .long], help: ArgumentHelp("Where to save.", valueName: "out"), completion: .file())
    var output: String

    @Flag(help: "Replace the output where it exists.")
    var force = false

    @Flag(name: .shortAndLong, help: "Print nothing but errors.")
    var quiet = false

    func run() throws {
        var outputs = OutputCheck(inputs: [model, mask], force: force)
        try outputs.check(output, "the output", mayBeFolder: true)
        let analysed = try AnalysedModel.open(model)
        try analysed.loadMasks(from: mask)
        let bar = ProgressBar(quiet: quiet)
        defer { bar.finish() }
        try analysed.save(
            to: output, format: OutputFormat.of(output, from: analysed.model.format), overwrite: force,
            progress: bar.report(from: 0, to: 1, "saving"))
        bar.finish()
        if !quiet { try Console.print(summary(analysed)) }
    }

    private func summary(_ analysed: AnalysedModel) -> String {
        let masked = analysed.model.parameters.filter { $0.mask != nil }
        let elements = masked.reduce(0) { $0 + $1.count }
        let removed = masked.reduce(0) { $0 + $1.count - ($1.mask?.kept ?? $1.count) }
        var fields = Fields()
        fields.add("model", "\(model) → \(output)")
        fields.add(
            "masked",
            "\(Numbers.grouped(removed)) of \(Numbers.grouped(elements)) elements removed in "
                + Numbers.count(masked.count, "array"))
        fields.add("file", FileSize.change(from: model, to: output))
        return fields.text(Console.style(Console.output))
    }
}
