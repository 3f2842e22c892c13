import PareKit

/// Network slimming: the scale |γ| of the normalisation behind a layer tells how much each of its rows contributes.
struct NormScale: CriterionPlugin {
    static let descriptor = Descriptor(
        id: "norm-scale",
        summary: "|γ| of the normalisation that follows the layer",
        source: "Liu et al., Network Slimming, ICCV 2017, arXiv:1708.06519",
        flags: [.deterministic, .local, .scaleInvariant, .threadSafe],
        needs: .normScale,
        granularities: .row)

    let host: Host

    init(options: OptionValues, host: Host) { self.host = host }

    func score(_ request: ScoreRequest, into scores: OutputTensor) throws {
        guard let scale = try request.input(.normScale) else {
            throw PluginError(
                PARE_E_UNSUPPORTED, "no normalisation with a scale γ follows this layer", at: request.parameter,
                expected: "a batch, layer, group or instance norm behind it",
                hint: "exclude this parameter, or use the criterion magnitude or fpgm")
        }
        let scores = try scores.float32()
        // γ is one number per row, repeated along the row: the first of each will do.
        try scale.withFirstOfUnits(request.unitAxes) { try host.vector.readAbsFloat32($0, into: scores) }
        if let row = scores.firstIndex(where: { !$0.isFinite }) {
            throw PluginError(
                PARE_E_NONFINITE, "γ is not finite", at: "\(request.parameter), row \(request.firstUnit &+ row)",
                found: "\(scores[row])")
        }
    }
}

private let module = Module(id: "pare.norm-scale", license: "Apache-2.0", plugins: [NormScale.self])

@_cdecl("pare_plugin_entry")
public func entry(_ major: UInt32, _ minor: UInt32) -> UnsafePointer<pare_module>? { module.pointer }
