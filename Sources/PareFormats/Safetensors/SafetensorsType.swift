import PareTensor

/// Element types of the safetensors format. `dtype` is nil for those that Pare keeps but does not compute with.
struct SafetensorsType: Equatable {
    var name: String
    var bits: Int
    var dtype: DType?

    static let all: [SafetensorsType] = [
        .init(name: "F32", bits: 32, dtype: .float32), .init(name: "F16", bits: 16, dtype: .float16),
        .init(name: "BF16", bits: 16, dtype: .bfloat16), .init(name: "F64", bits: 64, dtype: .float64),
        .init(name: "I8", bits: 8, dtype: .int8), .init(name: "U8", bits: 8, dtype: .uint8),
        .init(name: "I16", bits: 16, dtype: .int16), .init(name: "I32", bits: 32, dtype: .int32),
        .init(name: "I64", bits: 64, dtype: .int64), .init(name: "BOOL", bits: 8, dtype: .bool),
        .init(name: "U16", bits: 16), .init(name: "U32", bits: 32), .init(name: "U64", bits: 64),
        .init(name: "C64", bits: 64), .init(name: "F8_E4M3", bits: 8), .init(name: "F8_E5M2", bits: 8),
        .init(name: "F8_E8M0", bits: 8), .init(name: "F8_E4M3FNUZ", bits: 8), .init(name: "F8_E5M2FNUZ", bits: 8),
        .init(name: "F6_E2M3", bits: 6), .init(name: "F6_E3M2", bits: 6), .init(name: "F4", bits: 4),
    ]

    init(name: String, bits: Int, dtype: DType? = nil) {
        self.name = name
        self.bits = bits
        self.dtype = dtype
    }

    static func named(_ name: String) -> SafetensorsType? { all.first { $0.name == name } }

    static func name(of dtype: DType) -> String { all.first { $0.dtype == dtype }?.name ?? "" }

    /// Bytes of that many elements; nil where they overflow or end inside a byte.
    func bytes(_ shape: [Int]) -> Int? {
        guard let count = checkedCount(shape) else { return nil }
        let (total, overflow) = count.multipliedReportingOverflow(by: bits)
        return overflow || total % 8 != 0 ? nil : total / 8
    }
}
