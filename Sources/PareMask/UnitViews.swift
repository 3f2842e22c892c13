import PareTensor

extension UnitGrid {
    /// The stored weight, or anything of its shape and any strides, with units in front.
    ///
    /// - element, N:M: [all elements] where contiguous (unless `flat` is false), else as stored, every axis a unit axis
    /// - row: [out | in, kernel…]
    /// - column: [in, kernel… | out]
    /// - channel: [in | out, kernel…]
    /// - block: [out/h, columns/w | h, w], the columns' axes split where the strides allow it
    ///
    /// Nothing is copied but what strides cannot express: padded edges, and blocks across the kernel of a weight stored
    /// input first. Those come as float32 copies of the whole, zeros where elements are missing.
    /// - Throws: `.shape` unless the view has the grid's shape.
    public func view(of stored: TensorView, flat: Bool = true) throws -> UnitView {
        try stored.validate()
        guard stored.shape == shape else {
            throw PareError(
                .shape, "view does not have the weight's shape", found: "\(stored.shape)", expected: "\(shape)")
        }
        let rowsFirst = matrix.rowsFirst(stored)
        let count = shape.count
        switch pattern.granularity {
        case .element, .nm:
            guard flat, stored.isContiguous else { return UnitView(view: stored, unitAxes: count) }
            return UnitView(
                view: TensorView(base: stored.base, dtype: stored.dtype, shape: [stored.count]), unitAxes: 1)
        case .row:
            return UnitView(view: atLeast(rowsFirst, axes: 1), unitAxes: 1)
        case .column:
            let matrix = atLeast(rowsFirst, axes: 2)
            return UnitView(
                view: matrix.permuted(Array(1..<matrix.shape.count) + [0]), unitAxes: matrix.shape.count - 1)
        case .channel:
            let matrix = atLeast(rowsFirst, axes: 2)
            return UnitView(view: matrix.permuted([1, 0] + Array(2..<matrix.shape.count)), unitAxes: 1)
        case .block:
            if !isPadded, let view = blockView(atLeast(rowsFirst, axes: 2)) { return view }
            return try copiedBlockView(atLeast(rowsFirst, axes: 2))
        }
    }

    private func atLeast(_ view: TensorView, axes: Int) -> TensorView {
        var view = view
        while view.shape.count < axes {
            view.shape.append(1)
            view.strides.append(1)
        }
        return view
    }

    /// Splits the rows, then the columns' axes from the innermost on, into an outer and an inner part.
    private func blockView(_ matrix: TensorView) -> UnitView? {
        let height = blockSize.rows
        var outer = [(matrix.shape[0] / height, matrix.strides[0] &* height)]
        var innerColumns: [(Int, Int)] = []
        var outerColumns: [(Int, Int)] = []
        var width = blockSize.cols
        for (size, stride) in matrix.mergedColumns.reversed() {
            if width == 1 {
                outerColumns.insert((size, stride), at: 0)
            } else if size % width == 0 {
                outerColumns.insert((size / width, stride &* width), at: 0)
                innerColumns.insert((width, stride), at: 0)
                width = 1
            } else if size > 0, width % size == 0 {
                innerColumns.insert((size, stride), at: 0)
                width /= size
            } else {
                return nil
            }
        }
        guard width == 1 else { return nil }
        outer += outerColumns
        let axes = outer + [(height, matrix.strides[0])] + innerColumns
        return UnitView(
            view: TensorView(
                base: matrix.base, dtype: matrix.dtype, shape: axes.map { $0.0 }, strides: axes.map { $0.1 }),
            unitAxes: outer.count)
    }

    private func copiedBlockView(_ matrix: TensorView) throws -> UnitView {
        let grid = blockGrid
        let rows = grid.rows.multipliedReportingOverflow(by: blockSize.rows)
        let cols = grid.cols.multipliedReportingOverflow(by: blockSize.cols)
        guard !rows.overflow, !cols.overflow,
            let count = checkedCount([rows.partialValue, cols.partialValue], elementSize: 4)
        else {
            throw PareError(.shape, "padded weight is too large", found: "blocks of \(pattern.text) for \(shape)")
        }
        let memory = try OwnedBuffer(count: count * 4)
        let values = memory.base.bindMemory(to: Float.self, capacity: max(count, 1))
        values.update(repeating: 0, count: count)
        for row in 0..<self.matrix.rows {
            try matrix.readFloat32(
                from: row * self.matrix.cols, count: self.matrix.cols, into: values + row * cols.partialValue)
        }
        let padded = TensorView(base: memory.base, dtype: .float32, shape: [rows.partialValue, cols.partialValue])
        guard var view = blockView(padded) else { throw PareError(.internal, "padded weight cannot be divided") }
        view.owner = memory
        return view
    }
}

extension TensorView {
    func permuted(_ order: [Int]) -> TensorView {
        TensorView(base: base, dtype: dtype, shape: order.map { shape[$0] }, strides: order.map { strides[$0] })
    }

    /// All axes but the first, neighbours merged where one stride carries over; at least one axis.
    fileprivate var mergedColumns: [(Int, Int)] {
        var axes: [(size: Int, stride: Int)] = []
        for (size, stride) in zip(shape, strides).dropFirst() where size != 1 {
            if let last = axes.last, last.stride == stride &* size {
                axes[axes.count - 1] = (last.size &* size, stride)
            } else {
                axes.append((size, stride))
            }
        }
        return axes.isEmpty ? [(1, 1)] : axes.map { ($0.size, $0.stride) }
    }
}
