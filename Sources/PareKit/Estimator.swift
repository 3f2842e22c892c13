import CPare

/// Fits a penalised (generalised) linear model on data.
public protocol EstimatorPlugin: Plugin {
    func fit(_ request: FitRequest, into result: FitResult) throws
    /// Smallest λ whose solution is all zero.
    func lambdaMax(_ request: FitRequest) throws -> Double
}

extension EstimatorPlugin {
    public func lambdaMax(_ request: FitRequest) throws -> Double {
        throw PluginError(PARE_E_UNSUPPORTED, "this estimator does not know the largest λ")
    }

    public static var glue: Glue {
        var table = pare_estimator()
        table.struct_size = UInt32(MemoryLayout<pare_estimator>.size)
        table.fit = { instance, request, result, error in
            reporting(error) {
                let request = try FitRequest(request)
                let result = try FitResult(result, lambdaCount: request.lambdas.count)
                try InstanceBox<any EstimatorPlugin>.of(instance).plugin.fit(request, into: result)
            }
        }
        table.lambda_max = { instance, request, out, error in
            reporting(error) {
                guard let out else { throw PluginError(PARE_E_ARGUMENT, "the host passed no place for the result") }
                out.pointee = try InstanceBox<any EstimatorPlugin>.of(instance).plugin.lambdaMax(FitRequest(request))
            }
        }
        return Glue(PARE_KIND_ESTIMATOR, table) { InstanceBox<any EstimatorPlugin>(try Self(options: $0, host: $1)) }
    }
}

/// minimise (1/n) Σ wᵢ loss(yᵢ, xᵢᵀb + offsetᵢ) + λ Ω(b).
public struct FitRequest {
    let pointer: UnsafePointer<pare_fit_request>
    /// The design in one of three forms.
    public let design: Design
    /// n, or n × tasks.
    public let response: Tensor
    public let sampleWeight: Tensor?
    public let offset: Tensor?
    /// Per coefficient; 0 = unpenalised.
    public let penaltyWeights: Tensor?
    public let start: Tensor?
    /// Decreasing.
    public let lambdas: UnsafeBufferPointer<Double>

    public enum Design {
        /// n × p, float64.
        case dense(Tensor)
        case sparse(UnsafePointer<pare_csc>)
        case matrixFree(UnsafePointer<pare_operator>)
    }

    init(_ pointer: UnsafePointer<pare_fit_request>?) throws {
        self.pointer = try require(pointer, through: \.run, \.struct_size)
        let request = self.pointer.pointee
        switch (request.design, request.sparse, request.matrix_free) {
        case (let dense?, nil, nil): design = .dense(try Tensor(dense, "design"))
        case (nil, let sparse?, nil): design = .sparse(sparse)
        case (nil, nil, let free?): design = .matrixFree(try require(free, through: \.adjoint, \.struct_size))
        default: throw PluginError(PARE_E_ARGUMENT, "exactly one form of the design is needed")
        }
        response = try Tensor(request.response, "response")
        sampleWeight = try request.sample_weight.map { try Tensor($0, "sample weights") }
        offset = try request.offset.map { try Tensor($0, "offset") }
        penaltyWeights = try request.penalty_weights.map { try Tensor($0, "penalty weights") }
        start = try request.start.map { try Tensor($0, "start") }
        guard request.lambda_count >= 0, request.lambdas != nil || request.lambda_count == 0 else {
            throw PluginError(PARE_E_ARGUMENT, "the host passed no λ")
        }
        lambdas = UnsafeBufferPointer(start: request.lambdas, count: Int(request.lambda_count))
    }

    /// `PARE_LOSS_…`.
    public var loss: Int32 { pointer.pointee.loss }
    /// An instance of kind penalty; nil for none.
    public var penalty: UnsafeMutablePointer<pare_instance>? { pointer.pointee.penalty }
    /// Group of each coefficient.
    public var groupOf: UnsafePointer<Int64>? { pointer.pointee.group_of }
    /// On the relative duality gap.
    public var tolerance: Double { pointer.pointee.tolerance }
    public var maxIterations: Int { Int(pointer.pointee.max_iterations) }
    public var fitsIntercept: Bool { pointer.pointee.intercept != 0 }
    public var run: Run { Run(pointer: pointer.pointee.run) }
}

/// The caller's buffers; nil ones are skipped.
public struct FitResult {
    let pointer: UnsafePointer<pare_fit_result>
    /// λ × p (× tasks), float64.
    public let coefficients: OutputTensor?
    /// λ × n: dual point that certifies the gap.
    public let dual: OutputTensor?
    public let gaps: UnsafeMutableBufferPointer<Double>?
    public let iterations: UnsafeMutableBufferPointer<Int64>?
    /// λ (× tasks).
    public var intercepts: UnsafeMutablePointer<Double>? { pointer.pointee.intercepts }

    init(_ pointer: UnsafePointer<pare_fit_result>?, lambdaCount: Int) throws {
        self.pointer = try require(pointer, through: \.report, \.struct_size)
        let result = self.pointer.pointee
        coefficients = try result.coefficients.map { try OutputTensor($0, "coefficients") }
        dual = try result.dual.map { try OutputTensor($0, "dual") }
        gaps = result.gaps.map { UnsafeMutableBufferPointer(start: $0, count: lambdaCount) }
        iterations = result.iterations.map { UnsafeMutableBufferPointer(start: $0, count: lambdaCount) }
    }

    /// Report a number about one λ, or about the whole path without it.
    public func report(_ name: String, _ value: Double, lambda: Int? = nil) {
        pointer.pointee.report?(pointer, name, Int64(lambda ?? -1), value)
    }
}
