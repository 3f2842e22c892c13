import PareMask

/// What to prune, how much, and by which plugins. Mirrors `pare_prune_request`.
public struct PruneRequest: Sendable {
    public var criterion = "magnitude"
    public var allocation = "uniform"
    public var pattern: Pattern
    /// Fraction of units to remove, [0, 1); ignored for N:M.
    public var sparsity: Double
    /// Plugin options; a key may be prefixed "criterion." or "allocation.".
    public var options: [String: String] = [:]
    /// Non-empty: only parameters that match one of these are considered.
    public var include: [String] = []
    public var exclude: [String] = []
    /// NaN and infinite weights are scored (NaN as 0) instead of refused.
    public var allowNonfinite = false
    /// Fill the report, attach no mask.
    public var dryRun = false
    /// What an attached mask has removed stays removed.
    public var keepMasks = false
    /// A request that changes nothing is an error.
    public var strict = false
    public var seed: UInt64 = 0

    public init(pattern: Pattern, sparsity: Double) {
        self.pattern = pattern
        self.sparsity = sparsity
    }
}
