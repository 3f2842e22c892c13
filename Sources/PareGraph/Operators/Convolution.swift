/// Convolutions and what resembles them.
enum Convolution {
    static let rules: [String: Rule] = [
        "Conv": { [Fact($0.dtype(0), try output($0, weight: 1))] },
        "ConvInteger": { [Fact(.int32, try output($0, weight: 1))] },
        "QLinearConv": { [Fact($0.dtype(7), try output($0, weight: 3))] },
        "DeformConv": { [Fact($0.dtype(0), try output($0, weight: 1))] },
        "ConvTranspose": transposed,
    ]

    /// Input [N, C, spatial …], weight [out, C / groups, kernel …].
    private static func output(_ view: NodeView, weight slot: Int) throws -> [Dimension]? {
        guard let input = view.shape(0), let weight = view.shape(slot) else { return nil }
        let groups = try checkedGroups(view)
        guard input.count >= 3, weight.count == input.count else {
            throw Contradiction("input \(input.text) and weight \(weight.text)")
        }
        if let channels = input[1].value, let own = weight[1].value, try times(own, groups) != channels {
            throw Contradiction("\(channels) input channels, but weight \(weight.text) with \(groups) groups")
        }
        if let out = weight[0].value, out % groups != 0 {
            throw Contradiction("\(out) output channels do not split into \(groups) groups")
        }
        guard let kernel = try kernelShape(view, weight: weight) else {
            return [input[0], weight[0]] + input[2...].map { _ in .unknown }
        }
        let window = try Window(view, kernel: kernel)
        return try [input[0], weight[0]] + kernel.indices.map { try window.output(input[$0 + 2], axis: $0) }
    }

    /// Weight [C, out / groups, kernel …].
    private static let transposed: Rule = { view in
        guard let input = view.shape(0), let weight = view.shape(1) else { return [Fact(view.dtype(0))] }
        let groups = try checkedGroups(view)
        guard input.count >= 3, weight.count == input.count else {
            throw Contradiction("input \(input.text) and weight \(weight.text)")
        }
        _ = try Broadcast.same(input[1], weight[0], "input channels and rows of the weight")
        var result = [input[0], weight[1].times(.size(groups))]
        guard let kernel = try kernelShape(view, weight: weight) else {
            return [Fact(view.dtype(0), result + input[2...].map { _ in .unknown })]
        }
        let window = try Window(view, kernel: kernel)
        let extra = try view.spatial("output_padding", count: kernel.count, default: 0, minimum: 0)
        let given = view.node.ints("output_shape")
        if let given, given.count != kernel.count { throw Contradiction("output_shape is \(given)") }
        for axis in kernel.indices {
            result.append(
                try given.map { .size($0[axis]) }
                    ?? window.transposedOutput(input[axis + 2], axis: axis, extra: extra[axis]))
        }
        return [Fact(view.dtype(0), result)]
    }

    private static func checkedGroups(_ view: NodeView) throws -> Int {
        let groups = view.node.int("group", default: 1)
        guard groups >= 1 else { throw Contradiction("group is \(groups)") }
        return groups
    }

    private static func kernelShape(_ view: NodeView, weight: [Dimension]) throws -> [Int]? {
        let ofWeight = weight[2...].compactMap(\.value)
        let given = view.node.ints("kernel_shape")
        guard ofWeight.count == weight.count - 2 else {
            return given.flatMap { $0.count == weight.count - 2 ? $0 : nil }
        }
        if let given, given != ofWeight { throw Contradiction("kernel_shape is \(given), the weight \(weight.text)") }
        return ofWeight
    }
}
