import ArgumentParser
import PareFormats
import PareHost
import PareMask

struct Measure: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "measure",
        abstract: "Measure a model with a metric plugin.",
        discussion: "'pare plugins --kind metric' lists the metrics.")

    @Argument(help: "The model.", completion: .file())
    var model: String

    @Argument(help: "Id of the metric.", completion: PluginCompletion.ids(.metric))
    var metric: String

    @Option(help: ArgumentHelp("Check against this pattern, as N:M.", valueName: "pattern"))
    var pattern: String?

    @Option(help: ArgumentHelp("Apply this mask file first.", valueName: "file"), completion: .file())
    var mask: String?

    @Option(name: .customLong("set"), help: ArgumentHelp("Set an option of the metric (repeatable).", valueName: "key=value"))
    var settings: [String] = []

    @Flag(help: "Print JSON instead of tables.")
    var json = false

    @OptionGroup var more: PluginOptions

    func run() throws {
        let options = try Settings.parse(settings)
        let shape = try pattern.map { try Pattern.parse($0).pattern }
        let context = try more.makeContext(threads: 0)
        // A misspelt metric or option is told before the model is read.
        _ = try context.plugin(.metric, metric).values(for: options)
        let analysed = try AnalysedModel.open(model)
        if let mask { try analysed.loadMasks(from: mask) }
        let bar = ProgressBar(quiet: false)
        defer { bar.finish() }
        let measured = try context.measure(
            analysed, metric: metric, options: options, pattern: shape,
            progress: bar.report(from: 0, to: 1, "measuring"))
        bar.finish()
        try json ? Console.print(measured.json) : Console.print(MeasurementText.text(measured, Console.style(Console.output)))
    }
}
