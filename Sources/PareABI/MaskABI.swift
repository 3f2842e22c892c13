import CPare
import PareHost
import PareMask
import PareTensor

/// What a `pare_mask *` is.
final class MaskBox {
    var mask: Mask

    init(_ mask: Mask) { self.mask = mask }
}

private func maskBox(_ pointer: OpaquePointer?, _ name: String = "mask") throws -> MaskBox {
    try Handle.get(pointer, MaskBox.self, name)
}

private func make(_ mask: Mask, _ out: UnsafeMutablePointer<OpaquePointer?>?) throws {
    guard let out else { throw PareError(.argument, "out is NULL") }
    out.pointee = Handle.make(MaskBox(mask))
}

private func shape(_ sizes: UnsafePointer<Int64>?, _ ndim: Int32) throws -> [Int] {
    guard ndim >= 0, ndim <= PARE_MAX_NDIM else {
        throw PareError(.argument, "ndim is out of range", found: "\(ndim)", expected: "0 … \(PARE_MAX_NDIM)")
    }
    guard ndim == 0 || sizes != nil else { throw PareError(.argument, "shape is NULL") }
    let shape = (0..<Int(ndim)).map { Int(sizes?[$0] ?? 0) }
    guard checkedCount(shape, elementSize: 8) != nil else {
        throw PareError(.shape, "the shape has a negative or an overflowing size", found: "\(shape)")
    }
    return shape
}

/// A free-standing array divided by a pattern: rows first.
private func grid(_ shape: [Int], _ pattern: UnsafePointer<pare_pattern>?) throws -> UnitGrid {
    try UnitGrid(shape: shape, layout: .outFirst, pattern: Pattern(pattern))
}

@_cdecl("pare_mask_create") @implementation
public func pare_mask_create(
    _ sizes: UnsafePointer<Int64>?, _ ndim: Int32, _ out: UnsafeMutablePointer<OpaquePointer?>?,
    _ error: UnsafeMutablePointer<pare_error>?
) -> Int32 {
    border(error) { try make(Mask(shape: shape(sizes, ndim)), out) }
}

@_cdecl("pare_mask_from") @implementation
public func pare_mask_from(
    _ bytes: UnsafePointer<pare_tensor>?, _ out: UnsafeMutablePointer<OpaquePointer?>?,
    _ error: UnsafeMutablePointer<pare_error>?
) -> Int32 {
    border(error) { try make(Mask(bytes: TensorView(bytes, "bytes")), out) }
}

@_cdecl("pare_mask_copy") @implementation
public func pare_mask_copy(
    _ mask: OpaquePointer?, _ out: UnsafeMutablePointer<OpaquePointer?>?, _ error: UnsafeMutablePointer<pare_error>?
) -> Int32 {
    border(error) { try make(Mask(copying: maskBox(mask).mask), out) }
}

@_cdecl("pare_mask_destroy") @implementation
public func pare_mask_destroy(_ mask: OpaquePointer?) { Handle.destroy(mask, MaskBox.self) }

@_cdecl("pare_mask_ndim") @implementation
public func pare_mask_ndim(_ mask: OpaquePointer?) -> Int32 { Int32(Handle.peek(mask, MaskBox.self)?.mask.shape.count ?? 0) }

@_cdecl("pare_mask_dimension") @implementation
public func pare_mask_dimension(_ mask: OpaquePointer?, _ axis: Int32) -> Int64 {
    guard let shape = Handle.peek(mask, MaskBox.self)?.mask.shape, shape.indices.contains(Int(axis)) else { return -1 }
    return Int64(shape[Int(axis)])
}

@_cdecl("pare_mask_elements") @implementation
public func pare_mask_elements(_ mask: OpaquePointer?) -> Int64 { Int64(Handle.peek(mask, MaskBox.self)?.mask.count ?? 0) }

@_cdecl("pare_mask_kept") @implementation
public func pare_mask_kept(_ mask: OpaquePointer?) -> Int64 { Int64(Handle.peek(mask, MaskBox.self)?.mask.kept ?? 0) }

@_cdecl("pare_mask_read") @implementation
public func pare_mask_read(
    _ mask: OpaquePointer?, _ out: UnsafeMutablePointer<pare_tensor>?, _ error: UnsafeMutablePointer<pare_error>?
) -> Int32 {
    border(error) { try maskBox(mask).mask.write(bytes: TensorView(out, "out")) }
}

@_cdecl("pare_mask_combine") @implementation
public func pare_mask_combine(
    _ target: OpaquePointer?, _ other: OpaquePointer?, _ operation: Int32, _ error: UnsafeMutablePointer<pare_error>?
) -> Int32 {
    border(error) {
        let (a, b) = (try maskBox(target, "target").mask, try maskBox(other, "other").mask)
        switch operation {
        case PARE_MASK_AND: try a.formAnd(b)
        case PARE_MASK_OR: try a.formOr(b)
        case PARE_MASK_XOR: try a.formXor(b)
        case PARE_MASK_WITHOUT: try a.subtract(b)
        default: throw PareError(.argument, "unknown mask operation", found: "\(operation)", expected: "1 … 4")
        }
    }
}

