import ArgumentParser
import PareFormats
import PareHost
import PareMask
import PareTensor

struct Prune: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prune",
        abstract: "Decide which weights a model can do without, and save it without them.",
        usage: "pare prune <model> --sparsity <pattern> --output <out> [<options>]",
        discussion: """
            How much, and in which pattern (--sparsity):
              0.9            remove 90 % of the single weights
              2:4            KEEP two of every four weights along the input
              block:4x1@0.8  remove 80 % of the blocks of 4 outputs by 1 input
              row@0.3        remove 30 % of the output features
              column@0.3     remove 30 % of the columns of the weight matrix
              channel@0.3    remove 30 % of the input channels
              row            a pattern without a fraction removes half

            'pare plugins' lists criteria and allocations; 'pare plugins show ID' lists what --set takes for one. A key that both \
            have is written criterion.KEY or allocation.KEY.

            Names in --include and --exclude may hold * and ?. With --include, nothing else is pruned. 'pare inspect' lists the \
            parameters.
            """)

    @Argument(help: "The model: ONNX, safetensors (also sharded), npy or a Hugging Face folder.", completion: .file())
    var model: String

    @Option(
        name: [.customShort("o"), .long], help: ArgumentHelp("Where to save the pruned model.", valueName: "out"),
        completion: .file())
    var output: String?

    @Option(help: "Plugin that scores the weights.", completion: PluginCompletion.ids(.criterion))
    var criterion = "magnitude"

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Fraction to remove, or N:M, or PATTERN[@FRACTION].", valueName: "pattern"))
    var sparsity: String?

    @Option(help: "Plugin that spreads the sparsity over the layers.", completion: PluginCompletion.ids(.allocator))
    var allocation = "uniform"

    @Option(help: ArgumentHelp("Only parameters of this name (repeatable).", valueName: "glob"))
    var include: [String] = []

    @Option(help: ArgumentHelp("No parameters of this name (repeatable).", valueName: "glob"))
    var exclude: [String] = []

    @Option(name: .customLong("set"), help: ArgumentHelp("Set a plugin option (repeatable).", valueName: "key=value"))
    var settings: [String] = []

    @Option(help: "Where N, M or a block does not divide a layer.")
    var remainder = RemainderChoice.refuse

    @Flag(help: "Score NaN and infinite weights instead of refusing them.")
    var allowNonfinite = false

    @Option(
        help: ArgumentHelp("A mask file: what it has removed stays removed.", valueName: "mask"), completion: .file())
    var keepMasks: String?

    @Option(help: "Seed for plugins that draw numbers.")
    var seed: UInt64 = 0

    @Option(
        help: ArgumentHelp("Save the masks in a file of their own.", valueName: "file"), completion: .file())
    var maskOut: String?

    @Option(help: ArgumentHelp("Save the report as JSON.", valueName: "file.json"), completion: .file())
    var report: String?

    @Flag(help: "Decide and report, write no model and no mask.")
    var dryRun = false

    @Flag(help: "Fail where nothing would be removed.")
    var strict = false

    @Flag(help: "Replace output files that exist.")
    var force = false

    @Option(help: "Threads to use; 0 for one per processor.")
    var threads = 0

    @Flag(help: "Print the report as JSON.")
    var json = false

    @Flag(name: .shortAndLong, help: "Print nothing but errors.")
    var quiet = false

    @OptionGroup var more: PluginOptions

    func run() throws {
        try checkArguments()
        let (request, isDefaulted) = try makeRequest()
        try checkOutputs()
        let context = try more.makeContext(threads: threads, quiet: quiet)
        let analysed = try AnalysedModel.open(model)
        if let keepMasks { try analysed.loadMasks(from: keepMasks) }
        try Signals.check()

        let bar = ProgressBar(quiet: quiet)
        defer { bar.finish() }
        var made = try context.prune(analysed, request, progress: bar.report(from: 0, to: output == nil ? 1 : 0.7, ""))
        if isDefaulted {
            made.notes.insert("no fraction was given with \"\(sparsity ?? "")\": 0.5 was taken", at: 0)
        }
        let result = PruneResult(report: made, output: output, format: analysed.model.format)
        try save(analysed, result, bar)
        bar.finish()
        guard !quiet else { return }
        try json ? Console.print(result.json) : Console.print(result.text(Console.style(Console.output)))
    }

    /// What goes together. Not in `validate`, which would hide the parser's word on misspelt options.
    private func checkArguments() throws {
        func wrong(_ what: String, found: String = "") -> PareError {
            PareError(.argument, what, found: found, hint: "see 'pare prune --help'")
        }
        if sparsity == nil { throw wrong("--sparsity is missing") }
        if !dryRun, output == nil, maskOut == nil { throw wrong("--output is missing (or --mask-out, or --dry-run)") }
        if dryRun, output != nil || maskOut != nil {
            throw wrong("--dry-run writes no model and no mask: leave out --output and --mask-out")
        }
        guard (0...1024).contains(threads) else { throw wrong("--threads takes 0 to 1024", found: "\(threads)") }
    }

    private func makeRequest() throws -> (PruneRequest, isDefaulted: Bool) {
        var (pattern, ratio) = try Pattern.parse(sparsity ?? "")
        pattern.remainder = remainder.remainder
        let isDefaulted = ratio == nil && pattern.fixedSparsity == nil
        var request = PruneRequest(pattern: pattern, sparsity: ratio ?? pattern.fixedSparsity ?? 0.5)
        request.criterion = criterion
        request.allocation = allocation
        request.options = try Settings.parse(settings)
        request.include = include
        request.exclude = exclude
        request.allowNonfinite = allowNonfinite
        request.dryRun = dryRun
        request.keepMasks = keepMasks != nil
        request.strict = strict
        request.seed = seed
        return (request, isDefaulted)
    }

    private func checkOutputs() throws {
        let inputs = [model] + [keepMasks].compactMap { $0 } + more.files + more.functions
        var outputs = OutputCheck(inputs: inputs, force: force)
        try outputs.check(output, "the output", mayBeFolder: true)
        try outputs.check(maskOut, "--mask-out")
        try outputs.check(report, "--report")
    }

    /// The model first: where it cannot be saved, no mask and no report claim that it was.
    private func save(_ analysed: AnalysedModel, _ result: PruneResult, _ bar: ProgressBar) throws {
        try Signals.check()
        if let output {
            try analysed.save(
                to: output, format: OutputFormat.of(output, from: analysed.model.format), overwrite: force,
                progress: bar.report(from: 0.7, to: 1, "saving"))
        }
        if let maskOut { try analysed.saveMasks(to: maskOut, overwrite: force) }
        guard let report else { return }
        let file = try AtomicFile(path: report, overwrite: force)
        try file.write(Array((result.json.text(indent: 2) + "\n").utf8))
        try file.commit()
    }
}

/// `Remainder` by name.
enum RemainderChoice: String, CaseIterable, ExpressibleByArgument {
    case refuse, skip, pad

    var remainder: Remainder {
        switch self {
        case .refuse: .refuse
        case .skip: .skip
        case .pad: .pad
        }
    }
}

/// `--set key=value`.
enum Settings {
    static func parse(_ list: [String]) throws -> [String: String] {
        var found: [String: String] = [:]
        for item in list {
            guard let equals = item.firstIndex(of: "="), equals != item.startIndex else {
                throw PareError(.option, "--set needs a key and a value", found: "\"\(item)\"", expected: "key=value")
            }
            let key = String(item[..<equals])
            guard found.updateValue(String(item[item.index(after: equals)...]), forKey: key) == nil else {
                throw PareError(.option, "--set gives option \"\(key)\" twice", found: "\"\(item)\"")
            }
        }
        return found
    }
}
