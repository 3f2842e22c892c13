import CPare
import PareTensor

extension TensorView {
    /// A checked view of what came over the border. Throws `.argument`, `.dtype` or `.shape`; never reads the data.
    public init(_ tensor: UnsafePointer<pare_tensor>?, _ name: String) throws {
        guard let tensor else { throw PareError(.argument, "\(name) is NULL") }
        let raw = tensor.pointee
        guard raw.device.type == 1 else {
            throw PareError(.argument, "\(name) is not in CPU memory", found: "device type \(raw.device.type)", expected: "1")
        }
        guard raw.ndim >= 0, raw.ndim <= PARE_MAX_NDIM else {
            throw PareError(.shape, "\(name) has an unusable rank", found: "\(raw.ndim)", expected: "0 … \(PARE_MAX_NDIM)")
        }
        guard let dtype = DType(code: raw.dtype.code, bits: raw.dtype.bits, lanes: raw.dtype.lanes) else {
            throw PareError(
                .dtype, "\(name) has an unknown element type",
                found: "code \(raw.dtype.code), \(raw.dtype.bits) bits, \(raw.dtype.lanes) lanes",
                expected: "f16 f32 f64 bf16 i8 i16 i32 i64 u8 bool")
        }
        let rank = Int(raw.ndim)
        guard rank == 0 || (raw.shape != nil && raw.strides != nil) else {
            throw PareError(.argument, "\(name) has no shape or no strides", expected: "\(rank) of each")
        }
        let shape = (0..<rank).map { Int(raw.shape[$0]) }
        let strides = (0..<rank).map { Int(raw.strides[$0]) }
        guard let count = checkedCount(shape, elementSize: dtype.size) else {
            throw PareError(.shape, "\(name) has a negative or an overflowing size", found: "\(shape)")
        }
        guard count == 0 || raw.data != nil else { throw PareError(.argument, "\(name) has no data", found: "NULL for \(count) elements") }
        guard count == 0 || TensorView.spanFits(shape, strides, dtype.size, raw.byte_offset) else {
            throw PareError(.shape, "\(name) reaches beyond the address space", found: "shape \(shape), strides \(strides)")
        }
        let base = raw.data.map { $0 + (count == 0 ? 0 : Int(raw.byte_offset)) }
        self.init(base: base, dtype: dtype, shape: shape, strides: strides)
    }

    /// True if every element's offset is computable without overflow.
    private static func spanFits(_ shape: [Int], _ strides: [Int], _ size: Int, _ byteOffset: UInt64) -> Bool {
        guard byteOffset <= UInt64(Int.max / 4) else { return false }
        var reach = 0
        for (extent, stride) in zip(shape, strides) where extent > 1 {
            let (product, a) = (extent - 1).multipliedReportingOverflow(by: stride)
            guard !a, product != Int.min else { return false }
            let (sum, b) = reach.addingReportingOverflow(abs(product))
            guard !b else { return false }
            reach = sum
        }
        return !reach.multipliedReportingOverflow(by: size).overflow && reach < Int.max / 16
    }
}

/// C memory for one tensor view: shape and strides live as long as this object, the data does not belong to it.
public final class BorderTensor {
    public let pointer: UnsafeMutablePointer<pare_tensor>
    private let sizes: UnsafeMutablePointer<Int64>
    private let capacity: Int

    public init(_ view: TensorView) {
        capacity = max(view.shape.count, 1)
        sizes = .allocate(capacity: 2 * capacity)
        sizes.initialize(repeating: 0, count: 2 * capacity)
        pointer = .allocate(capacity: 1)
        pointer.initialize(to: pare_tensor())
        set(view)
    }

    /// Shows another view of at most the same rank through the same C struct.
    public func set(_ view: TensorView) {
        let rank = min(view.shape.count, capacity)
        for axis in 0..<rank {
            sizes[axis] = Int64(view.shape[axis])
            sizes[capacity + axis] = Int64(view.strides[axis])
        }
        pointer.pointee = pare_tensor(
            data: view.base, device: pare_device(type: 1, id: 0), ndim: Int32(rank),
            dtype: pare_dtype(code: view.dtype.code, bits: view.dtype.bits, lanes: 1), shape: sizes,
            strides: sizes + capacity, byte_offset: 0)
    }

    deinit {
        pointer.deallocate()
        sizes.deallocate()
    }
}
