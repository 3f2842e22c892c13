import CKernels

/// How the elements of a unit become one number. Raw values equal the `PARE_REDUCE_*` macros.
public enum Reduction: Int32, Sendable, CaseIterable {
    case l1 = 1
    case l2 = 2
    case max = 3
    case sum = 4
    case squares = 5
}

/// Elements that one task reduces or one chunk reads; a constant, so results do not depend on the number of threads.
private let chunkElements = 1 << 16

extension TensorView {
    /// Reduces the trailing axes of each unit; the leading `unitAxes` axes enumerate the units in row-major order.
    ///
    /// Σ|x|, √Σx², max|x| (0 for none), Σx or Σx², accumulated in float64 in a fixed order. `out` holds one float per
    /// unit. With all axes being unit axes each element is its own unit. Strided units, such as blocks and columns, are
    /// read along whichever axis lies contiguous in memory.
    /// - Throws: `.argument` for `unitAxes` outside 0 … ndim, `.shape` for a malformed view.
    public func reduce(
        unitAxes: Int, _ reduction: Reduction, into out: UnsafeMutablePointer<Float>, threads: Threads
    ) throws {
        try validate()
        guard unitAxes >= 0, unitAxes <= shape.count else {
            throw PareError(
                .argument, "wrong number of unit axes", found: "\(unitAxes)", expected: "0 … \(shape.count)")
        }
        let units = shape[..<unitAxes].reduce(1, &*)
        guard units > 0 else { return }
        guard count > 0 else { return out.update(repeating: 0, count: units) }
        let plan = ReductionPlan(self, unitAxes, reduction)
        if plan.unitElements == 1 {
            try reduceSingles(reduction, units, out, threads)
        } else if plan.isWholeUnits {
            plan.reduceLongUnits(units, out, threads)
        } else {
            plan.reducePanels(units, out, threads)
        }
    }

    private func reduceSingles(
        _ reduction: Reduction, _ units: Int, _ out: UnsafeMutablePointer<Float>, _ threads: Threads
    ) throws {
        try threads.tryParallelFor((units + chunkElements - 1) / chunkElements) { task in
            let first = task * chunkElements
            let part = Swift.min(chunkElements, units - first)
            switch reduction {
            case .l1, .l2, .max: try readAbsFloat32(from: first, count: part, into: out + first)
            case .sum: try readFloat32(from: first, count: part, into: out + first)
            case .squares:
                try readFloat32(from: first, count: part, into: out + first)
                for i in first..<first + part { out[i] = Float(Double(out[i]) * Double(out[i])) }
            }
        }
    }
}

/// One reduction: axes merged within the units and within a unit, and the accumulators' type.
private struct ReductionPlan {
    let view: TensorView
    let reduction: Reduction
    let outer: MergedAxes
    let inner: MergedAxes
    let unitElements: Int
    /// Wider types lose digits in float32, so they are read as float64.
    let isWide: Bool

    init(_ view: TensorView, _ unitAxes: Int, _ reduction: Reduction) {
        self.view = view
        self.reduction = reduction
        outer = MergedAxes(shape: view.shape[..<unitAxes], strides: view.strides[..<unitAxes])
        inner = MergedAxes(shape: view.shape[unitAxes...], strides: view.strides[unitAxes...])
        unitElements = inner.count
        isWide = [.float64, .int32, .int64].contains(view.dtype)
    }

    /// Units whose elements lie in long contiguous runs are read one after another, the rest side by side.
    var isWholeUnits: Bool { inner.strides.last == 1 && (inner.shape.last ?? 0) >= 64 || outer.shape.isEmpty }

    private func finish(_ sum: Double) -> Float { Float(reduction == .l2 ? sum.squareRoot() : sum) }

    private func join(_ a: Double, _ b: Double) -> Double { reduction == .max ? max(a, b) : a + b }

    // MARK: Long units: chunks of one unit, partial sums joined in order.

    func reduceLongUnits(_ units: Int, _ out: UnsafeMutablePointer<Float>, _ threads: Threads) {
        let chunks = (unitElements + chunkElements - 1) / chunkElements
        if chunks == 1 {
            let together = max(1, chunkElements / unitElements)
            threads.parallelFor((units + together - 1) / together) { task in
                withScratch { scratch in
                    for unit in task * together..<min((task + 1) * together, units) {
                        out[unit] = finish(partial(unit, 0, unitElements, scratch))
                    }
                }
            }
            return
        }
        let partials = UnsafeMutablePointer<Double>.allocate(capacity: units * chunks)
        defer { partials.deallocate() }
        threads.parallelFor(units * chunks) { task in
            let first = task % chunks * chunkElements
            withScratch {
                partials[task] = partial(task / chunks, first, min(chunkElements, unitElements - first), $0)
            }
        }
        for unit in 0..<units {
            var sum = 0.0
            for chunk in 0..<chunks { sum = join(sum, partials[unit * chunks + chunk]) }
            out[unit] = finish(sum)
        }
    }

