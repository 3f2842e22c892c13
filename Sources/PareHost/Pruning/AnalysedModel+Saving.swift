import PareFormats
import PareGraph
import PareMask
import PareTensor

/// Totals over a model, for one sample.
public struct ModelTotals: Sendable {
    public var macs: Int
    public var parameters: Int
    /// Nodes that may cost something but whose count is not known.
    public var unknownNodes: Int
}

extension AnalysedModel {
    /// Nodes that read a parameter; 0 when there is no graph.
    public func readers(of index: Int) -> Int {
        guard let graph = model.graph, let value = model.parameters[index].valueIndex else { return 0 }
        return graph.values[value].readers.count
    }

    public var totals: ModelTotals {
        let parameters = model.parameters.reduce(0) { $0 + $1.count }
        guard model.graph != nil else {
            let macs = clampedSum(model.parameters.indices.compactMap { self.macs(of: $0) })
            return ModelTotals(macs: macs, parameters: parameters, unknownNodes: 0)
        }
        return ModelTotals(
            macs: clampedSum(nodeMacs.compactMap(\.self)), parameters: parameters, unknownNodes: nodeMacs.filter { $0 == nil }.count)
    }

    /// Where the masks that are attached now come from: the last prune request, as long as they are its own. Nothing where there is
    /// no mask; with given or changed ones the sparsity is counted again.
    private func currentProvenance() throws -> [(key: String, value: String)] {
        let parameters = model.parameters
        if decided.count == parameters.count, zip(decided, parameters).allSatisfy({ $0 === $1.mask }) { return provenance }
        let masked = parameters.filter { $0.mask != nil }
        guard !masked.isEmpty else { return [] }
        let threads = Threads()
        let zeros = try masked.reduce(0) { try $0 + $1.countZeros(under: $1.mask, threads: threads) }
        let elements = masked.reduce(0) { $0 + $1.count }
        let origin =
            provenance.isEmpty ? [("pare.version", Context.version), ("pare.pattern", pattern.reading)] : provenance
        return origin.filter { $0.0 != "pare.sparsity" } + [
            ("pare.masks", provenance.isEmpty ? "given" : "changed after pruning"),
            ("pare.sparsity", "\(elements == 0 ? 0 : Double(zeros) / Double(elements))"),
        ]
    }

    /// Writes the model with its masks applied; where they come from goes into the metadata.
    public func save(
        to path: String, format: ModelFormat? = nil, overwrite: Bool = false, provenance: Bool = true,
        progress: Progress? = nil
    ) throws {
        try model.save(
            to: path,
            options: SaveOptions(
                format: format, overwrite: overwrite, provenance: provenance ? try currentProvenance() : []),
            progress: progress)
    }

    /// Writes all attached masks into one file.
    public func saveMasks(to path: String, overwrite: Bool = false) throws {
        let masks = model.parameters.compactMap { parameter in
            parameter.mask.map { (name: parameter.name, mask: $0, pattern: pattern.text) }
        }
        guard !masks.isEmpty else {
            throw PareError(.state, "the model has no masks to save", at: model.path, hint: "prune it or attach masks first")
        }
        try MaskFile.save(masks, to: path, overwrite: overwrite)
    }

    /// Attaches the masks of a file: all of them, or none if one does not fit.
    public func loadMasks(from path: String) throws {
        let loaded = try MaskFile.load(path)
        var attach: [(parameter: Parameter, mask: Mask)] = []
        for entry in loaded {
            guard let parameter = model.parameters.first(where: { $0.name == entry.name }) else {
                let near = nearest(to: entry.name, in: model.parameters.map(\.name))
                throw PareError(
                    .notFound, "the model has no parameter \"\(entry.name)\"", at: path, found: "a mask for \"\(entry.name)\"",
                    expected: "masks made for \(model.path)", hint: near.map { "the nearest is \"\($0)\"" } ?? "")
            }
            try check(entry.mask, for: parameter, at: path)
            attach.append((parameter, entry.mask))
        }
        for (parameter, mask) in attach { parameter.mask = mask }
        if let text = loaded.first?.pattern, let parsed = try? Pattern.parse(text).pattern { pattern = parsed }
    }

    /// Attaches a mask to one parameter.
    public func setMask(_ mask: Mask, of index: Int) throws {
        let parameter = model.parameters[index]
        try check(mask, for: parameter, at: model.path)
        parameter.mask = mask
    }

    private func check(_ mask: Mask, for parameter: Parameter, at place: String) throws {
        guard mask.shape == parameter.shape else {
            throw PareError(
                .shape, "the mask of \"\(parameter.name)\" has another shape", at: place, found: "\(mask.shape)",
                expected: "\(parameter.shape)")
        }
        let index = model.parameters.firstIndex { $0 === parameter } ?? 0
        guard parameter.prunable || readers(of: index) <= 1 else {
            throw PareError(
                .unsupported, "\"\(parameter.name)\" has readers that a mask would corrupt", at: place, found: parameter.reason)
        }
    }
}
