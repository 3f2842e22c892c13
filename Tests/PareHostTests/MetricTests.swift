import CPare
import PareFormats
import PareMask
import PareTensor
import Testing

@testable import PareHost

/// w: 2 × 3 weights; b: 3 biases.
private func smallModel() throws -> AnalysedModel {
    let model = Model.inMemory()
    try model.add(name: "w", view: floats(1, -2, 3, -4, 5, -6).view([2, 3]), role: .weight)
    try model.add(name: "b", view: floats(1, 0, 2).view([3]), role: .bias)
    return AnalysedModel(model)
}

@Suite struct MetricTests {
    @Test func whatAMetricSeesAndSays() throws {
        let plugin = FixturePlugin(.metric, "seeing")
        plugin.measure = { request in
            let layers = (0..<request.pointee.layer_count).compactMap { request.pointee.layer(request, $0)?.pointee }
            guard layers.map({ fromC($0.name) }) == ["w", "b"], layers.map(\.elements) == [6, 3], layers.map(\.macs) == [6, -1],
                request.pointee.layer(request, 2) == nil, request.pointee.layer(request, .max) == nil,
                request.pointee.prunable(request, 0) == 1, request.pointee.prunable(request, 1) == 0,
                request.pointee.prunable(request, 9) == 0, request.pointee.weight(request, 9) == nil,
                request.pointee.mask(request, 1) == nil, request.pointee.mask(request, 9) == nil,
                let weight = try? TensorView(request.pointee.weight(request, 0), "weight"),
                let kept = try? TensorView(request.pointee.mask(request, 0), "mask")
            else { return PARE_E_STATE }
            var values = [Float](repeating: 0, count: 6)
            var bits = values
            guard (try? weight.readFloat32(from: 0, count: 6, into: &values)) != nil,
                (try? kept.readFloat32(from: 0, count: 6, into: &bits)) != nil
            else { return PARE_E_DTYPE }
            var (rows, cols, rowStride, colStride) = (Int64(0), Int64(0), Int64(0), Int64(0))
            guard request.pointee.matrix(request, 0, &rows, &cols, &rowStride, &colStride) == 1,
                request.pointee.matrix(request, 1, &rows, nil, nil, nil) == 0, request.pointee.matrix(request, 7, nil, nil, nil, nil) == 0
            else { return PARE_E_SHAPE }
            request.pointee.emit(request, -1, "sum", Double(values.reduce(0, +)), "1")
            request.pointee.emit(request, 0, "kept", Double(bits.reduce(0, +)), "elements")
            let numbers = [Double(rows), Double(cols), Double(rowStride), Double(colStride)]
            request.pointee.emit_series(request, 0, "matrix", numbers, 4, "")
            request.pointee.emit_series(request, 99, "nothing", nil, 3, nil)
            request.pointee.emit_series(request, 0, "negative", numbers, -1, "")
            request.pointee.emit(request, 1, nil, .nan, nil)
            return PARE_OK
        }
        let context = try Context.with(plugin)
        let analysed = try smallModel()
        try analysed.setMask(mask(0b010111), of: 0)
        let said = try context.measure(analysed, metric: "seeing")
        #expect(said.total("sum") == 7 && said.total("kept") == nil)
        #expect(said.values.map(\.name) == ["sum", "kept", "matrix", "nothing", ""])
        #expect(said.values.map(\.layer) == [nil, "w", "w", nil, "b"])
        #expect(said.values[1].values == [4] && said.values[2].values == [2, 3, 3, 1] && said.values[3].values.isEmpty)
        let json = said.json.text()
        #expect(
            json.hasPrefix(
                #"{"pare":"\#(Context.version)","model":"","metric":{"id":"seeing","version":"1.2.3"},"values":[{"layer":null,"name":"sum","value":7.0,"unit":"1"}"#
            ))
        #expect(try JSON.parse(json)["values"] != nil, "NaN must not spoil the text")
    }

    @Test func failuresAndPatterns() throws {
        let plugin = FixturePlugin(.metric, "failing")
        plugin.message = "no idea"
        plugin.measure = { $0.pointee.pattern == nil ? PARE_E_UNSUPPORTED : $0.pointee.pattern.pointee.granularity }
        let context = try Context.with(plugin)
        let refusal = error { _ = try context.measure(smallModel(), metric: "failing") }
        #expect(refusal?.status == .unsupported && refusal?.what == "no idea" && refusal?.location == "metric \"failing\"")
        #expect(try context.measure(smallModel(), metric: "failing", pattern: .element).values.isEmpty)
        #expect(error { _ = try context.measure(smallModel(), metric: "failng") }?.hint == "did you mean \"failing\"?")
        plugin.table = UnsafeRawPointer(
            immortal(
                { () -> pare_metric in
                    var empty = pare_metric()
                    empty.struct_size = UInt32(MemoryLayout<pare_metric>.size)
                    return empty
                }()))
        #expect(error { _ = try context.measure(smallModel(), metric: "failing") }?.what == "metric \"failing\" has no measure function")
    }
}

