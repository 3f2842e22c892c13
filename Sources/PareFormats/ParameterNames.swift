import PareGraph
import PareTensor

/// What names and shapes tell about parameters where there is no graph: the conventions of PyTorch and Hugging Face checkpoints.
enum ParameterNames {
    /// Set role, layout and default choice for pruning of all parameters of a checkpoint.
    static func classify(_ parameters: [Parameter], modelType: String = "", tiesEmbeddings: Bool = false) {
        let norms = Set(
            parameters.filter { $0.shape.count == 1 && $0.name.hasSuffix(".weight") }.map { $0.name.dropLast(7) })
        for parameter in parameters {
            parameter.role = role(parameter, norms)
            parameter.layout = isConv1D(parameter.name, modelType) ? .inFirst : .outFirst
            let isHead = parameter.role == .weight && isOutputLayer(parameter.name)
            parameter.prunable = parameter.role == .weight && parameter.dtype.isFloat && !isHead
            if parameter.prunable {
                parameter.reason = ""
            } else if isHead {
                parameter.reason = "output layer"
            } else if parameter.role == .embedding, tiesEmbeddings {
                parameter.reason = "embedding, tied to the output layer"
            } else {
                parameter.reason = reason(for: parameter.role, dtype: parameter.dtype)
            }
        }
    }

    static func reason(for role: ParameterRole, dtype: DType) -> String {
        switch role {
        case .weight: dtype.isFloat ? "" : "a weight of type \(dtype.name)"
        case .bias: "bias"
        case .normScale, .normShift: "parameter of a normalisation"
        case .normMean, .normVariance: "running statistic of a normalisation"
        case .embedding: "embedding"
        case .architecture: "architecture parameter"
        case .constant: "constant"
        case .other: "its name does not say what it is for"
        }
    }

    private static func role(_ parameter: Parameter, _ norms: Set<Substring>) -> ParameterRole {
        let name = parameter.name
        guard parameter.dtype.isFloat || parameter.dtype == .int8 else { return .constant }
        if name.hasSuffix("running_mean") { return .normMean }
        if name.hasSuffix("running_var") { return .normVariance }
        if name.hasSuffix("bias") {
            return norms.contains(name.dropLast(5)) ? .normShift : .bias
        }
        let last = name.split(separator: ".").last.map(String.init) ?? name
        if isEmbedding(name) { return .embedding }
        if parameter.shape.count < 2 {
            return name.hasSuffix("weight") && parameter.shape.count == 1 ? .normScale : .other
        }
        // weight, weight_ih_l0, in_proj_weight, kernel, gate_up_proj …
        let isWeight = ["weight", "kernel", "proj"].contains { last.lowercased().holds($0) } || last == "w"
        return isWeight ? .weight : .other
    }

    private static func isEmbedding(_ name: String) -> Bool {
        let parts = name.split(separator: ".")
        return parts.contains { part in
            part == "wte" || part == "wpe" || part == "shared"
                || part.hasPrefix("embed") && !part.hasPrefix("embed_out")
                || part.hasSuffix("embeddings") && part != "embeddings" || part.hasSuffix("embedding")
                || part.hasSuffix("embed") || part.hasSuffix("_token")
        } && !name.hasSuffix("projection.weight") && !name.lowercased().holds("norm")
    }

    private static func isOutputLayer(_ name: String) -> Bool {
        name.split(separator: ".").contains { $0 == "lm_head" || $0 == "embed_out" }
    }

    /// GPT-2 keeps its linear layers as [in, out].
    private static func isConv1D(_ name: String, _ modelType: String) -> Bool {
        guard modelType == "gpt2", name.hasSuffix(".weight") else { return false }
        return name.split(separator: ".").contains { $0 == "c_attn" || $0 == "c_proj" || $0 == "c_fc" || $0 == "q_attn" }
    }
}

extension String {
    /// Whether a piece occurs in the text (the library's own search needs regular expressions linked in).
    fileprivate func holds(_ piece: String) -> Bool {
        var rest = utf8[...]
        while rest.count >= piece.utf8.count {
            if rest.starts(with: piece.utf8) { return true }
            rest = rest.dropFirst()
        }
        return false
    }
}
