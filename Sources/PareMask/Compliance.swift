import CKernels
import PareTensor

/// Checking masks against a pattern and changing their granularity.
extension UnitGrid {
    /// Number of units that break the pattern: neither all kept nor all removed; for N:M, groups in which other than n
    /// elements are kept (`exact`) or more than n (`exact` false: data may hold zeros of its own). 0 for single
    /// elements.
    /// - Throws: `.shape` unless the mask has the grid's shape.
    public func violations(in mask: Mask, exact: Bool = true) throws -> Int {
        try mask.checkShape(shape)
        switch pattern.granularity {
        case .element: return 0
        case .nm: return groupViolations(mask, exact)
        default:
            let (kept, total) = unitCounts(mask)
            return zip(kept, total).reduce(0) { $0 + ($1.0 != 0 && $1.0 != $1.1 ? 1 : 0) }
        }
    }

    /// Whether the zeros of data obey the pattern: units that are zero throughout or not at all, groups with at most n
    /// elements that are not zero.
    public func violations(in data: TensorView) throws -> Int {
        try violations(in: Mask(nonzeroOf: data), exact: false)
    }

    /// Unit decisions, one bit each: a unit is kept if any, or all, of its elements are.
    /// - Throws: `.unsupported` for N:M, whose groups are not kept or removed as a whole.
    public func unitBits(of mask: Mask, keepAny: Bool) throws -> [UInt64] {
        try mask.checkShape(shape)
        guard pattern.granularity != .nm else {
            throw PareError(.unsupported, "a mask cannot be made coarser to N:M", expected: "a pattern of whole units")
        }
        if pattern.granularity == .element { return mask.withWords { Array($0) } }
        let (kept, total) = unitCounts(mask)
        var bits = [UInt64](repeating: 0, count: ceiling(units, 64))
        for unit in 0..<units where keepAny ? kept[unit] > 0 : kept[unit] == total[unit] {
            bits[unit / 64] |= 1 << UInt64(unit % 64)
        }
        return bits
    }

    /// The mask in this granularity.
    public func coarsen(_ mask: Mask, keepAny: Bool) throws -> Mask {
        try unitBits(of: mask, keepAny: keepAny).withUnsafeBufferPointer { try expand($0) }
    }

    /// Elements of each unit, kept ones and all.
    private func unitCounts(_ mask: Mask) -> (kept: [Int], total: [Int]) {
        var kept = [Int](repeating: 0, count: units)
        var total = kept
        guard mask.count > 0 else { return (kept, total) }
        for line in 0..<lines {
            forEachUnitRun(line: line) { unit, position, length in
                total[unit] += length
                kept[unit] += mask.ones(from: line * lineLength + position, count: length)
            }
        }
        return (kept, total)
    }

    /// Groups of N:M in stored order: [outer, input axis, inner].
    var groupAxes: (outer: Int, axis: Int, inner: Int) {
        matrix.layout == .outFirst
            ? (matrix.rows, matrix.inputs, matrix.kernel) : (1, matrix.inputs, matrix.rows * matrix.kernel)
    }

    private func groupViolations(_ mask: Mask, _ exact: Bool) -> Int {
        let (outer, axis, inner) = groupAxes
        let (n, m) = (pattern.n, pattern.m)
        if inner == 1, axis % m == 0, 64 % m == 0 {
            return ck_nm_violations(mask.words, mask.count, UInt32(n), UInt32(m), exact ? 1 : 0)
        }
        var bad = 0
        var kept = [Int](repeating: 0, count: inner)
        for row in 0..<outer {
            for first in stride(from: 0, to: axis, by: m) {
                let length = min(m, axis - first)
                for at in 0..<inner { kept[at] = 0 }
                for member in first..<first + length {
                    mask.addBits(from: (row * axis + member) * inner, to: &kept)
                }
                let wanted = min(n, length)
                for count in kept where exact ? count != wanted : count > wanted { bad += 1 }
            }
        }
        return bad
    }
}

extension Mask {
    fileprivate func ones(from first: Int, count: Int) -> Int {
        if count == 1 { return Int(words[first / 64] >> UInt64(first % 64) & 1) }
        var total = 0
        for start in stride(from: 0, to: count, by: 64) {
            total += ck_get_bits(words, first + start, min(64, count - start)).nonzeroBitCount
        }
        return total
    }

    /// counts[i] += bit (first + i)
    fileprivate func addBits(from first: Int, to counts: inout [Int]) {
        for start in stride(from: 0, to: counts.count, by: 64) {
            let part = min(64, counts.count - start)
            let bits = ck_get_bits(words, first + start, part)
            for i in 0..<part { counts[start + i] += Int(bits >> UInt64(i) & 1) }
        }
    }
}
