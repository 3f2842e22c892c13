import CKernels

/// Elements by row-major position, converted, from any dtype and any strides. Contiguous views and runs along the
/// innermost axis go at memory speed; nothing is allocated for them.
extension TensorView {
    /// Elements `first ..< first + count` as float32. `out` holds `count` floats.
    /// - Throws: `.argument` for a range outside the view, `.shape` for a malformed one.
    public func readFloat32(from first: Int, count: Int, into out: UnsafeMutablePointer<Float>) throws {
        try read(first, count, out) { ck_to_f32($0, $1, $2, $3, $4) }
    }

    /// Absolute values of elements `first ..< first + count` as float32.
    public func readAbsFloat32(from first: Int, count: Int, into out: UnsafeMutablePointer<Float>) throws {
        try read(first, count, out) { ck_abs_f32($0, $1, $2, $3, $4) }
    }

    /// Elements `first ..< first + count` as float64.
    public func readFloat64(from first: Int, count: Int, into out: UnsafeMutablePointer<Double>) throws {
        try read(first, count, out) { ck_to_f64($0, $1, $2, $3, $4) }
    }

    /// All elements in row-major order, as they are. `out` holds `count * dtype.size` bytes.
    public func copyContiguous(into out: UnsafeMutableRawPointer) throws {
        try validate()
        let size = dtype.size
        var target = out
        merged.forEachRun(first: 0, count: count) { offset, step, run in
            guard let source = address(offset) else { return }
            if step == 1 {
                target.copyMemory(from: source, byteCount: run * size)
            } else {
                for i in 0..<run { (target + i * size).copyMemory(from: source + i &* step &* size, byteCount: size) }
            }
            target += run * size
        }
    }

    private typealias Convert<T> = (Int32, UnsafeRawPointer, Int, Int, UnsafeMutablePointer<T>) -> Void

    @inline(__always)
    private func read<T>(_ first: Int, _ count: Int, _ out: UnsafeMutablePointer<T>, _ convert: Convert<T>) throws {
        try checkRange(first, count)
        if isContiguous {
            if count > 0, let source = address(first) { convert(Int32(dtype.rawValue), source, 1, count, out) }
            return
        }
        var target = out
        merged.forEachRun(first: first, count: count) { offset, step, run in
            guard let source = address(offset) else { return }
            convert(Int32(dtype.rawValue), source, step, run, target)
            target += run
        }
    }
}

/// Storing back, with the dtype's rounding: nearest even to 16-bit floats and integers, saturating for integers.
extension TensorView {
    /// Stores `count` floats at row-major positions `first ..< first + count`.
    public func writeFloat32(from source: UnsafePointer<Float>, first: Int, count: Int) throws {
        try write(first, count, source) { ck_from_f32($0, $1, $2, $3, $4) }
    }

    /// Stores `count` doubles; 16-bit floats are rounded once, not twice.
    public func writeFloat64(from source: UnsafePointer<Double>, first: Int, count: Int) throws {
        try write(first, count, source) { ck_from_f64($0, $1, $2, $3, $4) }
    }

    private func write<T>(
        _ first: Int, _ count: Int, _ source: UnsafePointer<T>,
        _ convert: (Int32, UnsafePointer<T>, Int, UnsafeMutableRawPointer, Int) -> Void
    ) throws {
        try checkRange(first, count)
        var next = source
        merged.forEachRun(first: first, count: count) { offset, step, run in
            guard let target = address(offset) else { return }
            convert(Int32(dtype.rawValue), next, run, target, step)
            next += run
        }
    }
}

/// Scans at memory speed.
extension TensorView {
    /// Row-major position of the first NaN or infinity; nil if all elements are finite (always for integers).
    public func firstNonfinite() throws -> Int? {
        try validate()
        guard dtype.isFloat else { return nil }
        return scan { ck_first_nonfinite(Int32(dtype.rawValue), $0, $1) }
    }

    /// Number of elements equal to zero; −0.0 counts.
    public func countZeros() throws -> Int {
        try validate()
        var zeros = 0
        _ = scan { address, count in
            zeros += ck_count_zeros(Int32(dtype.rawValue), address, count)
            return count
        }
        return zeros
    }

    /// Hands all elements over in contiguous pieces until one answers less than its length; that position, or nil.
    private func scan(_ body: (UnsafeRawPointer, Int) -> Int) -> Int? {
        let size = dtype.size
        let piece = 4096
        return withUnsafeTemporaryAllocation(byteCount: piece * size, alignment: 16) { scratch in
            var found: Int?
            var position = 0
            merged.forEachRun(first: 0, count: count) { offset, step, run in
                guard found == nil, let source = address(offset), let copy = scratch.baseAddress else { return }
                var done = 0
                while done < run, found == nil {
                    let now = step == 1 ? run : min(piece, run - done)
                    var address = UnsafeRawPointer(source)
                    if step != 1 {
                        for i in 0..<now {
                            (copy + i * size).copyMemory(from: source + (done + i) &* step &* size, byteCount: size)
                        }
                        address = UnsafeRawPointer(copy)
                    }
                    let hit = body(address, now)
                    if hit < now { found = position + done + hit }
                    done += now
                }
                position += run
            }
            return found
        }
    }
}
