import CPare

/// Importance of each unit of a mask; larger means keep.
public protocol CriterionPlugin: Plugin {
    /// Write one finite score per unit, in unit order. Never called for an empty request.
    func score(_ request: ScoreRequest, into scores: OutputTensor) throws

    /// True if `rounds` and `keepFraction` are to be asked; false leaves both to the host's defaults.
    static var isIterative: Bool { get }
    /// Rounds wanted to reach a sparsity.
    func rounds(for sparsity: Double) -> Int
    /// Fraction of units to keep after `round` of `rounds`.
    func keepFraction(for sparsity: Double, round: Int, of rounds: Int) -> Double
}

extension CriterionPlugin {
    public static var isIterative: Bool { false }
    public func rounds(for sparsity: Double) -> Int { 1 }
    public func keepFraction(for sparsity: Double, round: Int, of rounds: Int) -> Double { 1 - sparsity }

    public static var glue: Glue {
        var table = pare_criterion()
        table.struct_size = UInt32(MemoryLayout<pare_criterion>.size)
        table.score = { instance, request, scores, error in
            reporting(error) {
                let plugin = try InstanceBox<any CriterionPlugin>.of(instance).plugin
                let request = try ScoreRequest(request)
                let scores = try OutputTensor(scores, "scores")
                guard scores.view.ndim == 1, scores.count == request.unitCount else {
                    throw PluginError(
                        PARE_E_SHAPE, "one score per unit is needed", at: request.parameter,
                        found: "\(scores.shape)", expected: "[\(request.unitCount)]")
                }
                if request.unitCount > 0 { try plugin.score(request, into: scores) }
            }
        }
        if isIterative {
            table.rounds = { instance, sparsity in
                let plugin = try? InstanceBox<any CriterionPlugin>.of(instance).plugin
                return Int32(clamping: plugin?.rounds(for: sparsity) ?? 1)
            }
            table.keep_fraction = { instance, sparsity, round, rounds in
                let plugin = try? InstanceBox<any CriterionPlugin>.of(instance).plugin
                return plugin?.keepFraction(for: sparsity, round: Int(round), of: Int(rounds)) ?? (1 - sparsity)
            }
        }
        return Glue(PARE_KIND_CRITERION, table) { InstanceBox<any CriterionPlugin>(try Self(options: $0, host: $1)) }
    }
}

/// Inputs beside the weight (`PARE_INPUT_…`), available if the descriptor's needs ask for them.
public enum ScoreInput: Int32, Sendable {
    case gradient = 1
    /// Mean square of the input feature.
    case inputNorm
    case hessianGradient
    case twinGradient
    /// γ of the normalisation after the layer.
    case normScale
    case outputNorm
    /// bool, 1 = alive.
    case mask
    /// Values before any pruning.
    case denseWeight
}

/// What to score: a weight whose leading axes enumerate the units and whose trailing axes run inside one unit.
public struct ScoreRequest {
    let pointer: UnsafePointer<pare_score_request>
    public let weight: Tensor
    /// Number of leading axes that enumerate units.
    public let unitAxes: Int
    /// Units in this call.
    public let unitCount: Int

    init(_ pointer: UnsafePointer<pare_score_request>?) throws {
        self.pointer = try require(pointer, through: \.run, \.struct_size)
        let request = self.pointer.pointee
        weight = try Tensor(request.weight, text(request.parameter))
        unitAxes = Int(request.unit_ndim)
        guard (0...weight.ndim).contains(unitAxes), let units = elementCount(weight.shape.prefix(unitAxes)) else {
            throw PluginError(
                PARE_E_ARGUMENT, "unit_ndim is out of range", at: text(request.parameter), found: "\(unitAxes)",
                expected: "0 … \(weight.ndim)")
        }
        unitCount = units
    }

    /// Name of the parameter.
    public var parameter: String { text(pointer.pointee.parameter) }
    public var role: Int32 { pointer.pointee.role }
    public var granularity: Int32 { pointer.pointee.granularity }
    /// Elements of one unit.
    public var unitSize: Int { weight.shape.dropFirst(unitAxes).reduce(1, &*) }
    /// Every unit is one element.
    public var isElementwise: Bool { unitSize == 1 }
    /// Position of this call's first unit among all units of the parameter.
    public var firstUnit: Int { Int(pointer.pointee.first_unit) }
    public var totalUnits: Int { Int(pointer.pointee.total_units) }
    /// Stable hash of the name: stream of random draws.
    public var parameterKey: UInt64 { pointer.pointee.parameter_key }
    public var round: Int { Int(pointer.pointee.round) }
    public var rounds: Int { Int(pointer.pointee.rounds) }
    public var run: Run { Run(pointer: pointer.pointee.run) }

    /// An input shaped like the weight (what is shared has stride 0), or nil if the host has not collected it.
    public func input(_ which: ScoreInput) throws -> Tensor? {
        guard let input = pointer.pointee.input?(pointer, which.rawValue) else { return nil }
        let tensor = try Tensor(input, "\(parameter): \(which)")
        guard tensor.shape == weight.shape else {
            throw PluginError(
                PARE_E_SHAPE, "input is not shaped like the weight", at: "\(parameter): \(which)",
                found: "\(tensor.shape)", expected: "\(weight.shape)")
        }
        return tensor
    }
}
