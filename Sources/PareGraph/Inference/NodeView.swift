import PareTensor

/// A node as an operator's rule sees it: facts of its inputs, attributes, and where to ask for more.
struct NodeView {
    let node: Node
    /// nil for an omitted optional input.
    let inputs: [Fact?]
    /// Infers a subgraph inside the scope of this node; returns the facts of its outputs.
    let inferBranch: (Graph) -> [Fact]

    func fact(_ slot: Int) -> Fact { inputs.indices.contains(slot) ? inputs[slot] ?? .unknown : .unknown }
    func has(_ slot: Int) -> Bool { inputs.indices.contains(slot) && inputs[slot] != nil }
    func shape(_ slot: Int) -> [Dimension]? { fact(slot).shape }
    func dtype(_ slot: Int) -> DType? { fact(slot).dtype }
    func block(_ slot: Int) -> Block? { fact(slot).block }

    /// Elements of a 1-d (or scalar) input, perhaps some unknown.
    func vector(_ slot: Int) -> [Element]? {
        guard let block = block(slot), block.shape.count <= 1 else { return nil }
        return block.elements
    }

    /// Integers of an input, if all are known.
    func integers(_ slot: Int) -> [Int]? {
        guard let vector = vector(slot) else { return nil }
        let known = vector.compactMap(\.int)
        return known.count == vector.count ? known : nil
    }

    /// Integers that an operator took as an attribute once and takes as an input now. `.some(nil)`: given, but unknown.
    func integers(attribute name: String, orInput slot: Int) -> [Int]?? {
        if let found = node.ints(name) { return found }
        if case .int(let found)? = node.attribute(name) { return [found] }
        return has(slot) ? .some(integers(slot)) : nil
    }

    /// An axis in 0 ..< rank.
    func axis(_ value: Int, rank: Int) throws -> Int {
        guard value >= -rank, value < rank else { throw Contradiction("axis \(value) of a value with \(rank) axes") }
        return value < 0 ? value + rank : value
    }

    func axes(_ values: [Int], rank: Int) throws -> [Int] { try values.map { try axis($0, rank: rank) } }

    /// A positive attribute list of one length, `fallback` where absent.
    func spatial(_ name: String, count: Int, default fallback: Int, minimum: Int = 1) throws -> [Int] {
        guard let found = node.ints(name) else { return [Int](repeating: fallback, count: count) }
        guard found.count == count, found.allSatisfy({ $0 >= minimum }) else {
            throw Contradiction("\(name) is \(found), for \(count) spatial axes")
        }
        return found
    }
}

func times(_ a: Int, _ b: Int) throws -> Int {
    let (product, overflow) = a.multipliedReportingOverflow(by: b)
    if overflow { throw Contradiction("\(a) times \(b) is no size") }
    return product
}

func plus(_ a: Int, _ b: Int) throws -> Int {
    let (sum, overflow) = a.addingReportingOverflow(b)
    if overflow { throw Contradiction("\(a) plus \(b) is no size") }
    return sum
}