    private func partial(_ unit: Int, _ first: Int, _ count: Int, _ scratch: UnsafeMutableRawPointer) -> Double {
        var sum = 0.0
        let start = outer.offset(of: unit)
        inner.forEachRun(first: first, count: count) { offset, step, run in
            guard let source = view.address(start &+ offset) else { return }
            sum = join(sum, reduceRun(source, step, run, scratch))
        }
        return sum
    }

    private func reduceRun(
        _ source: UnsafeMutableRawPointer, _ step: Int, _ run: Int, _ scratch: UnsafeMutableRawPointer
    ) -> Double {
        let code = Int32(view.dtype.rawValue)
        if isWide {
            let values = scratch.assumingMemoryBound(to: Double.self)
            ck_to_f64(code, source, step, run, values)
            return ck_reduce_f64(reduction.rawValue, values, run)
        }
        let values = scratch.assumingMemoryBound(to: Float.self)
        ck_to_f32(code, source, step, run, values)
        return ck_reduce_f32(reduction.rawValue, values, run)
    }

    private func withScratch(_ body: (UnsafeMutableRawPointer) -> Void) {
        let scratch = UnsafeMutableRawPointer.allocate(
            byteCount: min(unitElements, chunkElements) * (isWide ? 8 : 4), alignment: 64)
        defer { scratch.deallocate() }
        body(scratch)
    }

    // MARK: Short or strided units: panels of units along the last unit axis, a sum for each unit of the panel.

    func reducePanels(_ units: Int, _ out: UnsafeMutablePointer<Float>, _ threads: Threads) {
        let along = outer.shape[outer.shape.count - 1]
        let tile = min(along, 2048)
        let tiles = (along + tile - 1) / tile
        let lines = units / along
        // Several short lines make one task; the grouping has no influence on any unit's sum.
        let together = max(1, chunkElements / max(1, along &* min(unitElements, chunkElements)))
        let groups = (lines + together - 1) / together
        threads.parallelFor(groups * tiles) { task in
            let first = task % tiles * tile
            let width = inner.shape[inner.shape.count - 1]
            let scratch = UnsafeMutableRawPointer.allocate(
                byteCount: tile * min(width, panelWidth) * (isWide ? 8 : 4), alignment: 64)
            let sums = UnsafeMutablePointer<Double>.allocate(capacity: tile)
            defer {
                scratch.deallocate()
                sums.deallocate()
            }
            for line in task / tiles * together..<min((task / tiles + 1) * together, lines) {
                let unit = line * along + first
                reducePanel(unit, min(tile, along - first), sums, scratch)
                for i in 0..<min(tile, along - first) { out[unit + i] = finish(sums[i]) }
            }
        }
    }

    private var panelWidth: Int { 64 }

    private func reducePanel(
        _ unit: Int, _ units: Int, _ sums: UnsafeMutablePointer<Double>, _ scratch: UnsafeMutableRawPointer
    ) {
        sums.update(repeating: 0, count: units)
        let start = outer.offset(of: unit)
        let step = outer.strides[outer.strides.count - 1]
        inner.forEachRun(first: 0, count: unitElements) { offset, stride, run in
            if stride == 1, run == step, run <= panelWidth {
                accumulate(start &+ offset, 1, units * run, width: run, sums, scratch)
            } else if abs(step) < abs(stride) || run == 1 {
                for i in 0..<run { accumulate(start &+ offset &+ i &* stride, step, units, width: 1, sums, scratch) }
            } else {
                for i in 0..<units {
                    let sum = accumulateUnit(start &+ offset &+ i &* step, stride, run, scratch)
                    sums[i] = join(sums[i], sum)
                }
            }
        }
    }

    /// `count` elements from one run, `width` to a unit.
    private func accumulate(
        _ offset: Int, _ step: Int, _ count: Int, width: Int, _ sums: UnsafeMutablePointer<Double>,
        _ scratch: UnsafeMutableRawPointer
    ) {
        guard let source = view.address(offset) else { return }
        let code = Int32(view.dtype.rawValue)
        if isWide {
            let values = scratch.assumingMemoryBound(to: Double.self)
            ck_to_f64(code, source, step, count, values)
            ck_reduce_rows_f64(reduction.rawValue, values, count / width, width, sums)
        } else {
            let values = scratch.assumingMemoryBound(to: Float.self)
            ck_to_f32(code, source, step, count, values)
            ck_reduce_rows_f32(reduction.rawValue, values, count / width, width, sums)
        }
    }

    private func accumulateUnit(
        _ offset: Int, _ stride: Int, _ run: Int, _ scratch: UnsafeMutableRawPointer
    ) -> Double {
        var sum = 0.0
        var done = 0
        while done < run {
            let part = min(panelWidth, run - done)
            guard let source = view.address(offset &+ done &* stride) else { break }
            sum = join(sum, reduceRun(source, stride, part, scratch))
            done += part
        }
        return sum
    }
}
