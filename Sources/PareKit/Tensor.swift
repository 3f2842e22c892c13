import CPare

/// A checked, read-only view of an array that the host lends for one call.
///
/// Element access goes through `host.vector`, which knows every dtype and stride.
public struct Tensor {
    let pointer: UnsafePointer<pare_tensor>
    public let shape: [Int]
    /// Counted in elements; 0 repeats, negative runs backwards.
    public let strides: [Int]
    /// Product of the shape, 1 for a scalar.
    public let count: Int

    public var ndim: Int { shape.count }
    public var dtype: pare_dtype { pointer.pointee.dtype }
    /// Bytes of one element as stored.
    public var elementSize: Int { Int(dtype.bits) / 8 }
    public var isFloat64: Bool { dtype.code == UInt8(PARE_TYPE_FLOAT) && dtype.bits == 64 }

    /// Checks everything that the header promises; `name` is for the message.
    init(_ pointer: UnsafePointer<pare_tensor>?, _ name: String) throws {
        guard let pointer else { throw PluginError(PARE_E_ARGUMENT, "the host passed no tensor", at: name) }
        let view = pointer.pointee
        func fault(_ what: String, found: String, expected: String) -> PluginError {
            PluginError(PARE_E_ARGUMENT, "malformed tensor: \(what)", at: name, found: found, expected: expected)
        }
        guard (0...Int32(PARE_MAX_NDIM)).contains(view.ndim) else {
            throw fault("ndim", found: "\(view.ndim)", expected: "0 … \(PARE_MAX_NDIM)")
        }
        guard view.device.type == 1 else {
            throw fault("device", found: "\(view.device.type)", expected: "1 (CPU)")
        }
        guard view.dtype.lanes == 1, view.dtype.bits >= 8, view.dtype.bits % 8 == 0 else {
            throw fault("dtype", found: "\(view.dtype)", expected: "one lane of whole bytes")
        }
        let ndim = Int(view.ndim)
        guard ndim == 0 || (view.shape != nil && view.strides != nil) else {
            throw fault("shape or strides", found: "NULL", expected: "\(ndim) numbers each")
        }
        shape = (0..<ndim).map { Int(view.shape[$0]) }
        strides = (0..<ndim).map { Int(view.strides[$0]) }
        guard let count = elementCount(shape) else {
            throw fault("shape", found: "\(shape)", expected: "sizes ≥ 0 whose product fits")
        }
        guard count == 0 || view.data != nil else { throw fault("data", found: "NULL", expected: "an address") }
        self.count = count
        self.pointer = pointer
    }

    /// The same memory seen with another shape and strides, for as long as `body` runs.
    ///
    /// The caller answers for staying inside the array; ndim ≤ `PARE_MAX_NDIM`.
    public func withView<Result>(
        shape: [Int], strides: [Int], _ body: (Tensor) throws -> Result
    ) throws -> Result {
        var sizes = shape.map(Int64.init)
        var steps = strides.map(Int64.init)
        guard sizes.count == steps.count else {
            throw PluginError(PARE_E_SHAPE, "as many strides as sizes are needed", found: "\(strides.count)")
        }
        return try sizes.withUnsafeMutableBufferPointer { sizes in
            try steps.withUnsafeMutableBufferPointer { steps in
                var view = pointer.pointee
                view.ndim = Int32(clamping: sizes.count)
                view.shape = sizes.baseAddress
                view.strides = steps.baseAddress
                return try withUnsafePointer(to: view) { try body(Tensor($0, "view")) }
            }
        }
    }

    /// The first element of each unit: what is left of `unitAxes` leading axes when all others are fixed at 0.
    public func withFirstOfUnits<Result>(_ unitAxes: Int, _ body: (Tensor) throws -> Result) throws -> Result {
        try withView(shape: Array(shape.prefix(unitAxes)), strides: Array(strides.prefix(unitAxes)), body)
    }

    /// Row-major without gaps; axes of size 1 may have any stride.
    public var isContiguous: Bool {
        var expected = 1
        for (size, stride) in zip(shape, strides).reversed() where size != 1 {
            if stride != expected { return count == 0 }
            expected = expected &* size
        }
        return true
    }
}

/// A checked view that the plugin fills: scores, gradients, masks, coefficients.
public struct OutputTensor {
    public let view: Tensor
    public var shape: [Int] { view.shape }
    public var count: Int { view.count }

    init(_ pointer: UnsafePointer<pare_tensor>?, _ name: String) throws { view = try Tensor(pointer, name) }

    /// The elements of a contiguous float32 array in row-major order.
    public func float32() throws -> UnsafeMutableBufferPointer<Float> {
        try elements(UInt8(PARE_TYPE_FLOAT), 32, as: Float.self, "float32")
    }

    public func float64() throws -> UnsafeMutableBufferPointer<Double> {
        try elements(UInt8(PARE_TYPE_FLOAT), 64, as: Double.self, "float64")
    }

    /// A mask: 1 = keep.
    public func bool() throws -> UnsafeMutableBufferPointer<UInt8> {
        try elements(UInt8(PARE_TYPE_BOOL), 8, as: UInt8.self, "bool")
    }

    private func elements<T>(
        _ code: UInt8, _ bits: UInt8, as type: T.Type, _ name: String
    ) throws -> UnsafeMutableBufferPointer<T> {
        let dtype = view.dtype
        guard dtype.code == code, dtype.bits == bits, view.isContiguous else {
            throw PluginError(
                PARE_E_DTYPE, "output array of another kind", found: "type code \(dtype.code), \(dtype.bits) bits",
                expected: "\(name), contiguous")
        }
        guard view.count > 0, let data = view.pointer.pointee.data else { return .init(start: nil, count: 0) }
        let address = UInt(bitPattern: data) &+ UInt(view.pointer.pointee.byte_offset)
        guard address % UInt(MemoryLayout<T>.alignment) == 0, let start = UnsafeMutablePointer<T>(bitPattern: address)
        else {
            throw PluginError(PARE_E_ARGUMENT, "output array is not aligned", expected: "\(name)")
        }
        return .init(start: start, count: view.count)
    }
}

/// Product of sizes from outside; nil if one is negative or the product overflows.
func elementCount(_ shape: some Sequence<Int>) -> Int? {
    var count = 1
    for size in shape {
        guard size >= 0 else { return nil }
        let (product, overflow) = count.multipliedReportingOverflow(by: size)
        if overflow { return nil }
        count = product
    }
    return count
}
