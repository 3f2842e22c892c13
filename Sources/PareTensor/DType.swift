/// Element types. Raw values are Pare's own; `code` and `bits` are those of the tensor view at the border.
public enum DType: UInt8, CaseIterable, Sendable {
    case float32, float64, float16, bfloat16
    case int8, uint8, int16, int32, int64
    case bool

    /// Bytes of one element.
    public var size: Int {
        switch self {
        case .int8, .uint8, .bool: 1
        case .float16, .bfloat16, .int16: 2
        case .float32, .int32: 4
        case .float64, .int64: 8
        }
    }

    /// DLPack type code: 0 int, 1 uint, 2 float, 4 bfloat, 6 bool.
    public var code: UInt8 {
        switch self {
        case .int8, .int16, .int32, .int64: 0
        case .uint8: 1
        case .float16, .float32, .float64: 2
        case .bfloat16: 4
        case .bool: 6
        }
    }

    public var bits: UInt8 { UInt8(size * 8) }

    public init?(code: UInt8, bits: UInt8, lanes: UInt16 = 1) {
        guard lanes == 1, let match = DType.allCases.first(where: { $0.code == code && $0.bits == bits }) else {
            return nil
        }
        self = match
    }

    public var isFloat: Bool { code == 2 || code == 4 }

    /// Short name as in messages and reports: f32, bf16, i64, bool.
    public var name: String {
        switch self {
        case .float32: "f32"
        case .float64: "f64"
        case .float16: "f16"
        case .bfloat16: "bf16"
        case .int8: "i8"
        case .uint8: "u8"
        case .int16: "i16"
        case .int32: "i32"
        case .int64: "i64"
        case .bool: "bool"
        }
    }
}
