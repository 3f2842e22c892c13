@preconcurrency import Glibc
import PareTensor

/// Operators that work on each element alone, with numpy broadcasting where there are several inputs.
enum Elementwise {
    static let rules: [String: Rule] = {
        var rules: [String: Rule] = [:]
        for name in shapeKeeping { rules[name] = keep }
        for (name, function) in foldedUnary { rules[name] = unary(function) }
        for (name, function) in foldedBinary { rules[name] = variadic(function) }
        for (name, function) in tests { rules[name] = variadic(function, dtype: .bool) }
        for name in ["Mean", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "PRelu"] { rules[name] = variadic(nil) }
        for name in ["IsNaN", "IsInf"] { rules[name] = { [Fact(.bool, $0.shape(0))] } }
        rules["Not"] = { view in
            [map(view.fact(0), to: .bool) { element in element.int.map { .int($0 == 0 ? 1 : 0) } ?? .unknown }]
        }
        rules["Mod"] = { view in
            let truncating = view.node.int("fmod", default: 0) != 0
            return [try combine(view.inputs, dtype: view.dtype(0)) { Arithmetic.modulo($0, $1, truncating: truncating) }]
        }
        rules["Where"] = select
        rules["Cast"] = { cast($0, to: DType(onnx: $0.node.int("to", default: 0))) }
        rules["CastLike"] = { cast($0, to: $0.dtype(1)) }
        rules["Identity"] = { [$0.fact(0)] }
        rules["Dropout"] = { view in
            var data = view.fact(0)
            data.elements = nil
            data.constant = nil
            return [data, Fact(.bool, data.shape)]
        }
        rules["Clip"] = clip
        return rules
    }()

    /// One input decides shape and type; contents are not followed.
    private static let shapeKeeping = [
        "Erf", "Gelu", "Relu", "LeakyRelu", "Elu", "Celu", "Selu", "ThresholdedRelu", "Shrink", "Sigmoid", "HardSigmoid",
        "HardSwish", "Swish", "Mish", "Softplus", "Softsign", "Tanh", "Softmax", "LogSoftmax", "Hardmax", "Log", "Sin",
        "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh", "BitwiseNot", "ReverseSequence",
        "CumProd",
    ]

    private static let foldedUnary: [(String, Arithmetic.Unary)] = [
        ("Sqrt", Arithmetic.real { $0.squareRoot() }), ("Reciprocal", Arithmetic.real { 1 / $0 }),
        ("Exp", Arithmetic.real { exp($0) }), ("Neg", Arithmetic.negate),
        ("Floor", Arithmetic.rounding { $0.rounded(.down) }), ("Ceil", Arithmetic.rounding { $0.rounded(.up) }),
        ("Round", Arithmetic.rounding { $0.rounded(.toNearestOrEven) }),
        (
            "Abs",
            { element in
                switch element {
                case .int(let value): value == .min ? .unknown : .int(abs(value))
                case .real(let value): .real(abs(value))
                default: element
                }
            }
        ),
        (
            "Sign",
            { element in
                switch element {
                case .int(let value): .int(value.signum())
                case .real(let value) where value == 0: .real(0)
                case .real(let value): .real(value > 0 ? 1 : -1)
                default: .unknown
                }
            }
        ),
    ]

    private static let foldedBinary: [(String, Arithmetic.Binary)] = [
        ("Add", Arithmetic.add), ("Sub", Arithmetic.subtract), ("Mul", Arithmetic.multiply), ("Div", Arithmetic.divide),
        ("Pow", Arithmetic.power), ("Min", Arithmetic.smallest), ("Max", Arithmetic.largest), ("Sum", Arithmetic.add),
    ]

    private static let tests: [(String, Arithmetic.Binary)] = [
        ("Equal", Arithmetic.equal), ("Less", Arithmetic.compare { $0 < $1 }), ("LessOrEqual", Arithmetic.compare { $0 <= $1 }),
        ("Greater", Arithmetic.compare { $0 > $1 }), ("GreaterOrEqual", Arithmetic.compare { $0 >= $1 }),
        ("And", Arithmetic.logical { $0 && $1 }), ("Or", Arithmetic.logical { $0 || $1 }),
        ("Xor", Arithmetic.logical { $0 != $1 }),
    ]

