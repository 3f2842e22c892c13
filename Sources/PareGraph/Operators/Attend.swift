/// Attention as one operator (operator set 23 on).
enum Attend {
    static let rules: [String: Rule] = [
        "Attention": attention,
        "RotaryEmbedding": Elementwise.keep,
    ]

    /// Q, K, V as [batch, heads, length, size] or [batch, length, heads · size]; past keys and values are put in front.
    private static let attention: Rule = { view in
        guard let query = view.shape(0), let key = view.shape(1), let value = view.shape(2) else { return [] }
        guard query.count == key.count, key.count == value.count, query.count == 3 || query.count == 4 else {
            throw Contradiction("Q \(query.text), K \(key.text), V \(value.text)")
        }
        let dtype = view.dtype(0)
        let flat = query.count == 3
        let queryHeads = flat ? view.node.int("q_num_heads", default: 0) : nil
        let keyHeads = flat ? view.node.int("kv_num_heads", default: 0) : nil
        if let queryHeads, let keyHeads, queryHeads < 1 || keyHeads < 1 { throw Contradiction("no head counts for 3-d inputs") }
        let keys = heads(key, keyHeads), values = heads(value, keyHeads), queries = heads(query, queryHeads)
        let past = view.shape(4).flatMap { $0.count == 4 ? $0[2] : nil } ?? (view.has(4) ? .unknown : .size(0))
        let total = past.plus(keys[2])
        let result = [queries[0], queries[1], queries[2], values[3]]
        return [
            Fact(dtype, flat ? [query[0], query[1], values[3].times(queries[1])] : result),
            Fact(dtype, [keys[0], keys[1], total, keys[3]]),
            Fact(dtype, [values[0], values[1], total, values[3]]),
            Fact(dtype, [queries[0], queries[1], queries[2], total]),
        ]
    }

    private static func heads(_ shape: [Dimension], _ count: Int?) -> [Dimension] {
        guard let count else { return shape }
        let size = Dimension(shape[2].monomial.flatMap { $0.divided(by: Monomial(count)) })
        return [shape[0], .size(count), shape[1], size]
    }
}
