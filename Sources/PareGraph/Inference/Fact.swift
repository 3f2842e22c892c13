import PareTensor

/// What is known of a value while shapes are inferred.
struct Fact {
    var dtype: DType?
    /// nil: rank unknown.
    var shape: [Dimension]?
    /// Contents of a small tensor that is followed element by element; its shape is then known.
    var elements: [Element]?
    /// Bytes, where they exist: an initialiser or a `Constant` node, perhaps passed on.
    var constant: TensorData?

    static var unknown: Fact { Fact() }

    init(_ dtype: DType? = nil, _ shape: [Dimension]? = nil) {
        self.dtype = dtype
        self.shape = shape
    }

    init(_ data: TensorData) {
        self.init(data.dtype, data.shape.map { .size($0) })
        constant = data
    }

    init(_ dtype: DType?, _ block: Block) {
        self.init(dtype, block.shape.map { .size($0) })
        elements = block.elements
    }

    /// Sizes, if all of them are numbers.
    var sizes: [Int]? {
        guard let shape else { return nil }
        let known = shape.compactMap(\.value)
        return known.count == shape.count ? known : nil
    }

    /// Contents for folding: followed elements, or a small constant decoded now.
    var block: Block? {
        if let elements, let sizes { return Block(shape: sizes, elements: elements) }
        return constant.flatMap { Block($0) }
    }

    /// The same contents under another shape of as many elements.
    func reshaped(_ newShape: [Dimension]?) -> Fact {
        var copy = Fact(dtype, newShape)
        guard let sizes = copy.sizes else { return copy }
        if let block, let moved = block.reshaped(sizes) { copy.elements = moved.elements }
        return copy
    }
}

/// Shapes or attributes that cannot be; caught by the driver, which makes it a note of the node.
struct Contradiction: Error {
    var text: String
    init(_ text: String) { self.text = text }
}

extension [Dimension] {
    var text: String {
        "["
            + map {
                switch $0 {
                case .size(let size): "\(size)"
                case .symbol(let name): name
                case .unknown: "?"
                }
            }.joined(separator: ", ") + "]"
    }
}
