import CPare
import PareTensor

extension ServiceTables {
    /// Reading and reducing tensors for plugins.
    static var vector: pare_vector_service {
        var table = pare_vector_service()
        table.struct_size = UInt32(MemoryLayout<pare_vector_service>.size)
        table.element_count = { tensor in
            guard let view = try? TensorView(tensor, "tensor") else { return -1 }
            return Int64(view.count)
        }
        table.read_f32 = { _, tensor, first, count, out, error in
            border(error) {
                guard let (view, first, count, out) = try ServiceTables.range(tensor, first, count, out) else { return }
                try view.readFloat32(from: first, count: count, into: out)
            }
        }
        table.read_f64 = { _, tensor, first, count, out, error in
            border(error) {
                guard let (view, first, count, out) = try ServiceTables.range(tensor, first, count, out) else { return }
                try view.readFloat64(from: first, count: count, into: out)
            }
        }
        table.read_abs_f32 = { _, tensor, first, count, out, error in
            border(error) {
                guard let (view, first, count, out) = try ServiceTables.range(tensor, first, count, out) else { return }
                try view.readAbsFloat32(from: first, count: count, into: out)
            }
        }
        table.reduce_f32 = { host, tensor, unitAxes, reduction, out, error in
            border(error) {
                let view = try TensorView(tensor, "tensor")
                guard unitAxes >= 0, Int(unitAxes) <= view.shape.count else {
                    throw PareError(.argument, "unit_ndim is out of range", found: "\(unitAxes)", expected: "0 … \(view.shape.count)")
                }
                guard let kind = Reduction(rawValue: reduction) else {
                    throw PareError(.argument, "unknown reduction", found: "\(reduction)", expected: "1 … 5")
                }
                guard view.shape.prefix(Int(unitAxes)).reduce(1, &*) > 0 else { return }
                guard let out else { throw PareError(.argument, "out is NULL") }
                let threads = ServiceTables.context(host)?.threads ?? Threads(count: 1)
                try view.reduce(unitAxes: Int(unitAxes), kind, into: out, threads: threads)
            }
        }
        table.argsort_f32 = { _, keys, count, out, error in
            border(error) {
                guard count >= 0 else { throw PareError(.argument, "count is negative", found: "\(count)") }
                guard count > 0 else { return }
                guard let keys, let out else { throw PareError(.argument, "keys or out is NULL") }
                guard !UnsafeBufferPointer(start: keys, count: Int(count)).contains(where: \.isNaN) else {
                    throw PareError(.nonfinite, "a key is NaN", expected: "keys that can be ordered")
                }
                let order = (0..<Int(count)).sorted { (keys[$0], $0) < (keys[$1], $1) }
                for position in order.indices { out[position] = Int64(order[position]) }
            }
        }
        return table
    }

    /// A checked element range; nil when there is nothing to do.
    private static func range<T>(
        _ tensor: UnsafePointer<pare_tensor>?, _ first: Int64, _ count: Int64, _ out: UnsafeMutablePointer<T>?
    ) throws -> (TensorView, Int, Int, UnsafeMutablePointer<T>)? {
        let view = try TensorView(tensor, "tensor")
        let (end, overflow) = first.addingReportingOverflow(count)
        guard first >= 0, count >= 0, !overflow, end <= Int64(view.count) else {
            throw PareError(
                .argument, "the range lies outside the tensor", found: "\(first) … +\(count)", expected: "within \(view.count) elements")
        }
        guard count > 0 else { return nil }
        guard let out else { throw PareError(.argument, "out is NULL") }
        return (view, Int(first), Int(count), out)
    }
}
