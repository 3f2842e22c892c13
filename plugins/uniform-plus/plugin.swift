import PareKit

/// Uniform, but the first convolution stays dense and the last layer keeps a fifth of its units.
struct UniformPlus: AllocatorPlugin {
    static let descriptor = Descriptor(
        id: "uniform-plus",
        summary: "uniform with a dense first convolution and a capped last layer",
        source: "Gale et al., 2019, arXiv:1902.09574, section 5; Lee et al., ICLR 2021, arXiv:2010.07611",
        flags: [.deterministic, .threadSafe],
        options: [
            .float("last-max", default: 0.8, min: 0, max: 1, help: "largest sparsity of the last layer")
        ])

    let lastMaximum: Double

    init(options: OptionValues, host: Host) throws { lastMaximum = try options.float("last-max") }

    func allocate(_ request: AllocateRequest) throws -> Allocation {
        let layers = request.layers
        let order = request.byDepth.filter { layers[$0].units > 0 }
        var sparsity = [Double](repeating: request.sparsity, count: layers.count)
        guard order.count > 1, let last = order.last else { return .separate(sparsity) }

        let first = order.first { layers[$0].isConvolution }.flatMap { $0 == last ? nil : $0 }
        let middle = order.filter { $0 != first && $0 != last }
        let total = Double(request.units) * request.sparsity
        let (lastUnits, middleUnits) = (Double(layers[last].units), Double(middle.reduce(0) { $0 + layers[$1].units }))

        let fromLast = min(total / (lastUnits + middleUnits), lastMaximum) * lastUnits
        let fromMiddle = total - fromLast
        guard fromMiddle <= middleUnits * (1 + 1e-12) else {
            let largest = (lastMaximum * lastUnits + middleUnits) / Double(request.units)
            throw PluginError(
                PARE_E_ARGUMENT, "the layers that may be pruned have too few units for this sparsity",
                found: "\(request.sparsity)", expected: "at most \(largest)",
                hint: "lower the sparsity, raise last-max or use another allocation")
        }
        for index in layers.indices { sparsity[index] = 0 }
        for index in middle { sparsity[index] = min(fromMiddle / middleUnits, 1) }
        sparsity[last] = fromLast / lastUnits
        return .separate(sparsity)
    }
}

private let module = Module(id: "pare.uniform-plus", license: "Apache-2.0", plugins: [UniformPlus.self])

@_cdecl("pare_plugin_entry")
public func entry(_ major: UInt32, _ minor: UInt32) -> UnsafePointer<pare_module>? { module.pointer }
