import PareTensor

/// Operators that make tensors out of attributes, sizes or nothing.
enum Generators {
    static let rules: [String: Rule] = [
        "Constant": { [constant($0.node)] },
        "ConstantOfShape": { view in
            var value = Fact(.float32, Block.scalar(.real(0)))
            if case .tensor(let data)? = view.node.attribute("value") { value = data.map { Fact($0) } ?? .unknown }
            guard let shape = view.vector(0)?.map(\.dimension) else {
                let rank = view.shape(0).flatMap { $0.count == 1 ? $0[0].value : nil }
                return [Fact(value.dtype, rank.flatMap { $0 <= 64 ? [Dimension](repeating: .unknown, count: $0) : nil })]
            }
            var result = Fact(value.dtype, shape)
            if let element = value.block?.elements.first, let sizes = result.sizes, let count = checkedCount(sizes),
                count <= Block.limit
            {
                result.elements = [Element](repeating: element, count: count)
            }
            return [result]
        },
        "Shape": { view in
            guard let shape = view.shape(0) else { return [Fact(.int64, [.unknown])] }
            func clamp(_ value: Int) -> Int { min(max(value < 0 ? value + shape.count : value, 0), shape.count) }
            let start = clamp(view.node.int("start", default: 0)), end = clamp(view.node.int("end", default: shape.count))
            let taken = start < end ? shape[start..<end].map { Element($0) } : []
            return [Block(shape: [taken.count], elements: taken).map { Fact(.int64, $0) } ?? Fact(.int64, [.unknown])]
        },
        "Size": { view in
            guard let shape = view.shape(0) else { return [Fact(.int64, [])] }
            return [Fact(.int64, Block.scalar(Element(Dimension.product(shape))))]
        },
        "Range": range,
        "EyeLike": { view in
            [Fact(view.node.attribute("dtype") == nil ? view.dtype(0) : named(view), view.shape(0))]
        },
        "Trilu": Elementwise.keep,
        "Bernoulli": Elementwise.keep,
        "RandomNormalLike": { view in [Fact(view.node.attribute("dtype") == nil ? view.dtype(0) : named(view), view.shape(0))] },
        "RandomUniformLike": { view in [Fact(view.node.attribute("dtype") == nil ? view.dtype(0) : named(view), view.shape(0))] },
        "RandomNormal": random,
        "RandomUniform": random,
        "Multinomial": { view in
            let dtype = DType(onnx: view.node.int("dtype", default: 6))
            return [Fact(dtype, [view.shape(0)?.first ?? .unknown, .size(max(view.node.int("sample_size", default: 1), 0))])]
        },
    ]

    private static func named(_ view: NodeView) -> DType? { DType(onnx: view.node.int("dtype", default: 1)) }

    private static let random: Rule = { view in
        [Fact(named(view), view.node.ints("shape")?.map { Element.int($0).dimension })]
    }

    private static func constant(_ node: Node) -> Fact {
        guard let (_, value) = node.attributes.first(where: { $0.name.hasPrefix("value") || $0.name == "sparse_value" })
        else { return .unknown }
        switch value {
        case .tensor(let data): return data.map { Fact($0) } ?? .unknown
        case .int(let value): return Fact(.int64, Block.scalar(.int(value)))
        case .float(let value): return Fact(.float32, Block.scalar(.real(Double(value))))
        case .ints(let values): return list(.int64, values.map { .int($0) })
        case .floats(let values): return list(.float32, values.map { .real(Double($0)) })
        default: return .unknown
        }
    }

    private static func list(_ dtype: DType, _ elements: [Element]) -> Fact {
        Block(shape: [elements.count], elements: elements).map { Fact(dtype, $0) } ?? Fact(dtype, [.size(elements.count)])
    }

    private static let range: Rule = { view in
        let dtype = view.dtype(0)
        guard let start = view.block(0)?.elements.first, let limit = view.block(1)?.elements.first,
            let step = view.block(2)?.elements.first
        else { return [Fact(dtype, [.unknown])] }
        if case .int(let from) = start, case .int(let to) = limit, case .int(let by) = step {
            guard by != 0 else { throw Contradiction("a range of step 0") }
            let (distance, overflow) = to.subtractingReportingOverflow(from)
            guard !overflow else { return [Fact(dtype, [.unknown])] }
            let stride = Int(clamping: by.magnitude)
            let length = (distance > 0) == (by > 0) ? Int(clamping: distance.magnitude) : 0
            let count = length / stride + (length % stride == 0 ? 0 : 1)
            guard count <= Block.limit else { return [Fact(dtype, [.size(count)])] }
            return [list(dtype ?? .int64, (0..<count).map { .int(from + $0 * by) })]
        }
        if start == .int(0), step == .int(1) { return [Fact(dtype, [limit.dimension])] }
        guard let from = start.number, let to = limit.number, let by = step.number else { return [Fact(dtype, [.unknown])] }
        let count = max(((to - from) / by).rounded(.up), 0)
        return [Fact(dtype, [Int(exactly: count).map { .size($0) } ?? .unknown])]
    }
}

extension Block {
    static func scalar(_ element: Element) -> Block { Block(scalar: element) }

    private init(scalar element: Element) {
        shape = []
        elements = [element]
    }
}
