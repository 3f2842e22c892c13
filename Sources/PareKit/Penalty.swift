import CPare

/// A regulariser. Implement what there is a formula for and list it in `offers`; the rest is NULL to the host.
public protocol PenaltyPlugin: Plugin {
    static var offers: PenaltyFunctions { get }
    /// Ω = Σ λᵢ Ωᵢ.
    func value(_ request: PenaltyRequest) throws -> Double
    /// Add a (sub)gradient of Ω to each output; sign(0) = 0.
    func gradient(_ request: PenaltyRequest, addTo outputs: [OutputTensor]) throws
    /// out = argmin_z ½‖z − x‖² + step·Ω(z); an output may be its term's value itself.
    func prox(_ request: PenaltyRequest, into outputs: [OutputTensor]) throws
    /// Dual norm of the terms' values, λ taken as 1.
    func dualNorm(_ request: PenaltyRequest) throws -> Double
    /// Weights of the weighted-L1 majoriser at the values; +∞ excludes.
    func majorizer(_ request: PenaltyRequest, into outputs: [OutputTensor]) throws
    /// η of the variational form at the values.
    func eta(_ request: PenaltyRequest, into outputs: [OutputTensor]) throws
    /// Length of D x, of the analysis operator with Ω(x) = ‖D x‖.
    func operatorLength(_ request: PenaltyRequest) throws -> Int
    func operatorApply(_ request: PenaltyRequest, into output: OutputTensor) throws
    func operatorAdjoint(_ request: PenaltyRequest, dual: Tensor, into output: OutputTensor) throws
    /// Modulus of weak convexity: 0 = convex, +∞ = none.
    func weakConvexity() throws -> Double
}

/// Which functions a penalty has, beside the value.
public struct PenaltyFunctions: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public static let gradient = PenaltyFunctions(rawValue: 1)
    public static let prox = PenaltyFunctions(rawValue: 2)
    public static let dualNorm = PenaltyFunctions(rawValue: 4)
    public static let majorizer = PenaltyFunctions(rawValue: 8)
    public static let eta = PenaltyFunctions(rawValue: 16)
    public static let analysisOperator = PenaltyFunctions(rawValue: 32)
    public static let weakConvexity = PenaltyFunctions(rawValue: 64)
}

extension PenaltyPlugin {
    public func gradient(_ request: PenaltyRequest, addTo outputs: [OutputTensor]) throws { throw missing("gradient") }
    public func prox(_ request: PenaltyRequest, into outputs: [OutputTensor]) throws { throw missing("prox") }
    public func dualNorm(_ request: PenaltyRequest) throws -> Double { throw missing("dual_norm") }
    public func majorizer(_ request: PenaltyRequest, into outputs: [OutputTensor]) throws { throw missing("majorizer") }
    public func eta(_ request: PenaltyRequest, into outputs: [OutputTensor]) throws { throw missing("eta") }
    public func operatorLength(_ request: PenaltyRequest) throws -> Int { throw missing("operator_length") }
    public func operatorApply(_ request: PenaltyRequest, into output: OutputTensor) throws {
        throw missing("operator_apply")
    }
    public func operatorAdjoint(_ request: PenaltyRequest, dual: Tensor, into output: OutputTensor) throws {
        throw missing("operator_adjoint")
    }
    public func weakConvexity() throws -> Double { throw missing("weak_convexity") }

    private func missing(_ function: String) -> PluginError {
        PluginError(PARE_E_UNSUPPORTED, "this penalty has no such function", at: function)
    }

    public static var glue: Glue {
        Glue(PARE_KIND_PENALTY, penaltyTable(offers)) {
            InstanceBox<any PenaltyPlugin>(try Self(options: $0, host: $1))
        }
    }
}

/// One tensor under the penalty.
public struct PenaltyTerm {
    public let name: String
    /// The tensor is an activation, not a parameter.
    public let isActivation: Bool
    /// float32 or float64.
    public let value: Tensor
    /// Coefficients per element; nil for all ones.
    public let weights: Tensor?
    /// λ ≥ 0.
    public let coefficient: Double
    /// Leading axes that form the rows when the tensor is read as a matrix.
    public let rowAxes: Int
    /// Leading axes that enumerate groups; 0 = one group.
    public let groupAxes: Int
    /// Group of each element in row-major order; overrides `groupAxes`.
    public let groupOf: UnsafeBufferPointer<Int64>?

    init(_ pointer: UnsafePointer<pare_penalty_term>?) throws {
        let term = try require(pointer, through: \.group_of, \.struct_size).pointee
        name = text(term.name)
        isActivation = term.tap == PARE_TAP_ACTIVATION
        let value = try Tensor(term.value, name)
        self.value = value
        let weights = try term.weights.map { [name] in try Tensor($0, "\(name): weights") }
        self.weights = weights
        coefficient = term.coefficient
        rowAxes = Int(term.row_axes)
        groupAxes = Int(term.group_ndim)
        groupOf = term.group_of.map { UnsafeBufferPointer(start: $0, count: value.count) }
        guard weights.map({ $0.shape == value.shape }) ?? true, (0...value.ndim).contains(rowAxes),
            (0...value.ndim).contains(groupAxes), coefficient >= 0
        else { throw PluginError(PARE_E_ARGUMENT, "malformed term", at: name) }
    }
}

