import PareKit

/// All layers ranked together: the scores decide how much each one loses.
struct Global: AllocatorPlugin {
    static let descriptor = Descriptor(
        id: "global", summary: "all layers ranked together", flags: [.deterministic, .threadSafe])

    init(options: OptionValues, host: Host) {}

    func allocate(_ request: AllocateRequest) -> Allocation {
        .together([Double](repeating: request.sparsity, count: request.layers.count))
    }
}

private let module = Module(id: "pare.global", license: "Apache-2.0", plugins: [Global.self])

@_cdecl("pare_plugin_entry")
public func entry(_ major: UInt32, _ minor: UInt32) -> UnsafePointer<pare_module>? { module.pointer }
