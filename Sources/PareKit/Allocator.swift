import CPare

/// How much to prune where.
public protocol AllocatorPlugin: Plugin {
    /// Sparsity and pool of each layer, in the request's order.
    func allocate(_ request: AllocateRequest) throws -> Allocation
}

extension AllocatorPlugin {
    public static var glue: Glue {
        var table = pare_allocator()
        table.struct_size = UInt32(MemoryLayout<pare_allocator>.size)
        table.allocate = { instance, request, sparsity, pool, error in
            reporting(error) {
                let plugin = try InstanceBox<any AllocatorPlugin>.of(instance).plugin
                let request = try AllocateRequest(request)
                let count = request.layers.count
                guard count > 0 else { return }
                guard let sparsity, let pool else {
                    throw PluginError(PARE_E_ARGUMENT, "allocate: the host passed NULL")
                }
                let answer = try plugin.allocate(request).checked(count: count)
                for index in 0..<count {
                    sparsity[index] = answer.sparsity[index]
                    pool[index] = answer.pool[index]
                }
            }
        }
        return Glue(PARE_KIND_ALLOCATOR, table) { InstanceBox<any AllocatorPlugin>(try Self(options: $0, host: $1)) }
    }
}

/// The answer: layers of one pool are ranked together and lose as many units as their sparsities add up to.
public struct Allocation {
    public var sparsity: [Double]
    public var pool: [Int32]

    /// Every layer on its own.
    public static func separate(_ sparsity: [Double]) -> Allocation {
        Allocation(sparsity: sparsity, pool: Array(0..<Int32(clamping: sparsity.count)))
    }

    /// All layers ranked together.
    public static func together(_ sparsity: [Double]) -> Allocation {
        Allocation(sparsity: sparsity, pool: [Int32](repeating: 0, count: sparsity.count))
    }

    fileprivate func checked(count: Int) throws -> Allocation {
        guard sparsity.count == count, pool.count == count else {
            throw PluginError(
                PARE_E_PLUGIN_FAULT, "the allocator answered for another number of layers",
                found: "\(sparsity.count) and \(pool.count)", expected: "\(count)")
        }
        guard sparsity.allSatisfy({ $0 >= 0 && $0 <= 1 }), pool.allSatisfy({ $0 >= 0 }) else {
            throw PluginError(PARE_E_PLUGIN_FAULT, "the allocator left the range 0 … 1", found: "\(sparsity)")
        }
        return self
    }
}

/// Statistics of a layer (`PARE_STAT_…`).
public enum LayerStatistic {
    case scoreSum
    /// Fraction of scores above `factor` times their mean.
    case scoreOutliers(factor: Double)
    case weightL1
    case weightL2
}

/// Which layers to prune, and the sparsity of all units together.
public struct AllocateRequest {
    let pointer: UnsafePointer<pare_allocate_request>
    public let sparsity: Double
    public let layers: [Layer]

    init(_ pointer: UnsafePointer<pare_allocate_request>?) throws {
        self.pointer = try require(pointer, through: \.run, \.struct_size)
        let request = self.pointer.pointee
        guard request.sparsity >= 0, request.sparsity < 1 else {
            throw PluginError(
                PARE_E_ARGUMENT, "sparsity is out of range", found: "\(request.sparsity)", expected: "[0, 1)")
        }
        sparsity = request.sparsity
        let layer = try require(request.layer, "layer")
        var layers: [Layer] = []
        for index in 0..<request.layer_count { layers.append(try Layer(layer(self.pointer, index))) }
        self.layers = layers
    }

    public var run: Run { Run(pointer: pointer.pointee.run) }

    /// Units of all layers.
    public var units: Int { layers.reduce(0) { $0 &+ $1.units } }

    /// Indices of the layers in order of execution, ties in the request's order.
    public var byDepth: [Int] {
        layers.indices.sorted { (layers[$0].depth, $0) < (layers[$1].depth, $1) }
    }

    /// A statistic of a layer, nil if this host has none.
    public func statistic(_ which: LayerStatistic, of index: Int) -> Double? {
        let (code, argument): (Int32, Double) =
            switch which {
            case .scoreSum: (PARE_STAT_SCORE_SUM, 0)
            case .scoreOutliers(let factor): (PARE_STAT_SCORE_OUTLIERS, factor)
            case .weightL1: (PARE_STAT_WEIGHT_L1, 0)
            case .weightL2: (PARE_STAT_WEIGHT_L2, 0)
            }
        guard layers.indices.contains(index),
            let value = pointer.pointee.statistic?(pointer, UInt32(index), code, argument)
        else { return nil }
        return value.isNaN ? nil : value
    }
}
