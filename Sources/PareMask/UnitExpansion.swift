import CKernels
import PareTensor

extension UnitGrid {
    /// The element mask, in stored order, of decisions about units (1 = keep, packed like a mask's words).
    ///
    /// - Parameter bits: `units` bits in ⌈units / 64⌉ words.
    /// - Throws: `.argument` for too few words.
    public func expand(_ bits: UnsafeBufferPointer<UInt64>) throws -> Mask {
        guard bits.count >= ceiling(units, 64) else {
            throw PareError(
                .argument, "too few unit decisions", found: "\(bits.count) words",
                expected: "\(ceiling(units, 64)) for \(units) units")
        }
        let mask = try Mask(zeros: shape)
        guard mask.count > 0, let source = bits.baseAddress else { return mask }
        if pattern.granularity == .element || pattern.granularity == .nm {
            mask.words.update(from: source, count: mask.wordCount)
            mask.clearTail()
            return mask
        }
        let line = UnsafeMutablePointer<UInt64>.allocate(capacity: ceiling(lineLength, 64))
        defer { line.deallocate() }
        var built: Int?
        for index in 0..<lines {
            if built == nil || built != lineKind(index) {
                built = lineKind(index)
                line.update(repeating: 0, count: ceiling(lineLength, 64))
                fill(line, index, source)
            }
            ck_or_range(mask.words, index * lineLength, line, lineLength)
        }
        return mask
    }

    /// A line is one step of the first stored axis.
    var lines: Int { matrix.layout == .outFirst ? matrix.rows : matrix.inputs }
    var lineLength: Int { (matrix.layout == .outFirst ? matrix.inputs : matrix.rows) * matrix.kernel }

    /// Lines of one kind have the same units at the same places.
    private func lineKind(_ line: Int) -> Int {
        switch (pattern.granularity, matrix.layout) {
        case (.column, .outFirst), (.channel, .outFirst), (.row, .inFirst): 0
        case (.block, .outFirst): line / pattern.blockRows
        default: line
        }
    }

    private func fill(_ line: UnsafeMutablePointer<UInt64>, _ index: Int, _ units: UnsafePointer<UInt64>) {
        forEachUnitRun(line: index) { unit, position, length in
            if units[unit / 64] >> UInt64(unit % 64) & 1 == 1 { ck_set_range(line, position, length) }
        }
    }

    /// Runs of elements of one unit along a line: unit, position in the line, length.
    func forEachUnitRun(line: Int, _ body: (_ unit: Int, _ position: Int, _ length: Int) -> Void) {
        let kernel = matrix.kernel
        switch (pattern.granularity, matrix.layout) {
        case (.row, .outFirst), (.channel, .inFirst):
            body(line, 0, lineLength)
        case (.channel, .outFirst), (.row, .inFirst):
            for at in 0..<lineLength / max(kernel, 1) { body(at, at * kernel, kernel) }
        case (.column, .outFirst):
            for column in 0..<lineLength { body(column, column, 1) }
        case (.column, .inFirst):
            for position in 0..<lineLength { body(line * kernel + position % kernel, position, 1) }
        case (.block, .outFirst):
            let first = line / pattern.blockRows * blockGrid.cols
            for (unit, position) in stride(from: 0, to: lineLength, by: pattern.blockCols).enumerated() {
                body(first + unit, position, min(pattern.blockCols, lineLength - position))
            }
        case (.block, .inFirst):
            for position in 0..<lineLength {
                let column = line * kernel + position % kernel
                let row = position / kernel
                body(row / pattern.blockRows * blockGrid.cols + column / pattern.blockCols, position, 1)
            }
        case (.element, _), (.nm, _):
            for position in 0..<lineLength { body(line * lineLength + position, position, 1) }
        }
    }
}
