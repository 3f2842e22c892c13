import CPare
import PareMask
import PareTensor

/// One tensor as a criterion is to see it, with everything that may come with it.
final class WeightCase {
    let label: String
    var view: TensorView
    var unitAxes: Int
    let granularity: Granularity
    /// Offered under PARE_INPUT_…, in the shape of `view`.
    var inputs: [Int32: TensorView] = [:]
    private var arrays: [TestArray] = []
    /// Memory behind `view` where it had to be copied.
    private var owner: AnyObject?
    /// Bytes between the address that is handed over and the first element.
    var byteOffset = 0

    /// Inputs that the validator can make, by the need that asks for them.
    static let supplied: [(need: UInt32, input: Int32)] = [
        (UInt32(PARE_NEED_GRADIENT), PARE_INPUT_GRADIENT), (UInt32(PARE_NEED_INPUT_NORM), PARE_INPUT_INPUT_NORM),
        (UInt32(PARE_NEED_HESSIAN_GRADIENT), PARE_INPUT_HESSIAN_GRADIENT),
        (UInt32(PARE_NEED_TWIN_GRADIENT), PARE_INPUT_TWIN_GRADIENT),
        (UInt32(PARE_NEED_NORM_SCALE), PARE_INPUT_NORM_SCALE), (UInt32(PARE_NEED_OUTPUT_NORM), PARE_INPUT_OUTPUT_NORM),
        (UInt32(PARE_NEED_MASK), PARE_INPUT_MASK),
    ]

    /// - Parameter values: nil for numbers drawn under the subject's seed.
    /// - Parameter unitAxes: nil for what the granularity makes of `shape`.
    init(
        _ subject: Subject, _ plugin: Plugin, shape: [Int], granularity: Granularity, unitAxes: Int? = nil,
        dtype: DType = .float32, layout: TestArray.Layout = .contiguous, flush: Bool = false, values: [Double]? = nil
    ) throws {
        try WeightCase.checkNeeds(plugin)
        let count = shape.reduce(1, *)
        label = "\(granularity) units, shape \(shape), \(dtype.name), \(layout.rawValue)"
        self.granularity = granularity
        self.unitAxes = unitAxes ?? WeightCase.unitAxes(shape.count, granularity)
        let weight = try TestArray(
            values ?? TestArray.numbers(count, seed: subject.seed, stream: 1), shape: shape, dtype: dtype, layout: layout,
            flush: flush)
        arrays.append(weight)
        view = weight.view
        for (need, input) in WeightCase.supplied where plugin.needs & need != 0 {
            inputs[input] = try makeInput(input, shape, subject.seed, flush)
        }
    }

    /// The units of a pattern in a weight of [out, in, kernel …], as the host lays them out.
    init(_ subject: Subject, _ plugin: Plugin, weight shape: [Int], pattern: Pattern) throws {
        try WeightCase.checkNeeds(plugin)
        let grid = try UnitGrid(shape: shape, layout: .outFirst, pattern: pattern)
        label = "\(pattern.text) units of a weight \(shape)"
        granularity = pattern.granularity
        let weight = try TestArray(TestArray.numbers(shape.reduce(1, *), seed: subject.seed, stream: 1), shape: shape)
        let units = try grid.view(of: weight.view, flat: false)
        (view, unitAxes, owner) = (units.view, units.unitAxes, units.owner)
        arrays.append(weight)
        for (need, input) in WeightCase.supplied where plugin.needs & need != 0 {
            inputs[input] = try grid.view(of: try makeInput(input, shape, subject.seed, false), flat: false).view
        }
    }

    /// Throws a skip for a criterion that needs what cannot be made up here.
    private static func checkNeeds(_ plugin: Plugin) throws {
        let known = supplied.reduce(UInt32(PARE_NEED_WEIGHT)) { $0 | $1.need }
        guard plugin.needs & ~known == 0 else {
            let text = String(plugin.needs & ~known, radix: 16)
            throw Finding.skip("it needs inputs that the validator cannot make (needs 0x\(text))")
        }
    }

    static func unitAxes(_ axes: Int, _ granularity: Granularity) -> Int {
        switch granularity {
        case .element, .nm: axes
        case .row, .channel: min(axes, 1)
        case .column: max(axes - 1, 0)
        case .block: min(axes, 2)
        }
    }

    /// Per row, per column or per element, as the header says of each.
    private func makeInput(_ input: Int32, _ shape: [Int], _ seed: UInt64, _ flush: Bool) throws -> TensorView {
        let stream = UInt64(10 + input)
        let rows = Array(shape.prefix(1))
        func make(_ own: [Int], _ dtype: DType = .float32, positive: Bool = false) throws -> TensorView {
            let count = own.reduce(1, *)
            let values =
                dtype == .bool
                ? [Double](repeating: 1, count: count)
                : TestArray.numbers(count, seed: seed, stream: stream, positive: positive)
            let array = try TestArray(values, shape: own, dtype: dtype, flush: flush)
            arrays.append(array)
            return array.view
        }
        switch input {
        case PARE_INPUT_NORM_SCALE, PARE_INPUT_OUTPUT_NORM:
            var view = try make(rows, positive: input == PARE_INPUT_OUTPUT_NORM)
            view.strides += [Int](repeating: 0, count: shape.count - rows.count)
            view.shape = shape
            return view
        case PARE_INPUT_INPUT_NORM:
            var view = try make(Array(shape.dropFirst()), positive: true)
            view.strides = [Int](repeating: 0, count: rows.count) + view.strides
            view.shape = shape
            return view
        case PARE_INPUT_MASK: return try make(shape, .bool)
        default: return try make(shape)
        }
    }

    /// Product of the unit axes.
    var units: Int { view.shape.prefix(unitAxes).reduce(1, *) }

    func protect() { arrays.forEach { $0.protect() } }

    var bytes: [[UInt8]] { arrays.map(\.bytes) }
}

extension Plugin {
    /// What it serves of the given granularities; when none, the first that it does serve.
    func served(_ wanted: [Granularity]) -> [Granularity] {
        let found = wanted.filter { serves(granularity: $0.rawValue) }
        guard found.isEmpty else { return found }
        return [Granularity.allCases.first { serves(granularity: $0.rawValue) } ?? .element]
    }
}