@Suite struct PruneTests {
    private let criterion: FixturePlugin
    private let allocator: FixturePlugin
    private let context: Context

    init() throws {
        criterion = FixturePlugin(.criterion, "first-is-best", flags: Int32(PARE_FLAG_LOCAL))
        criterion.score = { request, scores in
            let out = scores.pointee.data.assumingMemoryBound(to: Float.self)
            for unit in 0..<Int(scores.pointee.shape[0]) { out[unit] = -Float(Int(request.pointee.first_unit) + unit) }
            return PARE_OK
        }
        allocator = FixturePlugin(.allocator, "even")
        allocator.allocate = { request, sparsity, pools in
            for layer in 0..<Int(request.pointee.layer_count) { (sparsity[layer], pools[layer]) = (request.pointee.sparsity, Int32(layer)) }
            return PARE_OK
        }
        context = try Context.with(threads: 2, criterion, allocator)
    }

    private func request(_ sparsity: Double, _ pattern: Pattern = .element) -> PruneRequest {
        var request = PruneRequest(pattern: pattern, sparsity: sparsity)
        (request.criterion, request.allocation) = ("first-is-best", "even")
        return request
    }

    @Test func masksFollowTheScores() throws {
        let analysed = try smallModel()
        let report = try context.prune(analysed, request(0.5))
        #expect(analysed.model.parameters[0].mask?.packedBytes() == [0b000111])
        #expect(analysed.model.parameters[1].mask == nil)
        #expect(report.removed == 3 && report.layers.map(\.pruned) == [true, false] && report.layers[0].target == 0.5)
        #expect(report.layers[1].zeros == 1, "zeros by themselves are counted")
        #expect(try context.prune(analysed, request(0.5, .nm(1, 3))).layers[0].kept == 2)
    }

    /// Whatever the ties, and however often the weights are read: zeros by mask and zeros by themselves are counted once.
    @Test(arguments: [0, Int32(PARE_FLAG_LOCAL), Int32(PARE_FLAG_LOCAL | PARE_FLAG_THREAD_SAFE)], [1, 7, 1000])
    func zerosAreCountedOnce(flags: Int32, levels: Int) throws {
        let flat = FixturePlugin(.criterion, "first-is-best", flags: flags)
        flat.score = { request, scores in
            let out = scores.pointee.data.assumingMemoryBound(to: Float.self)
            let count = (0..<scores.pointee.ndim).reduce(1) { $0 * Int(scores.pointee.shape[Int($1)]) }
            for unit in 0..<count { out[unit] = Float((Int(request.pointee.first_unit) + unit) % levels) }
            return PARE_OK
        }
        let context = try Context.with(threads: 3, flat, allocator)
        let model = Model.inMemory()
        let values = (0..<100_000).map { $0 % 5 == 0 ? 0 : Float($0) }
        try model.add(name: "w", view: Numbers(values).view([100, 1000]), role: .weight)
        let report = try context.prune(AnalysedModel(model), request(0.3))
        let bits = try #require(model.parameters[0].mask?.packedBytes())
        let zeros = values.indices.filter { values[$0] == 0 || bits[$0 / 8] >> UInt8($0 % 8) & 1 == 0 }.count
        #expect(report.removed == 30_000 && report.layers[0].zeros == zeros)
    }