    static let keep: Rule = { [Fact($0.dtype(0), $0.shape(0))] }

    private static func unary(_ function: @escaping Arithmetic.Unary) -> Rule {
        { view in [map(view.fact(0), to: view.dtype(0), function)] }
    }

    private static func variadic(_ function: Arithmetic.Binary?, dtype: DType? = nil) -> Rule {
        { view in [try combine(view.inputs, dtype: dtype ?? view.inputs.lazy.compactMap { $0?.dtype }.first, function)] }
    }

    static func map(_ input: Fact, to dtype: DType?, _ function: Arithmetic.Unary) -> Fact {
        guard let block = input.block else { return Fact(dtype, input.shape) }
        let elements = block.elements.map { Arithmetic.round(function($0), to: dtype) }
        return Block(shape: block.shape, elements: elements).map { Fact(dtype, $0) } ?? Fact(dtype, input.shape)
    }

    /// Broadcasts all inputs and folds their contents where every one is followed.
    static func combine(_ inputs: [Fact?], dtype: DType?, _ function: Arithmetic.Binary?) throws -> Fact {
        let present = inputs.compactMap { $0 }
        let shapes = present.compactMap(\.shape)
        guard shapes.count == present.count, !shapes.isEmpty else { return Fact(dtype) }
        let result = Fact(dtype, try Broadcast.shapes(shapes))
        guard let function, let sizes = result.sizes, (checkedCount(sizes) ?? .max) <= Block.limit else { return result }
        var blocks: [Block] = []
        for fact in present {
            guard let block = fact.block?.expanded(to: sizes) else { return result }
            blocks.append(block)
        }
        let elements = blocks.dropFirst().reduce(blocks[0].elements) { so, next in
            zip(so, next.elements).map { Arithmetic.round(function($0, $1), to: dtype) }
        }
        return Block(shape: sizes, elements: elements).map { Fact(dtype, $0) } ?? result
    }

    private static let select: Rule = { view in
        let dtype = view.dtype(1) ?? view.dtype(2)
        var result = try combine([view.fact(0), view.fact(1), view.fact(2)], dtype: dtype, nil)
        guard let sizes = result.sizes, let test = view.block(0)?.expanded(to: sizes),
            let yes = view.block(1)?.expanded(to: sizes), let no = view.block(2)?.expanded(to: sizes)
        else { return [result] }
        result.elements = test.elements.indices.map { index in
            switch test.elements[index] {
            case .int(0): no.elements[index]
            case .int: yes.elements[index]
            default: yes.elements[index] == no.elements[index] ? yes.elements[index] : .unknown
            }
        }
        return [result]
    }

    private static func cast(_ view: NodeView, to dtype: DType?) -> [Fact] {
        guard let dtype else { return [Fact(nil, view.shape(0))] }
        if dtype == view.dtype(0) { return [view.fact(0)] }
        return [map(view.fact(0), to: dtype) { Arithmetic.cast($0, to: dtype) }]
    }

    private static let clip: Rule = { view in
        var result = Fact(view.dtype(0), view.shape(0))
        guard let block = view.block(0), view.node.attribute("min") == nil, view.node.attribute("max") == nil else {
            return [result]
        }
        let low = view.block(1)?.elements.first, high = view.block(2)?.elements.first
        guard low != nil || !view.has(1), high != nil || !view.has(2) else { return [result] }
        result.elements = block.elements.map { element in
            let raised = low.map { Arithmetic.largest(element, $0) } ?? element
            return high.map { Arithmetic.smallest(raised, $0) } ?? raised
        }
        return [result]
    }
}

extension DType {
    /// From `TensorProto.DataType`; nil for the types Pare does not read.
    init?(onnx code: Int) {
        switch code {
        case 1: self = .float32
        case 2: self = .uint8
        case 3: self = .int8
        case 5: self = .int16
        case 6: self = .int32
        case 7: self = .int64
        case 9: self = .bool
        case 10: self = .float16
        case 11: self = .float64
        case 16: self = .bfloat16
        default: return nil
        }
    }
}
