import CPare
import PareFormats
import PareGraph
import PareHost
import PareTensor

/// What a `pare_model *` is: the analysed model, and the C memory that answers point into.
final class ModelBox {
    private(set) var analysed: AnalysedModel
    let strings = StringPool()
    /// Sizes of parameters and values, kept until the model goes away.
    private var shapes: [[Int64]: UnsafeMutablePointer<Int64>] = [:]
    /// The view of each parameter that was last handed out.
    private var views: [Int: BorderTensor] = [:]
    private let lock = Lock()

    init(_ analysed: AnalysedModel) { self.analysed = analysed }

    var model: Model { analysed.model }

    deinit { for pointer in shapes.values { pointer.deallocate() } }

    func shape(_ sizes: [Int64]) -> UnsafePointer<Int64> {
        lock.withLock {
            if let known = shapes[sizes] { return UnsafePointer(known) }
            let pointer = UnsafeMutablePointer<Int64>.allocate(capacity: max(sizes.count, 1))
            pointer.initialize(repeating: 0, count: max(sizes.count, 1))
            for (axis, size) in sizes.enumerated() { pointer[axis] = size }
            shapes[sizes] = pointer
            return UnsafePointer(pointer)
        }
    }

    func parameter(_ index: UInt32) throws -> Parameter {
        guard index < model.parameters.count else {
            throw PareError(
                .argument, "parameter index is out of range", at: model.path, found: "\(index)",
                expected: "below \(model.parameters.count)")
        }
        return model.parameters[Int(index)]
    }

    /// A C view of the parameter's current values, alive until it is changed.
    func view(_ index: UInt32) throws -> pare_tensor {
        let shown = BorderTensor(try parameter(index).currentView())
        views[Int(index)] = shown
        return shown.pointer.pointee
    }

    func dropView(_ index: UInt32) { views[Int(index)] = nil }

    /// Looks at the parameters afresh after one was added.
    func reanalyse() { analysed = AnalysedModel(model) }
}

func modelBox(_ pointer: OpaquePointer?) throws -> ModelBox { try Handle.get(pointer, ModelBox.self, "model") }

@_cdecl("pare_model_open") @implementation
public func pare_model_open(
    _ context: OpaquePointer?, _ path: UnsafePointer<CChar>?, _ out: UnsafeMutablePointer<OpaquePointer?>?,
    _ error: UnsafeMutablePointer<pare_error>?
) -> Int32 {
    border(error) {
        _ = try Handle.get(context, ContextBox.self, "context")
        let model = ModelBox(try AnalysedModel.open(string(path, "path")))
        guard let out else { throw PareError(.argument, "out is NULL") }
        out.pointee = Handle.make(model)
    }
}

@_cdecl("pare_model_create") @implementation
public func pare_model_create(
    _ context: OpaquePointer?, _ out: UnsafeMutablePointer<OpaquePointer?>?, _ error: UnsafeMutablePointer<pare_error>?
) -> Int32 {
    border(error) {
        _ = try Handle.get(context, ContextBox.self, "context")
        guard let out else { throw PareError(.argument, "out is NULL") }
        out.pointee = Handle.make(ModelBox(AnalysedModel(Model.inMemory())))
    }
}

@_cdecl("pare_model_add") @implementation
public func pare_model_add(
    _ model: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ value: UnsafePointer<pare_tensor>?, _ role: Int32,
    _ error: UnsafeMutablePointer<pare_error>?
) -> Int32 {
    border(error) {
        let box = try modelBox(model)
        guard let role = ParameterRole(rawValue: role) else {
            throw PareError(.argument, "unknown role", found: "\(role)", expected: "0 … 9")
        }
        try box.model.add(name: string(name, "name"), view: TensorView(value, "value"), role: role)
        box.reanalyse()
    }
}

@_cdecl("pare_model_destroy") @implementation
public func pare_model_destroy(_ model: OpaquePointer?) { Handle.destroy(model, ModelBox.self) }

@_cdecl("pare_model_format") @implementation
public func pare_model_format(_ model: OpaquePointer?) -> Int32 {
    Handle.peek(model, ModelBox.self)?.model.format.rawValue ?? 0
}

@_cdecl("pare_parameter_count") @implementation
public func pare_parameter_count(_ model: OpaquePointer?) -> UInt32 {
    UInt32(clamping: Handle.peek(model, ModelBox.self)?.model.parameters.count ?? 0)
}

