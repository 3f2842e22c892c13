import CPare
import PareHost
import PareMask
import PareTensor

/// What a `pare_report *` is: layers where it came from a prune request, and the text.
final class ReportBox {
    let layers: [LayerReport]
    let sparsity: Double
    let strings = StringPool()
    let json: String

    init(_ report: PruneReport) {
        layers = report.layers
        sparsity = report.sparsity
        json = report.json.text(indent: 2)
    }

    init(_ measurement: Measurement) {
        layers = []
        sparsity = .nan
        json = measurement.json.text(indent: 2)
    }
}

@_cdecl("pare_prune") @implementation
public func pare_prune(
    _ context: OpaquePointer?, _ model: OpaquePointer?, _ request: UnsafePointer<pare_prune_request>?,
    _ report: UnsafeMutablePointer<OpaquePointer?>?, _ error: UnsafeMutablePointer<pare_error>?
) -> Int32 {
    border(error) {
        let context = try Handle.get(context, ContextBox.self, "context").context
        let box = try modelBox(model)
        let raw = try readGrowing(
            request, "request", required: MemoryLayout<pare_prune_request>.size, zero: pare_prune_request(),
            fault: .argument)
        let made = try context.prune(box.analysed, PruneRequest(raw), progress: progress(raw.run))
        report?.pointee = Handle.make(ReportBox(made))
    }
}

extension PruneRequest {
    init(_ raw: pare_prune_request) throws {
        self.init(pattern: try Pattern(raw.pattern), sparsity: raw.sparsity)
        if let id = raw.criterion { criterion = String(cString: id) }
        if let id = raw.allocation { allocation = String(cString: id) }
        options = try settings(raw.options)
        include = strings(raw.include)
        exclude = strings(raw.exclude)
        allowNonfinite = raw.allow_nonfinite != 0
        dryRun = raw.dry_run != 0
        keepMasks = raw.keep_masks != 0
        strict = raw.strict != 0
        seed = raw.seed
    }
}

@_cdecl("pare_report_destroy") @implementation
public func pare_report_destroy(_ report: OpaquePointer?) { Handle.destroy(report, ReportBox.self) }

@_cdecl("pare_report_json") @implementation
public func pare_report_json(_ report: OpaquePointer?) -> UnsafePointer<CChar>? {
    guard let box = Handle.peek(report, ReportBox.self) else { return nil }
    return box.strings.pointer(box.json)
}

@_cdecl("pare_report_layer_count") @implementation
public func pare_report_layer_count(_ report: OpaquePointer?) -> UInt32 {
    UInt32(clamping: Handle.peek(report, ReportBox.self)?.layers.count ?? 0)
}

@_cdecl("pare_report_layer_at") @implementation
public func pare_report_layer_at(
    _ report: OpaquePointer?, _ index: UInt32, _ out: UnsafeMutablePointer<pare_report_layer>?,
    _ error: UnsafeMutablePointer<pare_error>?
) -> Int32 {
    border(error) {
        let box = try Handle.get(report, ReportBox.self, "report")
        guard index < box.layers.count else {
            throw PareError(.argument, "layer index is out of range", found: "\(index)", expected: "below \(box.layers.count)")
        }
        let layer = box.layers[Int(index)]
        var info = pare_report_layer()
        info.pruned = layer.pruned ? 1 : 0
        info.name = box.strings.pointer(layer.name)
        info.note = box.strings.pointer(layer.note)
        info.elements = Int64(layer.elements)
        info.kept = Int64(layer.kept)
        info.zeros = Int64(layer.zeros)
        info.target = layer.target ?? .nan
        try deliver(growing: info, to: out, required: MemoryLayout<pare_report_layer>.size)
    }
}

@_cdecl("pare_report_sparsity") @implementation
public func pare_report_sparsity(_ report: OpaquePointer?) -> Double {
    Handle.peek(report, ReportBox.self)?.sparsity ?? .nan
}

@_cdecl("pare_measure") @implementation
public func pare_measure(
    _ context: OpaquePointer?, _ model: OpaquePointer?, _ metric: UnsafePointer<CChar>?,
    _ options: UnsafePointer<UnsafePointer<CChar>?>?, _ report: UnsafeMutablePointer<OpaquePointer?>?,
    _ error: UnsafeMutablePointer<pare_error>?
) -> Int32 {
    border(error) {
        let context = try Handle.get(context, ContextBox.self, "context").context
        let measured = try context.measure(
            modelBox(model).analysed, metric: string(metric, "metric"), options: settings(options))
        guard let report else { throw PareError(.argument, "report is NULL") }
        report.pointee = Handle.make(ReportBox(measured))
    }
}
