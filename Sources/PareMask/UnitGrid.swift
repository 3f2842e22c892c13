import CKernels
import PareTensor

/// A view whose leading `unitAxes` axes enumerate units and whose trailing axes run inside one unit.
public struct UnitView {
    public var view: TensorView
    public var unitAxes: Int
    /// Memory behind a view that had to be copied; nil if it looks at the original.
    public var owner: AnyObject?

    /// Product of the unit axes.
    public var units: Int { view.shape[..<unitAxes].reduce(1, &*) }

    /// Units in one step of the first axis: where a range of units can be cut off without copying.
    public var unitsPerStep: Int { view.shape[..<unitAxes].dropFirst().reduce(1, &*) }

    /// Steps `first ..< first + count` of the first axis; nil outside it or where no axis enumerates units.
    public func steps(first: Int, count: Int) -> UnitView? {
        guard unitAxes > 0, first >= 0, count >= 0, first <= view.shape[0], count <= view.shape[0] - first else {
            return nil
        }
        var part = self
        part.view.base = view.base?.advanced(by: first &* view.strides[0] &* view.dtype.size)
        part.view.shape[0] = count
        return part
    }
}

/// How a pattern divides one weight into units, and back from decisions about units to elements.
///
/// Units are numbered row-major in the matrix: rows by output feature, columns by input feature and kernel position,
/// channels by input feature, blocks row of blocks by row of blocks. Elements, and those of N:M, are numbered as
/// stored.
public struct UnitGrid {
    public let shape: [Int]
    public let matrix: MatrixLayout
    public let pattern: Pattern
    /// Number of units; for N:M the number of elements.
    public let units: Int
    /// Why this tensor is to be left dense (`Remainder.skip` only); nil if it can be pruned.
    public let skipNote: String?
    /// Units at the edge stick out of the matrix; their missing elements count as zeros.
    public let isPadded: Bool

    /// - Throws: `.shape` where the pattern does not divide the weight and `pattern.remainder` is `.refuse`.
    public init(shape: [Int], layout: WeightLayout, pattern: Pattern) throws {
        self.shape = shape
        self.pattern = pattern
        matrix = try MatrixLayout(shape: shape, layout: layout)
        units = UnitGrid.units(pattern, matrix)
        // Decisions are held one bit per unit, and counted one number per unit that has several elements.
        let isElement = pattern.granularity == .element || pattern.granularity == .nm
        try checkMemory(bytes: isElement ? units / 2 : units > Int.max / 32 ? -1 : units * 32)
        let misfit = UnitGrid.misfit(pattern, matrix)
        if let misfit, pattern.remainder == .refuse {
            throw PareError(
                .shape, "\(pattern.text) does not divide a weight of shape \(shape)", found: misfit.found,
                expected: misfit.expected, hint: "exclude it, or choose skip or pad for the remainder")
        }
        isPadded = misfit != nil && pattern.remainder == .pad
        skipNote = misfit.flatMap {
            pattern.remainder == .skip
                ? "left dense: \(pattern.text) does not divide \(shape) (\($0.found))" : nil
        }
    }

    /// Rows and columns of blocks, the last ones possibly cut off.
    var blockGrid: (rows: Int, cols: Int) {
        (
            ceiling(matrix.rows, max(1, pattern.blockRows)), ceiling(matrix.cols, max(1, pattern.blockCols))
        )
    }

    /// Sizes of a block in a view. Where one block spans an axis the missing part of it is left out: it would add zeros to every
    /// unit alike, and a block far larger than its weight would cost memory for nothing.
    var blockSize: (rows: Int, cols: Int) {
        (min(pattern.blockRows, max(1, matrix.rows)), min(pattern.blockCols, max(1, matrix.cols)))
    }

    private static func units(_ pattern: Pattern, _ matrix: MatrixLayout) -> Int {
        switch pattern.granularity {
        case .element, .nm: matrix.rows * matrix.cols
        case .row: matrix.rows
        case .column: matrix.cols
        case .channel: matrix.inputs
        case .block: ceiling(matrix.rows, pattern.blockRows) * ceiling(matrix.cols, pattern.blockCols)
        }
    }

    private static func misfit(_ pattern: Pattern, _ matrix: MatrixLayout) -> (found: String, expected: String)? {
        switch pattern.granularity {
        case .nm where matrix.inputs % pattern.m != 0:
            ("\(matrix.inputs) inputs", "a multiple of \(pattern.m)")
        case .block where matrix.rows % pattern.blockRows != 0 || matrix.cols % pattern.blockCols != 0:
            (
                "\(matrix.rows) rows and \(matrix.cols) columns",
                "multiples of \(pattern.blockRows) and \(pattern.blockCols)"
            )
        default: nil
        }
    }
}

func ceiling(_ a: Int, _ b: Int) -> Int { a / b + (a % b == 0 ? 0 : 1) }