@_cdecl("pare_mask_invert") @implementation
public func pare_mask_invert(_ target: OpaquePointer?, _ error: UnsafeMutablePointer<pare_error>?) -> Int32 {
    border(error) { try maskBox(target, "target").mask.invert() }
}

@_cdecl("pare_mask_complies") @implementation
public func pare_mask_complies(
    _ mask: OpaquePointer?, _ pattern: UnsafePointer<pare_pattern>?, _ out: UnsafeMutablePointer<Int32>?,
    _ violations: UnsafeMutablePointer<Int64>?, _ error: UnsafeMutablePointer<pare_error>?
) -> Int32 {
    border(error) {
        let mask = try maskBox(mask).mask
        let count = try grid(mask.shape, pattern).violations(in: mask)
        try deliver(count == 0 ? 1 : 0, to: out, "out")
        violations?.pointee = Int64(count)
    }
}

@_cdecl("pare_mask_coarsen") @implementation
public func pare_mask_coarsen(
    _ mask: OpaquePointer?, _ pattern: UnsafePointer<pare_pattern>?, _ keepAny: Int32,
    _ out: UnsafeMutablePointer<OpaquePointer?>?, _ error: UnsafeMutablePointer<pare_error>?
) -> Int32 {
    border(error) {
        let mask = try maskBox(mask).mask
        try make(grid(mask.shape, pattern).coarsen(mask, keepAny: keepAny != 0), out)
    }
}

@_cdecl("pare_mask_select") @implementation
public func pare_mask_select(
    _ scores: UnsafePointer<pare_tensor>?, _ sizes: UnsafePointer<Int64>?, _ ndim: Int32,
    _ pattern: UnsafePointer<pare_pattern>?, _ sparsity: Double, _ out: UnsafeMutablePointer<OpaquePointer?>?,
    _ error: UnsafeMutablePointer<pare_error>?
) -> Int32 {
    border(error) {
        let scores = try TensorView(scores, "scores")
        try make(selectUnits(scores, grid(shape(sizes, ndim), pattern), sparsity: sparsity), out)
    }
}

@_cdecl("pare_select") @implementation
public func pare_select(
    _ context: OpaquePointer?, _ criterion: UnsafePointer<CChar>?, _ options: UnsafePointer<UnsafePointer<CChar>?>?,
    _ weight: UnsafePointer<pare_tensor>?, _ pattern: UnsafePointer<pare_pattern>?, _ sparsity: Double,
    _ out: UnsafeMutablePointer<OpaquePointer?>?, _ run: UnsafePointer<pare_run>?,
    _ error: UnsafeMutablePointer<pare_error>?
) -> Int32 {
    border(error) {
        let context = try Handle.get(context, ContextBox.self, "context").context
        try make(
            context.select(
                criterion: string(criterion, "criterion"), options: settings(options),
                weight: TensorView(weight, "weight"), pattern: Pattern(pattern), sparsity: sparsity,
                progress: progress(run)), out)
    }
}

@_cdecl("pare_model_get_mask") @implementation
public func pare_model_get_mask(
    _ model: OpaquePointer?, _ parameter: UInt32, _ out: UnsafeMutablePointer<OpaquePointer?>?,
    _ error: UnsafeMutablePointer<pare_error>?
) -> Int32 {
    border(error) {
        let found = try modelBox(model).parameter(parameter)
        guard let mask = found.mask else { throw PareError(.notFound, "the parameter has no mask", at: found.name) }
        try make(Mask(copying: mask), out)
    }
}

@_cdecl("pare_model_set_mask") @implementation
public func pare_model_set_mask(
    _ model: OpaquePointer?, _ parameter: UInt32, _ mask: OpaquePointer?, _ error: UnsafeMutablePointer<pare_error>?
) -> Int32 {
    border(error) {
        let box = try modelBox(model)
        _ = try box.parameter(parameter)
        try box.analysed.setMask(Mask(copying: maskBox(mask).mask), of: Int(parameter))
        box.dropView(parameter)
    }
}

@_cdecl("pare_model_clear_mask") @implementation
public func pare_model_clear_mask(
    _ model: OpaquePointer?, _ parameter: UInt32, _ error: UnsafeMutablePointer<pare_error>?
) -> Int32 {
    border(error) {
        let box = try modelBox(model)
        try box.parameter(parameter).mask = nil
        box.dropView(parameter)
    }
}

@_cdecl("pare_model_save_masks") @implementation
public func pare_model_save_masks(
    _ model: OpaquePointer?, _ path: UnsafePointer<CChar>?, _ overwrite: Int32, _ error: UnsafeMutablePointer<pare_error>?
) -> Int32 {
    border(error) { try modelBox(model).analysed.saveMasks(to: string(path, "path"), overwrite: overwrite != 0) }
}

@_cdecl("pare_model_load_masks") @implementation
public func pare_model_load_masks(
    _ model: OpaquePointer?, _ path: UnsafePointer<CChar>?, _ error: UnsafeMutablePointer<pare_error>?
) -> Int32 {
    border(error) { try modelBox(model).analysed.loadMasks(from: string(path, "path")) }
}
