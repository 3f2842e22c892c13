import CPare

/// Per-layer repair: weights and the Gram matrix of their inputs in, mask and new weights out.
public protocol SolverPlugin: Plugin {
    /// Fill the result; on a throw the host drops what was written.
    func solve(_ request: SolveRequest, into result: SolveResult) throws
}

extension SolverPlugin {
    public static var glue: Glue {
        var table = pare_solver()
        table.struct_size = UInt32(MemoryLayout<pare_solver>.size)
        table.solve = { instance, request, result, error in
            reporting(error) {
                let request = try SolveRequest(request)
                let result = try SolveResult(result, shape: request.weight.shape)
                try InstanceBox<any SolverPlugin>.of(instance).plugin.solve(request, into: result)
            }
        }
        return Glue(PARE_KIND_SOLVER, table) { InstanceBox<any SolverPlugin>(try Self(options: $0, host: $1)) }
    }
}

/// Whose inputs a Gram matrix is of (`PARE_GRAM_…`).
public enum Gram: Int32, Sendable {
    case current = 0
    case heldOut, dense, sparse
}

/// One layer y = W x with W of rows × columns.
public struct SolveRequest {
    let pointer: UnsafePointer<pare_solve_request>
    /// rows × columns, float32, contiguous: what to start from.
    public let weight: Tensor
    /// The dense weights, target of the repair.
    public let original: Tensor
    public let bias: Tensor?
    /// Given from outside: weights are repaired under it.
    public let mask: Tensor?
    public let pattern: pare_pattern

    init(_ pointer: UnsafePointer<pare_solve_request>?) throws {
        self.pointer = try require(pointer, through: \.run, \.struct_size)
        let request = self.pointer.pointee
        let name = text(request.parameter)
        weight = try Tensor(request.weight, name)
        original = try Tensor(request.original, "\(name): original")
        bias = try request.bias.map { try Tensor($0, "\(name): bias") }
        mask = try request.mask.map { try Tensor($0, "\(name): mask") }
        pattern = try require(request.pattern, through: \.remainder, \.struct_size).pointee
        guard weight.ndim == 2, original.shape == weight.shape, mask == nil || mask?.shape == weight.shape,
            bias == nil || bias?.count == weight.shape[0]
        else { throw PluginError(PARE_E_SHAPE, "weight, original, mask and bias do not fit", at: name) }
    }

    public var parameter: String { text(pointer.pointee.parameter) }
    public var round: Int { Int(pointer.pointee.round) }
    public var sparsity: Double { pointer.pointee.sparsity }
    /// Tokens behind the Gram matrix.
    public var tokens: Int { Int(pointer.pointee.tokens) }
    public var seed: UInt64 { pointer.pointee.seed }
    public var run: Run { Run(pointer: pointer.pointee.run) }

    /// columns × columns, symmetric; nil if this host has none.
    public func gram(_ which: Gram) throws -> Tensor? {
        let columns = weight.shape[1]
        return try pointer.pointee.gram?(pointer, which.rawValue).map {
            let gram = try Tensor($0, "\(parameter): Gram matrix")
            guard gram.shape == [columns, columns] else {
                throw PluginError(
                    PARE_E_SHAPE, "Gram matrix does not fit", at: parameter, found: "\(gram.shape)",
                    expected: "[\(columns), \(columns)]")
            }
            return gram
        }
    }

    /// Mean of each input feature; nil if this host has none.
    public func inputMean(_ which: Gram) throws -> Tensor? {
        try pointer.pointee.input_mean?(pointer, which.rawValue).map { try Tensor($0, "\(parameter): input mean") }
    }
}

/// The host's buffers: weight holds a copy of the request's weight, mask all ones.
public struct SolveResult {
    let pointer: UnsafePointer<pare_solve_result>
    public let weight: OutputTensor
    public let mask: OutputTensor
    public let bias: OutputTensor?

    init(_ pointer: UnsafePointer<pare_solve_result>?, shape: [Int]) throws {
        self.pointer = try require(pointer, through: \.report, \.struct_size)
        weight = try OutputTensor(self.pointer.pointee.weight, "result: weight")
        mask = try OutputTensor(self.pointer.pointee.mask, "result: mask")
        bias = try self.pointer.pointee.bias.map { try OutputTensor($0, "result: bias") }
        guard weight.shape == shape, mask.shape == shape else {
            throw PluginError(PARE_E_SHAPE, "result is not shaped like the weight", found: "\(weight.shape)")
        }
    }

    /// Add a number to the host's report.
    public func report(_ name: String, _ value: Double) { pointer.pointee.report?(pointer, name, value) }
}
