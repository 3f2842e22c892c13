import CPare
import PareHost
import PareMask
import PareTensor

@_cdecl("pare_version") @implementation
public func pare_version() -> UnsafePointer<CChar>? { StaticStrings.version }

@_cdecl("pare_abi_version") @implementation
public func pare_abi_version(_ major: UnsafeMutablePointer<UInt32>?, _ minor: UnsafeMutablePointer<UInt32>?) {
    major?.pointee = UInt32(PARE_ABI_MAJOR)
    minor?.pointee = UInt32(PARE_ABI_MINOR)
}

@_cdecl("pare_status_name") @implementation
public func pare_status_name(_ status: Int32) -> UnsafePointer<CChar>? { StaticStrings.name(of: status) }

@_cdecl("pare_context_create") @implementation
public func pare_context_create(
    _ config: UnsafePointer<pare_context_config>?, _ out: UnsafeMutablePointer<OpaquePointer?>?,
    _ error: UnsafeMutablePointer<pare_error>?
) -> Int32 {
    border(error) {
        guard let out else { throw PareError(.argument, "out is NULL") }
        let settings = try config.map {
            try readGrowing($0, "config", required: 16, zero: pare_context_config(), fault: .argument)
        }
        guard (settings?.threads ?? 0) <= 1024 else {
            throw PareError(.argument, "too many threads", found: "\(settings?.threads ?? 0)", expected: "0 … 1024")
        }
        let path = settings?.plugin_path.map { String(cString: $0) }
        out.pointee = Handle.make(ContextBox(Context(threads: Int(settings?.threads ?? 0), searchPath: path)))
    }
}

@_cdecl("pare_context_destroy") @implementation
public func pare_context_destroy(_ context: OpaquePointer?) { Handle.destroy(context, ContextBox.self) }

@_cdecl("pare_context_problem") @implementation
public func pare_context_problem(_ context: OpaquePointer?, _ index: UInt32) -> UnsafePointer<CChar>? {
    guard let box = Handle.peek(context, ContextBox.self), index < box.context.problems.count else { return nil }
    return box.strings.pointer(box.context.problems[Int(index)].description)
}

@_cdecl("pare_context_load") @implementation
public func pare_context_load(
    _ context: OpaquePointer?, _ path: UnsafePointer<CChar>?, _ error: UnsafeMutablePointer<pare_error>?
) -> Int32 {
    border(error) { try Handle.get(context, ContextBox.self, "context").context.load(string(path, "path")) }
}

@_cdecl("pare_context_register_module") @implementation
public func pare_context_register_module(
    _ context: OpaquePointer?, _ entry: pare_plugin_entry_fn?, _ error: UnsafeMutablePointer<pare_error>?
) -> Int32 {
    border(error) {
        guard let entry else { throw PareError(.argument, "entry is NULL") }
        try Handle.get(context, ContextBox.self, "context").context.register(entry)
    }
}

@_cdecl("pare_context_register_function") @implementation
public func pare_context_register_function(
    _ context: OpaquePointer?, _ description: UnsafePointer<CChar>?, _ error: UnsafeMutablePointer<pare_error>?
) -> Int32 {
    border(error) {
        try Handle.get(context, ContextBox.self, "context").context.register(
            functionDescription: string(description, "description"))
    }
}

@_cdecl("pare_context_register_criterion") @implementation
public func pare_context_register_criterion(
    _ context: OpaquePointer?, _ criterion: UnsafePointer<pare_callback_criterion>?,
    _ error: UnsafeMutablePointer<pare_error>?
) -> Int32 {
    border(error) { try Handle.get(context, ContextBox.self, "context").context.register(callback: criterion) }
}

@_cdecl("pare_plugin_count") @implementation
public func pare_plugin_count(_ context: OpaquePointer?, _ kind: UnsafePointer<CChar>?) -> UInt32 {
    guard let box = Handle.peek(context, ContextBox.self), let plugins = try? box.plugins(kind) else { return 0 }
    return UInt32(plugins.count)
}

@_cdecl("pare_plugin_at") @implementation
public func pare_plugin_at(
    _ context: OpaquePointer?, _ kind: UnsafePointer<CChar>?, _ index: UInt32,
    _ out: UnsafeMutablePointer<pare_plugin_info>?, _ error: UnsafeMutablePointer<pare_error>?
) -> Int32 {
    border(error) {
        let box = try Handle.get(context, ContextBox.self, "context")
        let plugins = try box.plugins(kind)
        guard index < plugins.count else {
            throw PareError(.argument, "plugin index is out of range", found: "\(index)", expected: "below \(plugins.count)")
        }
        try deliver(growing: box.info(plugins[Int(index)]), to: out, required: MemoryLayout<pare_plugin_info>.size)
    }
}

@_cdecl("pare_plugin_find") @implementation
public func pare_plugin_find(
    _ context: OpaquePointer?, _ kind: UnsafePointer<CChar>?, _ id: UnsafePointer<CChar>?,
    _ out: UnsafeMutablePointer<pare_plugin_info>?, _ error: UnsafeMutablePointer<pare_error>?
) -> Int32 {
    border(error) {
        let box = try Handle.get(context, ContextBox.self, "context")
        let plugin = try box.context.plugin(ContextBox.kind(kind), string(id, "id"))
        try deliver(growing: box.info(plugin), to: out, required: MemoryLayout<pare_plugin_info>.size)
    }
}

@_cdecl("pare_plugin_option") @implementation
public func pare_plugin_option(
    _ context: OpaquePointer?, _ kind: UnsafePointer<CChar>?, _ id: UnsafePointer<CChar>?, _ index: UInt32
) -> UnsafePointer<pare_option_info>? {
    guard let box = Handle.peek(context, ContextBox.self), let id, let kind = try? ContextBox.kind(kind),
        let plugin = try? box.context.plugin(kind, String(cString: id)), index < plugin.rawOptions.count
    else { return nil }
    return plugin.rawOptions[Int(index)]
}

@_cdecl("pare_score") @implementation
public func pare_score(
    _ context: OpaquePointer?, _ criterion: UnsafePointer<CChar>?, _ options: UnsafePointer<UnsafePointer<CChar>?>?,
    _ weight: UnsafePointer<pare_tensor>?, _ pattern: UnsafePointer<pare_pattern>?,
    _ scores: UnsafeMutablePointer<pare_tensor>?, _ run: UnsafePointer<pare_run>?,
    _ error: UnsafeMutablePointer<pare_error>?
) -> Int32 {
    border(error) {
        let context = try Handle.get(context, ContextBox.self, "context").context
        try context.score(
            criterion: string(criterion, "criterion"), options: settings(options),
            weight: TensorView(weight, "weight"), pattern: Pattern(pattern), into: TensorView(scores, "scores"),
            progress: progress(run))
    }
}
