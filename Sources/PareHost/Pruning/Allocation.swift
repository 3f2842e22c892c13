import CPare
import PareMask
import PareTensor

/// Layers ranked together, and how many units they lose between them.
struct Pool {
    var members: [Int]
    var remove: Int
}

extension Context {
    /// Asks an allocator and turns its answer into pools with exact counts: the whole loses round(Σ sparsity · units), fractions
    /// go to the pools with the largest remainders, lowest pool first on ties.
    ///
    /// - Parameter members: parameter index and units of each layer to prune.
    func allocate(
        _ analysed: AnalysedModel, _ members: [(index: Int, units: Int)], allocator id: String, options: [String: String],
        sparsity: Double, run: RunBridge
    ) throws -> (pools: [Pool], targets: [Double]) {
        let instance = try makeInstance(.allocator, id, options)
        guard let allocate = instance.table(as: pare_allocator.self).allocate else {
            throw PareError(.pluginFault, "allocator \"\(id)\" has no allocate function")
        }
        let table = LayerTable(analysed, members)
        var request = pare_allocate_request()
        request.struct_size = UInt32(MemoryLayout<pare_allocate_request>.size)
        request.layer_count = UInt32(members.count)
        request.sparsity = sparsity
        request.host_data = Unmanaged.passUnretained(table).toOpaque()
        request.layer = { me, index in
            guard let data = me?.pointee.host_data else { return nil }
            return Unmanaged<LayerTable>.fromOpaque(data).takeUnretainedValue().pointer(Int(index))
        }
        request.statistic = { _, _, _, _ in .nan }
        request.run = run.pointer
        var targets = [Double](repeating: .nan, count: members.count)
        var pools = [Int32](repeating: -1, count: members.count)
        var record = pare_error.empty()
        let status = withExtendedLifetime(table) { allocate(instance.pointer, &request, &targets, &pools, &record) }
        guard status == PARE_OK else { throw pluginError(status, record, plugin: "allocator \"\(id)\"") }
        for (position, member) in members.enumerated() {
            guard targets[position] >= 0, targets[position] <= 1, pools[position] >= 0 else {
                throw PareError(
                    .pluginFault, "the allocator's answer is out of range", at: "allocator \"\(id)\"",
                    found: "sparsity \(targets[position]), pool \(pools[position]) for \"\(analysed.model.parameters[member.index].name)\"",
                    expected: "sparsity in [0, 1] and a pool from 0")
            }
        }
        return (Self.pools(members.map(\.units), targets, pools), targets)
    }

    static func pools(_ units: [Int], _ targets: [Double], _ pools: [Int32]) -> [Pool] {
        let names = Set(pools).sorted()
        let groups = names.map { name in pools.indices.filter { pools[$0] == name } }
        let quotas = groups.map { $0.reduce(0.0) { $0 + targets[$1] * Double(units[$1]) } }
        let capacities = groups.map { $0.reduce(0) { $0 + units[$1] } }
        let total = Int(quotas.reduce(0, +).rounded())
        let counts = apportion(total: total, quotas: quotas, capacities: capacities)
        return zip(groups, counts).map { Pool(members: $0, remove: $1) }
    }
}
