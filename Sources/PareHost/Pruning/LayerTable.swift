import CPare
import Glibc
import PareFormats
import PareGraph
import PareMask
import PareTensor

/// The C description of a list of layers, for allocators and metrics; alive as long as this object.
final class LayerTable {
    let count: Int
    private let layers: UnsafeMutablePointer<pare_layer>
    private var shapes: [UnsafeMutablePointer<Int64>] = []
    private let names: [UnsafeMutablePointer<CChar>?]

    /// - Parameter members: parameter index and number of mask units.
    init(_ analysed: AnalysedModel, _ members: [(index: Int, units: Int)]) {
        count = members.count
        layers = .allocate(capacity: max(count, 1))
        names = members.map { strdup(analysed.model.parameters[$0.index].name) }
        for (position, member) in members.enumerated() {
            let parameter = analysed.model.parameters[member.index]
            let use = analysed.uses[member.index]
            let shape = analysed.canonicalShape(of: member.index)
            let sizes = UnsafeMutablePointer<Int64>.allocate(capacity: max(shape.count, 1))
            sizes.initialize(repeating: 0, count: max(shape.count, 1))
            for (axis, size) in shape.enumerated() { sizes[axis] = Int64(size) }
            shapes.append(sizes)
            var layer = pare_layer()
            layer.struct_size = UInt32(MemoryLayout<pare_layer>.size)
            layer.type = use?.layerType.rawValue ?? Int32(parameter.role == .weight ? PARE_LAYER_LINEAR : PARE_LAYER_OTHER)
            layer.name = names[position].map { UnsafePointer($0) }
            layer.ndim = Int32(clamping: shape.count)
            layer.role = parameter.role.rawValue
            layer.shape = UnsafePointer(sizes)
            layer.elements = Int64(parameter.count)
            layer.units = Int64(member.units)
            layer.macs = analysed.macs(of: member.index).map(Int64.init) ?? -1
            layer.groups = Int64(use?.groups ?? 1)
            layer.depth = Int32(clamping: use?.node ?? position)
            (layers + position).initialize(to: layer)
        }
    }

    deinit {
        for shape in shapes { shape.deallocate() }
        for name in names { free(name) }
        layers.deallocate()
    }

    func pointer(_ index: Int) -> UnsafePointer<pare_layer>? { index >= 0 && index < count ? UnsafePointer(layers + index) : nil }
}

extension Pattern {
    /// The C struct.
    var raw: pare_pattern {
        var raw = pare_pattern()
        raw.struct_size = UInt32(MemoryLayout<pare_pattern>.size)
        raw.granularity = granularity.rawValue
        raw.n = Int32(clamping: n)
        raw.m = Int32(clamping: m)
        raw.block_rows = Int32(clamping: blockRows)
        raw.block_cols = Int32(clamping: blockCols)
        raw.remainder = remainder.rawValue
        return raw
    }
}

/// Progress and cancellation as plugins see them, and as the host asks; nil closures become NULL.
final class RunBridge {
    let pointer: UnsafePointer<pare_run>?
    private let storage: UnsafeMutablePointer<pare_run>?
    private let progress: Progress?
    private let lock = Lock()
    private var stopped = false
    /// Part of the whole that the running stage covers.
    var stage: (from: Double, to: Double, text: String) = (0, 1, "")
    private var fraction = 0.0

    init(_ progress: Progress?) {
        self.progress = progress
        guard progress != nil else {
            storage = nil
            pointer = nil
            return
        }
        let made = UnsafeMutablePointer<pare_run>.allocate(capacity: 1)
        made.initialize(to: pare_run())
        storage = made
        pointer = UnsafePointer(made)
        made.pointee.struct_size = UInt32(MemoryLayout<pare_run>.size)
        made.pointee.user = Unmanaged.passUnretained(self).toOpaque()
        made.pointee.progress = { user, fraction, _ in
            guard let user else { return }
            _ = Unmanaged<RunBridge>.fromOpaque(user).takeUnretainedValue().report(fraction)
        }
        made.pointee.keep_going = { user in
            guard let user else { return 1 }
            // Says nothing new: what is reported never falls.
            return Unmanaged<RunBridge>.fromOpaque(user).takeUnretainedValue().report(0) ? 1 : 0
        }
    }

    deinit { storage?.deallocate() }

    /// Tells how far the stage is; false once the caller has asked to stop. One call at a time reaches the caller.
    func report(_ within: Double) -> Bool {
        guard let progress else { return true }
        return lock.withLock {
            guard !stopped else { return false }
            fraction = max(fraction, min(max(within, 0), 1))
            stopped = !progress(stage.from + (stage.to - stage.from) * fraction, stage.text)
            return !stopped
        }
    }

    func begin(_ text: String, from: Double, to: Double) throws {
        lock.withLock {
            stage = (from, to, text)
            fraction = 0
        }
        try check(0)
    }

    /// Throws `.cancelled` when the caller has asked to stop.
    func check(_ within: Double) throws {
        guard report(within) else { throw PareError(.cancelled, "cancelled while \(stage.text)") }
    }
}
