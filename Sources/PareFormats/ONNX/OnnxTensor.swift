import PareGraph
import PareTensor

/// Numbers of ONNX's `TensorProto.DataType`.
enum OnnxType {
    static func dtype(_ code: Int) -> DType? {
        switch code {
        case 1: .float32
        case 2: .uint8
        case 3: .int8
        case 5: .int16
        case 6: .int32
        case 7: .int64
        case 9: .bool
        case 10: .float16
        case 11: .float64
        case 16: .bfloat16
        default: nil
        }
    }

    private static let names = [
        1: "float", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 8: "string", 9: "bool",
        10: "float16", 11: "double", 12: "uint32", 13: "uint64", 14: "complex64", 15: "complex128", 16: "bfloat16",
        17: "float8e4m3fn", 18: "float8e4m3fnuz", 19: "float8e5m2", 20: "float8e5m2fnuz", 21: "uint4", 22: "int4",
        23: "float4e2m1", 24: "float8e8m0", 25: "uint2", 26: "int2",
    ]

    static func name(_ code: Int) -> String { names[code] ?? "type \(code)" }
}

/// A `TensorProto` in place: what it says, and where in the file its parts are.
struct OnnxTensor {
    enum Contents {
        /// In the file as plain little-endian bytes: raw_data, or packed float_data and double_data.
        case plain(Range<Int>)
        /// Was encoded otherwise.
        case decoded(OwnedBuffer)
        /// In another file.
        case external(MappedFile, Range<Int>)
        /// Of a type that Pare does not read, or without elements.
        case none
    }

    var name: String
    var shape: [Int]
    var type: Int
    var frame: Int
    /// Where the message begins, for messages.
    var offset: Int
    /// Fields that hold data, in file order; replaced together when the encoding changes.
    var dataFields: [WireField]
    /// Fields that say where the data is; they go when it moves.
    var placeFields: [WireField] = []
    var external: OnnxExternal?
    var contents: Contents

    var dtype: DType? { OnnxType.dtype(type) }

    var stored: StoredBytes? {
        get throws {
            guard dtype != nil else { return nil }
            switch contents {
            case .decoded(let buffer): return .owned(buffer)
            case .external(let file, let range): return .mapped(file, range)
            case .plain(let range): return source.map { .mapped($0, range) }
            case .none: return .owned(try OwnedBuffer(count: 0))
            }
        }
    }

    var source: MappedFile?

    func data() throws -> TensorData? {
        guard let dtype, let stored = try stored else { return nil }
        return TensorData(dtype: dtype, shape: shape, bytes: stored.bytes, owner: stored.owner)
    }
}

/// Entries of `external_data`.
struct OnnxExternal {
    var location = ""
    /// The field with the location's text, and the entry it is in: what a rename replaces.
    var locationField: WireField?
    var entryFrame = -1
    var offset = 0
    var length: Int?
}

/// Reads one `TensorProto`.
struct OnnxTensorReader {
    let file: MappedFile
    let label: String
    private var tensor: OnnxTensor
    private var raw: WireField?
    private var floats: [WireField] = []
    private var int32s: [WireField] = []
    private var int64s: [WireField] = []
    private var doubles: [WireField] = []
    private var others: [WireField] = []
    private var isExternal = false

    static func read(_ field: WireField, _ context: OnnxContext, parent: Int, label: String) throws -> OnnxTensor {
        let frame = context.push(field, parent: parent)
        var reader = OnnxTensorReader(field, frame, context, label)
        try reader.readFields(field, context)
        return try reader.finish(context)
    }

    private init(_ field: WireField, _ frame: Int, _ context: OnnxContext, _ label: String) {
        file = context.file
        self.label = label
        tensor = OnnxTensor(
            name: "", shape: [], type: 0, frame: frame, offset: field.range.lowerBound, dataFields: [], external: nil,
            contents: .none, source: context.file)
    }

