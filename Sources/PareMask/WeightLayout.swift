import PareTensor

/// A stored weight as a matrix: rows are output features, columns input features times kernel positions, the kernel
/// running fastest. A vector has one column; a scalar is 1 × 1.
public struct MatrixLayout: Equatable, Sendable {
    public let layout: WeightLayout
    /// Output features.
    public let rows: Int
    /// Input features; of one group for grouped convolutions.
    public let inputs: Int
    /// Kernel positions.
    public let kernel: Int
    public var cols: Int { inputs * kernel }

    /// Distances in the stored row-major order.
    public var rowStride: Int { layout == .outFirst ? inputs * kernel : kernel }
    public var inputStride: Int { layout == .outFirst ? kernel : rows * kernel }

    /// - Throws: `.shape` for a negative size or an overflowing product.
    public init(shape: [Int], layout: WeightLayout) throws {
        guard checkedCount(shape, elementSize: 8) != nil, shape.allSatisfy({ $0 >= 0 }) else {
            throw PareError(.shape, "impossible weight shape", found: "\(shape)")
        }
        let first = shape.first ?? 1
        let second = shape.count > 1 ? shape[1] : 1
        self.layout = shape.count > 1 ? layout : .outFirst
        kernel = shape.dropFirst(2).reduce(1, &*)
        rows = self.layout == .outFirst ? first : second
        inputs = self.layout == .outFirst ? second : first
    }

    /// Stored position of an element of the matrix.
    public func flat(row: Int, col: Int) -> Int {
        row * rowStride + col / max(kernel, 1) * inputStride + col % max(kernel, 1)
    }

    /// A view of the stored weight with its output axis first: [out, in, kernel…]. Nothing is copied.
    public func rowsFirst(_ view: TensorView) -> TensorView {
        var view = view
        if layout == .inFirst, view.shape.count > 1 {
            view.shape.swapAt(0, 1)
            view.strides.swapAt(0, 1)
        }
        return view
    }
}
