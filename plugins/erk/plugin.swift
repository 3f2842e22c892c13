import PareKit

/// Erdős–Rényi kernel quotas: density in proportion to the sum over the product of a kernel's dimensions.
struct ERK: AllocatorPlugin {
    enum Repair: String, CaseIterable { case rescale, es }

    static let descriptor = Descriptor(
        id: "erk",
        summary: "density in proportion to (sum of dimensions) / (product of dimensions)",
        source: "Evci et al., RigL, ICML 2020, arXiv:1911.11134, section 3; Mocanu et al., 2018",
        flags: [.deterministic, .threadSafe],
        options: [
            .choice(
                "repair", default: Repair.rescale,
                help: "densities above 1: rescale the other layers, or es = give the surplus to the layer before")
        ])

    let repair: Repair

    init(options: OptionValues, host: Host) throws { repair = try options.choice("repair", as: Repair.self) }

    func allocate(_ request: AllocateRequest) throws -> Allocation {
        let layers = request.byDepth.map { request.layers[$0] }.filter { $0.units > 0 && $0.elements > 0 }
        let units = layers.map { Double($0.units) }
        // A scalar has no dimensions to add up; its one element counts like a vector of one.
        let raw = layers.map { layer in Double(layer.shape.isEmpty ? 1 : layer.shape.reduce(0, +)) / Double(layer.elements) }
        let kept = (1 - request.sparsity) * units.reduce(0, +)

        let density: [Double]
        switch repair {
        case _ where request.sparsity == 0: density = layers.map { _ in 1 }  // nothing to divide up
        case .rescale: density = rescaled(raw, units, kept: kept)
        case .es: density = try shifted(raw, units, kept: kept, sparsity: request.sparsity)
        }
        var sparsity = [Double](repeating: 0, count: request.layers.count)
        let places = request.byDepth.filter { request.layers[$0].units > 0 && request.layers[$0].elements > 0 }
        for (place, value) in zip(places, density) { sparsity[place] = min(max(1 - value, 0), 1) }
        return .separate(sparsity)
    }

    /// Freeze overfull layers dense and rescale the rest until none is above 1. Ends: each turn freezes one at least.
    private func rescaled(_ raw: [Double], _ units: [Double], kept: Double) -> [Double] {
        var density = [Double](repeating: 1, count: raw.count)
        var open = Set(raw.indices)
        while !open.isEmpty {
            let frozen = raw.indices.reduce(0) { open.contains($1) ? $0 : $0 + units[$1] }
            let scale = (kept - frozen) / raw.indices.reduce(0) { open.contains($1) ? $0 + raw[$1] * units[$1] : $0 }
            let overfull = open.filter { scale * raw[$0] > 1 }
            guard overfull.isEmpty else {
                open.subtract(overfull)
                continue
            }
            for layer in open { density[layer] = scale * raw[layer] }
            break
        }
        return density
    }

    /// From the last layer to the second: what is above 1 goes to the layer before. The first cannot pass it on.
    private func shifted(_ raw: [Double], _ units: [Double], kept: Double, sparsity: Double) throws -> [Double] {
        let share = zip(raw, units).reduce(0) { $0 + $1.0 * $1.1 }
        func densities(_ kept: Double) -> [Double] {
            var density = raw.map { $0 * kept / share }
            for layer in density.indices.dropFirst().reversed() where density[layer] > 1 {
                density[layer - 1] += (density[layer] - 1) * units[layer] / units[layer - 1]
                density[layer] = 1
            }
            return density
        }
        let density = densities(kept)
        guard let first = density.first, first > 1 + 1e-12 else { return density }

        // The first density grows with what is kept: bisect for the smallest sparsity that fits.
        let total = units.reduce(0, +)
        var (fits, fails) = (1.0, sparsity)
        for _ in 0..<60 {
            let middle = (fits + fails) / 2
            if densities((1 - middle) * total)[0] > 1 { fails = middle } else { fits = middle }
        }
        throw PluginError(
            PARE_E_ARGUMENT, "the first layer would need a density above 1", found: "sparsity \(sparsity)",
            expected: "at least \(fits); at most any below 1", hint: "use repair=rescale")
    }
}

private let module = Module(id: "pare.erk", license: "Apache-2.0", plugins: [ERK.self])

@_cdecl("pare_plugin_entry")
public func entry(_ major: UInt32, _ minor: UInt32) -> UnsafePointer<pare_module>? { module.pointer }