    private mutating func readFields(_ field: WireField, _ context: OnnxContext) throws {
        var reader = WireReader(file, field.body)
        while let field = try reader.next() {
            switch field.number {
            case 1: try reader.appendInts(field, "shape of a tensor", to: &tensor.shape)
            case 2: tensor.type = try reader.int(field, "type of a tensor")
            case 3: throw error(.unsupported, "tensors in segments are not supported")
            case 4: floats.append(field)
            case 5: int32s.append(field)
            case 7: int64s.append(field)
            case 10: doubles.append(field)
            case 6, 11: others.append(field)
            case 8: tensor.name = try reader.string(field, "name of a tensor")
            case 9:
                try reader.expect(.bytes, field, "raw data of a tensor")
                if raw != nil { throw error(.format, "a tensor has its raw data twice") }
                raw = field
            case 13:
                tensor.placeFields.append(field)
                try readExternal(field, reader, context)
            case 14:
                tensor.placeFields.append(field)
                isExternal = try reader.int(field, "data location of a tensor") == 1
            default: break
            }
        }
    }

    private mutating func readExternal(_ field: WireField, _ outer: WireReader, _ context: OnnxContext) throws {
        var entry = try outer.message(field, "external data entry")
        var key = ""
        var value: (text: String, field: WireField)?
        while let part = try entry.next() {
            if part.number == 1 { key = try entry.string(part, "key of external data") }
            if part.number == 2 { value = (try entry.string(part, "value of external data"), part) }
        }
        guard let value else { return }
        var external = tensor.external ?? OnnxExternal()
        switch key {
        case "location":
            external.location = value.text
            external.locationField = value.field
            external.entryFrame = context.push(field, parent: tensor.frame)
        case "offset": external.offset = try position(value.text, key)
        case "length": external.length = try position(value.text, key)
        default: break
        }
        tensor.external = external
    }

    private func position(_ text: String, _ key: String) throws -> Int {
        guard let value = Int(text), value >= 0 else {
            throw error(.format, "the \(key) of external data is not a size", found: "\"\(text)\"")
        }
        return value
    }

    private mutating func finish(_ context: OnnxContext) throws -> OnnxTensor {
        tensor.dataFields = (floats + int32s + int64s + doubles + others + (raw.map { [$0] } ?? []))
            .sorted { $0.range.lowerBound < $1.range.lowerBound }
        if tensor.type == 0 { throw error(.format, "a tensor has no type") }
        guard let count = checkedCount(tensor.shape, elementSize: 16) else {
            throw error(
                .shape, "the shape of a tensor is impossible", found: "\(tensor.shape)",
                expected: "sizes ≥ 0 whose product fits 64 bits")
        }
        if isExternal {
            try finishExternal(count, context)
        } else if let dtype = tensor.dtype {
            tensor.external = nil
            try finishInline(count, dtype)
        }
        return tensor
    }

    private mutating func finishExternal(_ count: Int, _ context: OnnxContext) throws {
        guard let external = tensor.external, external.locationField != nil else {
            throw error(.format, "a tensor with external data names no file")
        }
        if !tensor.dataFields.isEmpty {
            throw error(.format, "a tensor has data both in the model and in an external file")
        }
        let data: MappedFile
        do { data = try context.external.open(external.location) } catch let problem as PareError {
            throw problem.within(place)
        }
        let expected = tensor.dtype.map { count * $0.size }
        let length = external.length ?? expected ?? max(data.count - external.offset, 0)
        if let expected, length != expected {
            throw error(
                .format, "the external data does not fit the tensor's shape", found: "\(length) bytes",
                expected: "\(expected) bytes")
        }
        guard external.offset <= data.count, length <= data.count - external.offset else {
            throw error(
                .format, "the external data ends too early", found: "\(data.path) of \(data.count) bytes",
                expected: "\(length) bytes from byte \(external.offset) on")
        }
        tensor.contents = .external(data, external.offset..<external.offset + length)
        context.externalTensors.append(tensor)
    }

