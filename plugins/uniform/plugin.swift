import PareKit

/// The same sparsity in every layer, each layer ranked by itself.
struct Uniform: AllocatorPlugin {
    static let descriptor = Descriptor(
        id: "uniform", summary: "the same sparsity in every layer", flags: [.deterministic, .threadSafe])

    init(options: OptionValues, host: Host) {}

    func allocate(_ request: AllocateRequest) -> Allocation {
        .separate([Double](repeating: request.sparsity, count: request.layers.count))
    }
}

private let module = Module(id: "pare.uniform", license: "Apache-2.0", plugins: [Uniform.self])

@_cdecl("pare_plugin_entry")
public func entry(_ major: UInt32, _ minor: UInt32) -> UnsafePointer<pare_module>? { module.pointer }
