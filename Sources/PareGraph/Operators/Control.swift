/// Control flow. Of a loop nothing is claimed: its body may change shapes between iterations.
enum Control {
    static let rules: [String: Rule] = [
        "If": branch,
        "Loop": { _ in [] },
        "Scan": { _ in [] },
    ]

    /// The branch that a known condition takes, otherwise what both agree on.
    private static let branch: Rule = { view in
        guard case .graph(let yes)? = view.node.attribute("then_branch"),
            case .graph(let no)? = view.node.attribute("else_branch")
        else { return [] }
        let first = view.inferBranch(yes), second = view.inferBranch(no)
        if case .int(let condition)? = view.block(0)?.elements.first { return condition != 0 ? first : second }
        return zip(first, second).map { a, b in
            let dtype = a.dtype == b.dtype ? a.dtype : nil
            guard let left = a.shape, let right = b.shape, left.count == right.count else { return Fact(dtype) }
            return Fact(dtype, zip(left, right).map { $0 == $1 ? $0 : .unknown })
        }
    }
}
