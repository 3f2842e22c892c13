/// Recurrent layers: X [seq, batch, in], W [directions, gates · hidden, in], R [directions, gates · hidden, hidden].
enum Recurrent {
    static let rules: [String: Rule] = [
        "RNN": { try layer($0, cells: 1) },
        "GRU": { try layer($0, cells: 1) },
        "LSTM": { try layer($0, cells: 2) },
    ]

    /// Y [seq, directions, batch, hidden], then Y_h and (LSTM) Y_c [directions, batch, hidden]; `layout` 1 puts the batch
    /// first.
    private static func layer(_ view: NodeView, cells: Int) throws -> [Fact] {
        guard let input = view.shape(0) else { return [] }
        guard input.count == 3 else { throw Contradiction("input \(input.text) is not [seq, batch, in]") }
        let weight = view.shape(2)
        if let weight, weight.count != 3 { throw Contradiction("R is \(weight.text)") }
        let hidden: Dimension =
            if case .int(let size)? = view.node.attribute("hidden_size") { Element.int(size).dimension } else {
                weight?[2] ?? .unknown
            }
        let both = view.node.string("direction", default: "forward") == "bidirectional"
        let directions = Dimension.size(both ? 2 : 1)
        let batchFirst = view.node.int("layout", default: 0) != 0
        let sequence = input[batchFirst ? 1 : 0], batch = input[batchFirst ? 0 : 1]
        let all = batchFirst ? [batch, sequence, directions, hidden] : [sequence, directions, batch, hidden]
        let last = batchFirst ? [batch, directions, hidden] : [directions, batch, hidden]
        return [Fact(view.dtype(0), all)] + [Fact](repeating: Fact(view.dtype(0), last), count: cells)
    }
}