public struct PenaltyRequest {
    let pointer: UnsafePointer<pare_penalty_request>
    public let terms: [PenaltyTerm]

    init(_ pointer: UnsafePointer<pare_penalty_request>?) throws {
        self.pointer = try require(pointer, through: \.run, \.struct_size)
        let term = try require(self.pointer.pointee.term, "term")
        var terms: [PenaltyTerm] = []
        for index in 0..<self.pointer.pointee.term_count { terms.append(try PenaltyTerm(term(self.pointer, index))) }
        self.terms = terms
    }

    /// Learning rate or prox step; nil when not known.
    public var step: Double? { pointer.pointee.step.isNaN ? nil : pointer.pointee.step }
    /// Of the training; nil when not known.
    public var iteration: Int? { pointer.pointee.iteration < 0 ? nil : Int(pointer.pointee.iteration) }
    public var run: Run { Run(pointer: pointer.pointee.run) }

    /// One output per term, shaped like it.
    func outputs(_ pointers: UnsafePointer<UnsafeMutablePointer<pare_tensor>?>?) throws -> [OutputTensor] {
        guard let pointers else { throw PluginError(PARE_E_ARGUMENT, "the host passed no outputs") }
        return try terms.enumerated().map { index, term in
            let output = try OutputTensor(pointers[index], "\(term.name): output")
            guard output.shape == term.value.shape else {
                throw PluginError(
                    PARE_E_SHAPE, "output is not shaped like its term", at: term.name, found: "\(output.shape)",
                    expected: "\(term.value.shape)")
            }
            return output
        }
    }
}

private typealias Box = InstanceBox<any PenaltyPlugin>

private func store<T>(_ value: T, _ out: UnsafeMutablePointer<T>?) throws {
    guard let out else { throw PluginError(PARE_E_ARGUMENT, "the host passed no place for the result") }
    out.pointee = value
}

private func penaltyTable(_ offers: PenaltyFunctions) -> pare_penalty {
    var table = pare_penalty()
    table.struct_size = UInt32(MemoryLayout<pare_penalty>.size)
    table.value = { instance, request, out, error in
        reporting(error) { try store(Box.of(instance).plugin.value(PenaltyRequest(request)), out) }
    }
    if offers.contains(.gradient) {
        table.gradient = { instance, request, out, error in
            reporting(error) {
                let request = try PenaltyRequest(request)
                try Box.of(instance).plugin.gradient(request, addTo: request.outputs(out))
            }
        }
    }
    if offers.contains(.prox) {
        table.prox = { instance, request, out, error in
            reporting(error) {
                let request = try PenaltyRequest(request)
                try Box.of(instance).plugin.prox(request, into: request.outputs(out))
            }
        }
    }
    if offers.contains(.dualNorm) {
        table.dual_norm = { instance, request, out, error in
            reporting(error) { try store(Box.of(instance).plugin.dualNorm(PenaltyRequest(request)), out) }
        }
    }
    if offers.contains(.majorizer) {
        table.majorizer = { instance, request, out, error in
            reporting(error) {
                let request = try PenaltyRequest(request)
                try Box.of(instance).plugin.majorizer(request, into: request.outputs(out))
            }
        }
    }
    if offers.contains(.eta) {
        table.eta = { instance, request, out, error in
            reporting(error) {
                let request = try PenaltyRequest(request)
                try Box.of(instance).plugin.eta(request, into: request.outputs(out))
            }
        }
    }
    if offers.contains(.weakConvexity) {
        table.weak_convexity = { instance, out, error in
            reporting(error) { try store(Box.of(instance).plugin.weakConvexity(), out) }
        }
    }
    if offers.contains(.analysisOperator) { addOperator(to: &table) }
    return table
}

private func addOperator(to table: inout pare_penalty) {
    table.operator_length = { instance, request, out, error in
        reporting(error) { try store(Int64(Box.of(instance).plugin.operatorLength(PenaltyRequest(request))), out) }
    }
    table.operator_apply = { instance, request, out, error in
        reporting(error) {
            try Box.of(instance).plugin.operatorApply(PenaltyRequest(request), into: OutputTensor(out, "output"))
        }
    }
    table.operator_adjoint = { instance, request, dual, out, error in
        reporting(error) {
            try Box.of(instance).plugin.operatorAdjoint(
                PenaltyRequest(request), dual: Tensor(dual, "dual"), into: OutputTensor(out, "output"))
        }
    }
}
