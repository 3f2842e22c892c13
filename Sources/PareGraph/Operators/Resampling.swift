import PareTensor

/// Padding and interpolation.
enum Resampling {
    static let rules: [String: Rule] = [
        "Pad": pad,
        "Resize": { view in
            // Version 10 had (X, scales); since 11 it is (X, roi, scales, sizes).
            try resized(view, scales: view.node.inputs.count == 2 ? 1 : 2, sizes: 3)
        },
        "Upsample": { try resized($0, scales: 1, sizes: -1) },
        "GridSample": { view in
            guard let data = view.shape(0), let grid = view.shape(1) else { return [Fact(view.dtype(0))] }
            guard data.count >= 3, grid.count == data.count else { throw Contradiction("\(data.text) by grid \(grid.text)") }
            return [Fact(view.dtype(0), data[..<2] + grid[1...].dropLast())]
        },
        "AffineGrid": { view in
            guard let size = view.vector(1), size.count >= 4 else { return [Fact(view.dtype(0))] }
            let shape = [size[0]] + size[2...] + [.int(size.count - 2)]
            return [Fact(view.dtype(0), shape.map(\.dimension))]
        },
        "CenterCropPad": { view in
            guard var shape = view.shape(0) else { return [Fact(view.dtype(0))] }
            let axes = try view.axes(view.node.ints("axes") ?? Array(shape.indices), rank: shape.count)
            for (position, axis) in axes.enumerated() {
                let target = view.vector(1)
                shape[axis] = target.flatMap { $0.indices.contains(position) ? $0[position].dimension : nil } ?? .unknown
            }
            return [Fact(view.dtype(0), shape)]
        },
    ]

    private static let pad: Rule = { view in
        guard let shape = view.shape(0) else { return [Fact(view.dtype(0))] }
        var axes = Array(shape.indices)
        if view.has(3) {
            guard let given = view.integers(3) else { return [Fact(view.dtype(0), shape.map { _ in .unknown })] }
            axes = try view.axes(given, rank: shape.count)
        }
        guard let pads = view.node.ints("pads").map({ $0.map { Element.int($0) } }) ?? view.vector(1) else {
            return [Fact(view.dtype(0), shape.map { _ in .unknown })]
        }
        guard pads.count == 2 * axes.count else { throw Contradiction("\(pads.count) pads for \(axes.count) axes") }
        var result = shape
        for (position, axis) in axes.enumerated() {
            let both = Arithmetic.add(pads[position], pads[position + axes.count])
            let size = Arithmetic.add(Element(result[axis]), both)
            if case .int(let value) = size, value < 0 { throw Contradiction("pads leave \(value) along axis \(axis)") }
            result[axis] = size.dimension
        }
        return [Fact(view.dtype(0), result)]
    }

    private static func resized(_ view: NodeView, scales slot: Int, sizes: Int) throws -> [Fact] {
        guard let shape = view.shape(0) else { return [Fact(view.dtype(0))] }
        let axes = try view.axes(view.node.ints("axes") ?? Array(shape.indices), rank: shape.count)
        var result = shape
        if view.has(sizes), view.shape(sizes) != [.size(0)] {
            let given = view.vector(sizes)
            if let given, given.count != axes.count { throw Contradiction("\(given.count) sizes for \(axes.count) axes") }
            for (position, axis) in axes.enumerated() { result[axis] = given?[position].dimension ?? .unknown }
            let policy = view.node.string("keep_aspect_ratio_policy", default: "stretch")
            if policy != "stretch" { keepAspect(&result, from: shape, axes: axes, larger: policy == "not_larger") }
            return [Fact(view.dtype(0), result)]
        }
        let attribute: [Element]? =
            if case .floats(let found)? = view.node.attribute("scales") { found.map { .real(Double($0)) } } else { nil }
        let factors = attribute ?? view.vector(slot)
        if let factors, factors.count != axes.count { throw Contradiction("\(factors.count) scales for \(axes.count) axes") }
        let crops = view.node.string("coordinate_transformation_mode", default: "half_pixel") == "tf_crop_and_resize"
        for (position, axis) in axes.enumerated() {
            result[axis] = crops ? .unknown : scaled(shape[axis], by: factors?[position])
        }
        return [Fact(view.dtype(0), result)]
    }

    /// floor(size · factor); a named size stays where the factor is a whole number.
    private static func scaled(_ size: Dimension, by factor: Element?) -> Dimension {
        guard let factor = factor?.number, factor > 0, factor.isFinite else { return .unknown }
        guard let value = size.value else {
            return Int(exactly: factor).map { size.times(.size($0)) } ?? .unknown
        }
        return Int(exactly: (Double(value) * factor).rounded(.down)).map { .size($0) } ?? .unknown
    }

    /// All axes get one factor: the smallest of the requested ones (`larger`: not larger than asked), or the largest.
    private static func keepAspect(_ result: inout [Dimension], from shape: [Dimension], axes: [Int], larger: Bool) {
        let factors = axes.compactMap { axis -> Double? in
            guard let old = shape[axis].value, old > 0, let new = result[axis].value else { return nil }
            return Double(new) / Double(old)
        }
        let chosen = larger ? factors.min() : factors.max()
        for axis in axes {
            guard let chosen, factors.count == axes.count, let old = shape[axis].value else {
                result[axis] = .unknown
                continue
            }
            let size = (chosen * Double(old)).rounded(.toNearestOrAwayFromZero)
            result[axis] = Int(exactly: size).map { .size($0) } ?? .unknown
        }
    }
}
