import CPare

/// What is done with the elements of a unit (`PARE_REDUCE_…`).
public enum Reduction: Sendable {
    /// Σ|x|
    case l1
    /// √Σx²
    case l2
    /// max|x|, 0 for none
    case max
    case sum
    /// Σx²
    case squares

    var code: Int32 {
        switch self {
        case .l1: PARE_REDUCE_L1
        case .l2: PARE_REDUCE_L2
        case .max: PARE_REDUCE_MAX
        case .sum: PARE_REDUCE_SUM
        case .squares: PARE_REDUCE_SQUARES
        }
    }
}

/// Reading any dtype and any strides at memory speed.
public struct VectorService {
    let host: Host

    private func table() throws -> pare_vector_service {
        try host.service(PARE_SERVICE_VECTOR, through: \.argsort_f32, \.struct_size)
    }

    /// Elements first … first + out.count - 1 in row-major order, as float32.
    public func readFloat32(_ tensor: Tensor, first: Int = 0, into out: UnsafeMutableBufferPointer<Float>) throws {
        let read = try require(try table().read_f32, "read_f32")
        try asking("reading") { read(host.pointer, tensor.pointer, Int64(first), Int64(out.count), out.baseAddress, $0) }
    }

    public func readFloat64(_ tensor: Tensor, first: Int = 0, into out: UnsafeMutableBufferPointer<Double>) throws {
        let read = try require(try table().read_f64, "read_f64")
        try asking("reading") { read(host.pointer, tensor.pointer, Int64(first), Int64(out.count), out.baseAddress, $0) }
    }

    /// |x| of the same elements: the hot path of magnitude.
    public func readAbsFloat32(_ tensor: Tensor, first: Int = 0, into out: UnsafeMutableBufferPointer<Float>) throws {
        let read = try require(try table().read_abs_f32, "read_abs_f32")
        try asking("reading") { read(host.pointer, tensor.pointer, Int64(first), Int64(out.count), out.baseAddress, $0) }
    }

    /// Reduce the trailing axes of each unit, accumulated in float64. `out` holds one number per unit.
    public func reduce(
        _ tensor: Tensor, unitAxes: Int, _ reduction: Reduction, into out: UnsafeMutableBufferPointer<Float>
    ) throws {
        guard (0...tensor.ndim).contains(unitAxes), elementCount(tensor.shape.prefix(unitAxes)) == out.count else {
            throw PluginError(PARE_E_SHAPE, "one number per unit is needed", found: "\(out.count)")
        }
        let reduce = try require(try table().reduce_f32, "reduce_f32")
        try asking("reducing") {
            reduce(host.pointer, tensor.pointer, Int32(unitAxes), reduction.code, out.baseAddress, $0)
        }
    }

    /// Order of indices by ascending key, ties by index.
    public func argsort(_ keys: UnsafeMutableBufferPointer<Float>, into out: UnsafeMutableBufferPointer<Int64>) throws {
        guard keys.count == out.count else {
            throw PluginError(PARE_E_SHAPE, "as many indices as keys are needed", found: "\(out.count)")
        }
        let argsort = try require(try table().argsort_f32, "argsort_f32")
        try asking("sorting") { argsort(host.pointer, keys.baseAddress, Int64(keys.count), out.baseAddress, $0) }
    }

    /// Elements that are not zero; NaN counts as not zero. Reads in blocks of 256 KiB.
    public func countNonzero(_ tensor: Tensor) throws -> Int {
        if tensor.isFloat64 {
            return try countNonzero(tensor, as: Double.self) { try readFloat64(tensor, first: $0, into: $1) }
        }
        return try countNonzero(tensor, as: Float.self) { try readFloat32(tensor, first: $0, into: $1) }
    }

    private func countNonzero<Scalar: BinaryFloatingPoint>(
        _ tensor: Tensor, as type: Scalar.Type,
        _ read: (_ first: Int, _ out: UnsafeMutableBufferPointer<Scalar>) throws -> Void
    ) throws -> Int {
        let block = Swift.min(tensor.count, 1 << 16)
        return try host.memory.withScratch(of: type, count: block) { buffer in
            var nonzero = 0
            for first in stride(from: 0, to: tensor.count, by: Swift.max(block, 1)) {
                let part = UnsafeMutableBufferPointer(rebasing: buffer[..<Swift.min(block, tensor.count - first)])
                try read(first, part)
                for value in part where value != 0 { nonzero &+= 1 }
            }
            return nonzero
        }
    }
}
