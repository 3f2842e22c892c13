import PareTensor

/// Quantisation and its inverse keep shapes.
enum Quantized {
    static let rules: [String: Rule] = [
        "QuantizeLinear": { view in
            let named = view.node.attribute("output_dtype") == nil ? nil : DType(onnx: view.node.int("output_dtype", default: 0))
            return [Fact(view.has(2) ? view.dtype(2) : named ?? .uint8, view.shape(0))]
        },
        "DequantizeLinear": { [Fact($0.dtype(1), $0.shape(0))] },
        "DynamicQuantizeLinear": { [Fact(.uint8, $0.shape(0)), Fact(.float32, []), Fact(.uint8, [])] },
    ]
}