@_cdecl("pare_parameter_at") @implementation
public func pare_parameter_at(
    _ model: OpaquePointer?, _ index: UInt32, _ out: UnsafeMutablePointer<pare_parameter_info>?,
    _ error: UnsafeMutablePointer<pare_error>?
) -> Int32 {
    border(error) {
        let box = try modelBox(model)
        let parameter = try box.parameter(index)
        var info = pare_parameter_info()
        info.role = parameter.role.rawValue
        info.name = box.strings.pointer(parameter.name)
        info.dtype = pare_dtype(code: parameter.dtype.code, bits: parameter.dtype.bits, lanes: 1)
        info.ndim = Int32(clamping: parameter.shape.count)
        info.shape = box.shape(parameter.shape.map(Int64.init))
        info.elements = Int64(parameter.count)
        info.bytes = Int64(parameter.count * parameter.dtype.size)
        info.readers = UInt32(clamping: box.analysed.readers(of: Int(index)))
        info.prunable = parameter.prunable ? 1 : 0
        info.masked = parameter.mask == nil ? 0 : 1
        info.reason = box.strings.pointer(parameter.prunable ? "" : parameter.reason)
        try deliver(growing: info, to: out, required: MemoryLayout<pare_parameter_info>.size)
    }
}

@_cdecl("pare_parameter_find") @implementation
public func pare_parameter_find(
    _ model: OpaquePointer?, _ name: UnsafePointer<CChar>?, _ index: UnsafeMutablePointer<UInt32>?,
    _ error: UnsafeMutablePointer<pare_error>?
) -> Int32 {
    border(error) {
        let box = try modelBox(model)
        let wanted = try string(name, "name")
        guard let found = box.model.parameters.firstIndex(where: { $0.name == wanted }) else {
            let near = nearest(to: wanted, in: box.model.parameters.map(\.name))
            throw PareError(
                .notFound, "there is no parameter \"\(wanted)\"", at: box.model.path, found: "\"\(wanted)\"",
                hint: near.map { "did you mean \"\($0)\"?" } ?? "")
        }
        try deliver(UInt32(found), to: index, "index")
    }
}

@_cdecl("pare_parameter_view") @implementation
public func pare_parameter_view(
    _ model: OpaquePointer?, _ index: UInt32, _ out: UnsafeMutablePointer<pare_tensor>?,
    _ error: UnsafeMutablePointer<pare_error>?
) -> Int32 {
    border(error) { try deliver(modelBox(model).view(index), to: out, "out") }
}

@_cdecl("pare_parameter_set") @implementation
public func pare_parameter_set(
    _ model: OpaquePointer?, _ index: UInt32, _ value: UnsafePointer<pare_tensor>?,
    _ error: UnsafeMutablePointer<pare_error>?
) -> Int32 {
    border(error) {
        let box = try modelBox(model)
        try box.parameter(index).setValues(TensorView(value, "value"))
        box.dropView(index)
    }
}

@_cdecl("pare_model_metadata_key") @implementation
public func pare_model_metadata_key(_ model: OpaquePointer?, _ index: UInt32) -> UnsafePointer<CChar>? {
    guard let box = Handle.peek(model, ModelBox.self), index < box.model.metadata.count else { return nil }
    return box.strings.pointer(box.model.metadata[Int(index)].key)
}

@_cdecl("pare_model_metadata_value") @implementation
public func pare_model_metadata_value(_ model: OpaquePointer?, _ index: UInt32) -> UnsafePointer<CChar>? {
    guard let box = Handle.peek(model, ModelBox.self), index < box.model.metadata.count else { return nil }
    return box.strings.pointer(box.model.metadata[Int(index)].value)
}

@_cdecl("pare_model_save") @implementation
public func pare_model_save(
    _ model: OpaquePointer?, _ path: UnsafePointer<CChar>?, _ options: UnsafePointer<pare_save_options>?,
    _ run: UnsafePointer<pare_run>?, _ error: UnsafeMutablePointer<pare_error>?
) -> Int32 {
    border(error) {
        let box = try modelBox(model)
        let raw = try options.map {
            try readGrowing(
                $0, "options", required: MemoryLayout<pare_save_options>.size, zero: pare_save_options(), fault: .argument)
        }
        var format: ModelFormat?
        if let number = raw?.format, number != 0 {
            guard let known = ModelFormat(rawValue: number) else {
                throw PareError(.argument, "unknown format", found: "\(number)", expected: "0 … 5")
            }
            format = known
        }
        try box.analysed.save(
            to: string(path, "path"), format: format, overwrite: (raw?.overwrite ?? 0) != 0,
            provenance: (raw?.no_provenance ?? 0) == 0, progress: progress(run))
    }
}
