import ArgumentParser
import PareFormats
import PareGraph
import PareHost
import PareTensor

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Show the layers of a model: shapes, parameters, cost, zeros.")

    @Argument(help: "The model: ONNX, safetensors (also sharded), npy or a Hugging Face folder.", completion: .file())
    var model: String

    @Flag(help: "List every parameter, and why it is not pruned by default.")
    var all = false

    @Flag(help: "Print JSON instead of a table.")
    var json = false

    func run() throws {
        let analysed = try AnalysedModel.open(model)
        let rows = try analysed.model.parameters.indices.map { index in
            try Signals.check()
            return try Row(analysed, index)
        }
        if json { return try Console.print(InspectText.json(analysed, rows)) }
        try Console.print(InspectText.text(analysed, rows, all: all, Console.style(Console.output)))
    }

    /// What is shown of one parameter.
    struct Row {
        let parameter: Parameter
        let op: String
        let macs: Int?
        let zeros: Int

        init(_ analysed: AnalysedModel, _ index: Int) throws {
            parameter = analysed.model.parameters[index]
            let node = analysed.uses[index]?.node
            op = node.flatMap { node in analysed.model.graph.map { $0.nodes[node].op } } ?? ""
            macs = analysed.macs(of: index)
            zeros = parameter.dtype.isFloat ? try parameter.originalView.countZeros() : 0
            parameter.dropPages()
        }

        var sparsity: Double { parameter.count == 0 ? 0 : Double(zeros) / Double(parameter.count) }
    }
}
