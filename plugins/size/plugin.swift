import PareKit

/// Parameters, multiply-accumulates and bytes, dense and as they would be with zeros left out.
struct Size: MetricPlugin {
    static let descriptor = Descriptor(
        id: "size",
        summary: "parameters, MACs and bytes, dense and without zeros",
        flags: .deterministic)

    let host: Host

    init(options: OptionValues, host: Host) { self.host = host }

    func measure(_ request: MetricRequest) throws {
        var total = Amount()
        for (index, layer) in request.layers.enumerated() {
            try request.run.checkpoint(Double(index) / Double(request.layers.count), layer.name)
            guard let weight = try request.weight(index) else {
                host.log.warning("size: \(layer.name) has no values here and is left out")
                continue
            }
            let nonzero = try host.vector.countNonzero(weight)
            let amount = Amount(
                elements: weight.count, nonzero: nonzero, itemSize: weight.elementSize, macs: layer.macs)
            amount.emit(request, layer: index)
            total.add(amount)
        }
        total.emit(request)
    }
}

private struct Amount {
    var parameters = 0.0
    var nonzero = 0.0
    /// nil as long as no layer with known MACs was added.
    var macs: Double?
    var macsSparse = 0.0
    var bytes = 0.0
    var bytesSparse = 0.0

    init() {}

    init(elements: Int, nonzero: Int, itemSize: Int, macs: Int?) {
        parameters = Double(elements)
        self.nonzero = Double(nonzero)
        self.macs = macs.map(Double.init)
        macsSparse = elements > 0 ? Double(macs ?? 0) * self.nonzero / parameters : 0
        bytes = parameters * Double(itemSize)
        // One bit per element says where the values are; the values follow.
        bytesSparse = Double((elements + 7) / 8) + self.nonzero * Double(itemSize)
    }

    mutating func add(_ other: Amount) {
        parameters += other.parameters
        nonzero += other.nonzero
        if let more = other.macs { macs = (macs ?? 0) + more }
        macsSparse += other.macsSparse
        bytes += other.bytes
        bytesSparse += other.bytesSparse
    }

    func emit(_ request: MetricRequest, layer: Int? = nil) {
        request.emit("params", parameters, unit: "elements", layer: layer)
        request.emit("params-nonzero", nonzero, unit: "elements", layer: layer)
        if let macs {
            request.emit("macs", macs, unit: "MACs", layer: layer)
            request.emit("macs-sparse", macsSparse, unit: "MACs", layer: layer)
        }
        request.emit("bytes", bytes, unit: "bytes", layer: layer)
        request.emit("bytes-sparse", bytesSparse, unit: "bytes", layer: layer)
    }
}

private let module = Module(id: "pare.size", license: "Apache-2.0", plugins: [Size.self])

@_cdecl("pare_plugin_entry")
public func entry(_ major: UInt32, _ minor: UInt32) -> UnsafePointer<pare_module>? { module.pointer }
