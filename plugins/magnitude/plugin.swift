import PareKit

/// Keep what is large: the norm of each unit's weights.
struct Magnitude: CriterionPlugin {
    enum Norm: String, CaseIterable { case l1, l2 }

    static let descriptor = Descriptor(
        id: "magnitude",
        summary: "norm of the unit's weights; |w| for single elements",
        source: "Han et al., NeurIPS 2015, arXiv:1506.02626; rows: Li et al., ICLR 2017, arXiv:1608.08710",
        flags: [.deterministic, .local, .scaleInvariant, .threadSafe],
        needs: .weight,
        options: [.choice("norm", default: Norm.l2, help: "norm over the elements of a unit")])

    let norm: Reduction
    let host: Host

    init(options: OptionValues, host: Host) throws {
        norm = try options.choice("norm", as: Norm.self) == .l1 ? .l1 : .l2
        self.host = host
    }

    func score(_ request: ScoreRequest, into scores: OutputTensor) throws {
        let scores = try scores.float32()
        if request.isElementwise {
            // Either norm of one element is its absolute value: straight into the buffer, at memory speed.
            try host.vector.readAbsFloat32(request.weight, into: scores)
        } else {
            try host.vector.reduce(request.weight, unitAxes: request.unitAxes, norm, into: scores)
        }
    }
}

private let module = Module(id: "pare.magnitude", license: "Apache-2.0", plugins: [Magnitude.self])

@_cdecl("pare_plugin_entry")
public func entry(_ major: UInt32, _ minor: UInt32) -> UnsafePointer<pare_module>? { module.pointer }
