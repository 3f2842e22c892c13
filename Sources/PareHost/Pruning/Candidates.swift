import CPare
import PareFormats
import PareMask
import PareTensor

/// One parameter under a prune request: a layer to prune (it has a grid), or the reason why it is left alone.
struct Candidate {
    var index: Int
    var grid: UnitGrid?
    var note: String
}

extension AnalysedModel {
    /// Decides which parameters a request touches. A name pattern that matches nothing is an error that names the nearest parameter.
    func candidates(for request: PruneRequest) throws -> [Candidate] {
        let names = model.parameters.map(\.name)
        let include = request.include.map(NamePattern.init)
        let exclude = request.exclude.map(NamePattern.init)
        for pattern in include + exclude where !names.contains(where: pattern.matches) {
            throw PareError(
                .notFound, "no parameter matches \"\(pattern.text)\"", at: model.path, found: "\"\(pattern.text)\"",
                expected: "the name of a parameter, * and ? allowed",
                hint: nearest(to: pattern.text, in: names).map { "did you mean \"\($0)\"?" } ?? "pare inspect lists the parameters")
        }
        return try model.parameters.indices.map { index in
            let name = names[index]
            if exclude.contains(where: { $0.matches(name) }) { return Candidate(index: index, grid: nil, note: "excluded") }
            let chosen = include.contains { $0.matches(name) }
            if !include.isEmpty, !chosen { return Candidate(index: index, grid: nil, note: "not included") }
            if let obstacle = obstacle(index, asked: chosen) { return Candidate(index: index, grid: nil, note: obstacle) }
            if uses[index]?.layerType == .recurrent, request.pattern.granularity != .element {
                return Candidate(index: index, grid: nil, note: "recurrent weights are pruned by element only")
            }
            return try candidate(index, request.pattern)
        }
    }

    /// Why a parameter cannot be pruned; nil if it can. Asking for it by name overrides a mere default.
    private func obstacle(_ index: Int, asked: Bool) -> String? {
        let parameter = model.parameters[index]
        guard parameter.dtype.isFloat else { return "not floating point (\(parameter.dtype.name))" }
        guard parameter.count > 0 else { return "empty" }
        if parameter.prunable { return nil }
        if asked, parameter.shape.count >= 2, readers(of: index) <= 1 { return nil }
        return parameter.reason.isEmpty ? "not a weight" : parameter.reason
    }

    private func candidate(_ index: Int, _ pattern: Pattern) throws -> Candidate {
        let parameter = model.parameters[index]
        do {
            let grid = try UnitGrid(shape: parameter.shape, layout: parameter.layout, pattern: pattern)
            if let note = grid.skipNote { return Candidate(index: index, grid: nil, note: note) }
            return Candidate(
                index: index, grid: grid, note: grid.isPadded ? "padded: \(pattern.text) does not divide \(parameter.shape)" : "")
        } catch let error as PareError {
            throw error.within("parameter \"\(parameter.name)\"")
        }
    }

    /// The tensor of a candidate as a criterion is to see it.
    func scoredTensor(_ index: Int, _ grid: UnitGrid, plugin: Plugin, allowNonfinite: Bool) throws -> ScoredTensor {
        let parameter = model.parameters[index]
        let unit = try grid.unitView(of: parameter.originalView, for: plugin)
        var tensor = ScoredTensor(
            name: parameter.name, role: parameter.role.rawValue, granularity: grid.pattern.granularity.rawValue,
            view: unit.view, unitAxes: unit.unitAxes, owner: unit.owner, isSwapped: unit.isSwapped,
            allowNonfinite: allowNonfinite)
        let perUnit = parameter.count / max(tensor.units, 1)
        if unit.view.isContiguous, !unit.isSwapped, parameter.isLargeFile {
            tensor.read = { try parameter.read(elements: $0.lowerBound * perUnit..<$0.upperBound * perUnit, into: $1) }
        }
        tensor.release = { parameter.releasePages(0..<parameter.count) }
        if plugin.needs & UInt32(PARE_NEED_NORM_SCALE) != 0, let scale = normScale(after: index) {
            let gamma = model.parameters[scale]
            if let view = try grid.perOutput(gamma.originalView, like: unit.view, for: plugin) {
                tensor.inputs[PARE_INPUT_NORM_SCALE] = view
            }
        }
        return tensor
    }
}

extension UnitGrid {
    /// The units of a stored weight as one criterion is to see them. Single elements come flat, in stored order, to a criterion
    /// that looks at weights one by one; any other sees the matrix, rows first, and its scores are put back in stored order.
    func unitView(of stored: TensorView, for plugin: Plugin) throws -> (
        view: TensorView, unitAxes: Int, owner: AnyObject?, isSwapped: Bool
    ) {
        let isFlat = plugin.has(flag: UInt32(PARE_FLAG_LOCAL)) && plugin.needs & ~UInt32(PARE_NEED_WEIGHT) == 0
        guard pattern.granularity == .element || pattern.granularity == .nm, !isFlat else {
            let unit = try view(of: stored)
            return (unit.view, unit.unitAxes, unit.owner, false)
        }
        let isSwapped = matrix.layout == .inFirst && shape.count > 1
        return (matrix.rowsFirst(stored), shape.count, nil, isSwapped)
    }

    /// A vector with one value per output feature, broadcast into the shape of a unit view; nil if it does not fit.
    func perOutput(_ vector: TensorView, like unit: TensorView, for plugin: Plugin) throws -> TensorView? {
        guard vector.count == matrix.rows, vector.shape.count == 1, !shape.isEmpty else { return nil }
        var strides = [Int](repeating: 0, count: shape.count)
        strides[matrix.layout == .inFirst && shape.count > 1 ? 1 : 0] = vector.strides[0]
        let broadcast = TensorView(base: vector.base, dtype: vector.dtype, shape: shape, strides: strides)
        let view = try unitView(of: broadcast, for: plugin).view
        return view.shape == unit.shape ? view : nil
    }
}