    /// The copy that a criterion is shown of a padded weight has more zeros than the weight.
    @Test(arguments: [[5, 4], [4, 3], [7, 9]])
    func paddingIsNotCounted(shape: [Int]) throws {
        let count = shape[0] * shape[1]
        let values = (0..<count).map { $0 % 4 == 0 ? 0 : Float($0) }
        let model = Model.inMemory()
        try model.add(name: "w", view: Numbers(values).view(shape), role: .weight)
        let report = try context.prune(AnalysedModel(model), request(0.5, .block(2, 4, remainder: .pad)))
        let bits = try #require(model.parameters[0].mask?.packedBytes())
        let zeros = values.indices.filter { values[$0] == 0 || bits[$0 / 8] >> UInt8($0 % 8) & 1 == 0 }.count
        #expect(report.layers[0].zeros == zeros && report.removed > 0)
    }

    @Test func dryRunsAndCancelledOnesLeaveNothing() throws {
        let analysed = try smallModel()
        var dry = request(0.5)
        dry.dryRun = true
        #expect(try context.prune(analysed, dry).removed == 3)
        for stop in 0..<4 {
            var calls = 0
            let refusal = error {
                _ = try context.prune(analysed, request(0.5)) { _, _ in
                    calls += 1
                    return calls <= stop
                }
            }
            #expect(refusal?.status == .cancelled, "\(stop)")
        }
        #expect(analysed.model.parameters.allSatisfy { $0.mask == nil })
    }

    @Test func earlierMasksCanBeKept() throws {
        let analysed = try smallModel()
        try analysed.setMask(mask(0b111110), of: 0)
        var keeping = request(0.5)
        keeping.keepMasks = true
        _ = try context.prune(analysed, keeping)
        #expect(analysed.model.parameters[0].mask?.packedBytes() == [0b001110], "the best by score was removed before")
    }

    @Test func allocatorsThatAnswerNonsense() throws {
        for (sparsity, pool) in [(1.5, 0), (-0.1, 0), (.nan, 0), (0.5, -1)] as [(Double, Int32)] {
            allocator.allocate = { _, out, pools in
                (out[0], pools[0]) = (sparsity, pool)
                return PARE_OK
            }
            #expect(
                error { _ = try context.prune(smallModel(), request(0.5)) }?.what == "the allocator's answer is out of range",
                "\(sparsity) \(pool)")
        }
        allocator.allocate = { _, _, _ in PARE_OK }
        #expect(error { _ = try context.prune(smallModel(), request(0.5)) }?.status == .pluginFault, "an answer is not left out")
        allocator.allocate = { _, _, _ in PARE_E_ARGUMENT }
        #expect(error { _ = try context.prune(smallModel(), request(0.5)) }?.status == .argument)
    }

    @Test func requestsThatCannotBe() throws {
        for sparsity in [-0.1, 1, .nan, .infinity] {
            #expect(error { _ = try context.prune(smallModel(), request(sparsity)) }?.status == .argument)
        }
        var named = request(0.5)
        named.include = ["v*"]
        #expect(error { _ = try context.prune(smallModel(), named) }?.what == "no parameter matches \"v*\"")
        var strict = request(0.01)
        strict.strict = true
        let refusal = error { _ = try context.prune(smallModel(), strict) }
        #expect(refusal?.status == .nothingToDo && refusal?.found == "w: loses no unit at this sparsity")
    }
}

private func mask(_ packed: UInt8) throws -> Mask { try [packed].withUnsafeBytes { try Mask(shape: [2, 3], packed: $0) } }