    private mutating func finishInline(_ count: Int, _ dtype: DType) throws {
        let size = count * dtype.size
        if let raw {
            guard floats.isEmpty, int32s.isEmpty, int64s.isEmpty, doubles.isEmpty else {
                throw error(.format, "a tensor has its data twice, raw and typed")
            }
            try check(raw.body.count, size, "bytes")
            tensor.contents = .plain(raw.body)
            return
        }
        switch dtype {
        case .float32: try plainOrJoined(floats, 4, .fixed32, size)
        case .float64: try plainOrJoined(doubles, 8, .fixed64, size)
        case .int64: try decode(int64s, count, dtype)
        default: try decode(int32s, count, dtype)
        }
    }

    /// float_data and double_data: packed they are plain bytes already.
    private mutating func plainOrJoined(_ fields: [WireField], _ width: Int, _ single: WireField.Kind, _ size: Int) throws {
        for field in fields where field.kind != single {
            let reader = WireReader(file, field.body)
            try reader.expect(.bytes, field, "data of \(subject)")
            try reader.expectMultiple(of: width, field, "data of \(subject)")
        }
        try check(fields.reduce(0) { $0 + $1.body.count }, size, "bytes")
        if fields.isEmpty { return }
        if fields.count == 1 {
            tensor.contents = .plain(fields[0].body)
            return
        }
        let buffer = try OwnedBuffer(count: size)
        var at = 0
        for field in fields {
            UnsafeMutableRawBufferPointer(rebasing: buffer.mutableBytes[at...])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: file.bytes[field.body]))
            at += field.body.count
        }
        tensor.contents = .decoded(buffer)
    }

    /// int32_data and int64_data: varints. int32_data also holds the small integers and the bits of 16-bit floats.
    private mutating func decode(_ fields: [WireField], _ count: Int, _ dtype: DType) throws {
        var values: [Int] = []
        for field in fields {
            try WireReader(file, field.body).appendInts(field, "data of \(subject)", to: &values)
        }
        try check(values.count, count, "elements")
        if count == 0 { return }
        let buffer = try OwnedBuffer(count: count * dtype.size)
        for (index, value) in values.enumerated() {
            guard dtype.accepts(value) else {
                throw error(
                    .format, "a value does not fit the tensor's type", found: "\(value) at element \(index)",
                    expected: OnnxType.name(tensor.type))
            }
            let target = buffer.base + index * dtype.size
            switch dtype.size {
            case 1: target.storeBytes(of: UInt8(truncatingIfNeeded: value), as: UInt8.self)
            case 2: target.storeBytes(of: UInt16(truncatingIfNeeded: value), as: UInt16.self)
            case 4: target.storeBytes(of: UInt32(truncatingIfNeeded: value), as: UInt32.self)
            default: target.storeBytes(of: value, as: Int.self)
            }
        }
        tensor.contents = .decoded(buffer)
    }

    private func check(_ found: Int, _ expected: Int, _ unit: String) throws {
        guard found != expected else { return }
        throw error(
            .format, "the data of a tensor does not fit its shape \(tensor.shape)", found: "\(found) \(unit)",
            expected: "\(expected) \(unit)")
    }

    private var subject: String { tensor.name.isEmpty ? label : "\(label) \"\(tensor.name)\"" }

    private var place: String { "\(file.path): \(subject) at byte \(tensor.offset)" }

    private func error(_ status: Status, _ what: String, found: String = "", expected: String = "") -> PareError {
        PareError(status, what, at: place, found: found, expected: expected)
    }
}

extension DType {
    /// Whether an int32_data or int64_data entry is a value of this type.
    fileprivate func accepts(_ value: Int) -> Bool {
        switch self {
        case .bool: value == 0 || value == 1
        case .uint8: UInt8(exactly: value) != nil
        case .int8: Int8(exactly: value) != nil
        case .int16: Int16(exactly: value) != nil
        case .int32: Int32(exactly: value) != nil
        case .float16, .bfloat16: UInt16(exactly: value) != nil
        default: true
        }
    }
}
