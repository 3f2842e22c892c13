/// Geometry of a sliding window, shared by convolutions and pooling.
struct Window {
    var kernel: [Int]
    var strides: [Int]
    var dilations: [Int]
    /// Before and after each spatial axis.
    var before: [Int]
    var after: [Int]
    /// "NOTSET", "VALID", "SAME_UPPER" or "SAME_LOWER".
    var auto: String
    var ceiling: Bool

    init(_ view: NodeView, kernel: [Int]) throws {
        let count = kernel.count
        guard kernel.allSatisfy({ $0 >= 1 }) else { throw Contradiction("kernel_shape is \(kernel)") }
        self.kernel = kernel
        strides = try view.spatial("strides", count: count, default: 1)
        dilations = try view.spatial("dilations", count: count, default: 1)
        auto = view.node.string("auto_pad", default: "NOTSET")
        ceiling = view.node.int("ceil_mode", default: 0) != 0
        let pads = view.node.ints("pads") ?? [Int](repeating: 0, count: 2 * count)
        guard pads.count == 2 * count else { throw Contradiction("pads is \(pads), for \(count) spatial axes") }
        before = Array(pads[..<count])
        after = Array(pads[count...])
        if auto == "VALID" {
            before = [Int](repeating: 0, count: count)
            after = before
        }
    }

    var isSame: Bool { auto == "SAME_UPPER" || auto == "SAME_LOWER" }

    /// Extent of the dilated kernel.
    func extent(_ axis: Int) throws -> Int { try plus(times(kernel[axis] - 1, dilations[axis]), 1) }

    /// Size after the window has slid over one axis.
    func output(_ input: Dimension, axis: Int) throws -> Dimension {
        let step = strides[axis]
        let border = isSame ? 0 : try plus(before[axis], after[axis])
        guard case .size(let size) = input else {
            let keeps = try isSame ? step == 1 : step == 1 && plus(border, 1) == extent(axis)
            return keeps ? input : .unknown
        }
        if isSame { return .size(size / step + (size % step == 0 ? 0 : 1)) }
        let room = try plus(plus(size, border), -extent(axis))
        guard room >= 0 else { throw Contradiction("kernel \(kernel) does not fit along spatial axis \(axis) of size \(size)") }
        var count = room / step + 1
        if ceiling, room % step != 0 {
            // A last window that would start in the padding behind the data is left out.
            let start = try times(count, step)
            if try start < plus(size, before[axis]) { count += 1 }
        }
        return .size(count)
    }

    /// Size after a transposed convolution.
    func transposedOutput(_ input: Dimension, axis: Int, extra: Int) throws -> Dimension {
        let step = strides[axis]
        if isSame {
            guard step > 1 else { return input }
            return input.times(.size(step))
        }
        let fixed = try plus(plus(extent(axis), extra), -plus(before[axis], after[axis]))
        guard case .size(let size) = input else {
            return fixed == step ? input.times(.size(step)) : .unknown
        }
        let result = try plus(times(step, size - 1), fixed)
        guard result >= 0 else { throw Contradiction("the output size along spatial axis \(axis) is \(result)") }
        return .size(result)
    }
}
