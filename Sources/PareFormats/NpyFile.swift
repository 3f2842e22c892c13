import PareTensor

/// One array in NumPy's own format, versions 1 to 3.
///
/// Little-endian only. An array in Fortran order is turned into C order when it is opened, and saved so if it was changed.
final class NpyFile {
    static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)

    private let file: MappedFile
    private let dtype: DType
    private let shape: [Int]
    private let isFortran: Bool
    private let stored: StoredBytes

    init(_ file: MappedFile) throws {
        self.file = file
        let (text, start) = try NpyFile.header(file)
        var parser = NpyHeaderParser(text, file: file.path, origin: text.startIndex)
        let fields = try parser.parse()
        guard let dtype = NpyFile.dtype(fields.descr) else {
            throw PareError(
                .dtype, "the element type is not supported", at: file.path, found: "'\(fields.descr)'",
                expected: "little-endian f2, f4, f8, i1, i2, i4, i8, u1 or b1")
        }
        guard let count = checkedCount(fields.shape, elementSize: dtype.size) else {
            throw PareError(.shape, "the shape is impossible", at: file.path, found: "\(fields.shape)")
        }
        guard file.count - start == count * dtype.size else {
            throw PareError(
                .format, "the data does not fit the shape \(fields.shape)", at: "\(file.path): byte \(start)",
                found: "\(file.count - start) bytes", expected: "\(count * dtype.size) bytes")
        }
        self.dtype = dtype
        shape = fields.shape
        isFortran = fields.isFortran && shape.count > 1
        let range = start..<file.count
        stored = isFortran ? .owned(try NpyFile.inRowOrder(file, range, dtype, shape)) : .mapped(file, range)
    }

    private static func header(_ file: MappedFile) throws -> (Slice<UnsafeRawBufferPointer>, Int) {
        let version = file.count > 7 ? file.bytes[6] : 0
        let lengthSize = version == 1 ? 2 : 4
        guard file.begins(with: magic), (1...3).contains(version), file.count >= 8 + lengthSize else {
            throw PareError(
                .format, "the file is not a .npy file", at: "\(file.path): byte 6", found: "version \(version)",
                expected: "version 1, 2 or 3")
        }
        var length = 0
        for index in (8..<8 + lengthSize).reversed() { length = length << 8 | Int(file.bytes[index]) }
        let start = 8 + lengthSize
        guard length <= file.count - start else {
            throw PareError(
                .format, "the file is cut short inside the header", at: "\(file.path): byte \(file.count)",
                found: "\(file.count - start) bytes of it", expected: "\(length) bytes")
        }
        return (file.bytes[start..<start + length], start + length)
    }

    private static func dtype(_ descr: String) -> DType? {
        switch descr {
        case "<f2": .float16
        case "<f4": .float32
        case "<f8": .float64
        case "|i1", "<i1": .int8
        case "|u1", "<u1": .uint8
        case "<i2": .int16
        case "<i4": .int32
        case "<i8": .int64
        case "|b1", "<b1": .bool
        default: nil
        }
    }

    private static func inRowOrder(
        _ file: MappedFile, _ range: Range<Int>, _ dtype: DType, _ shape: [Int]
    ) throws -> OwnedBuffer {
        let buffer = try OwnedBuffer(count: range.count)
        var strides = [Int](repeating: 1, count: shape.count)
        for axis in 1..<shape.count { strides[axis] = strides[axis - 1] &* max(shape[axis - 1], 1) }
        let base = file.bytes.baseAddress.map { UnsafeMutableRawPointer(mutating: $0 + range.lowerBound) }
        try copyElements(
            TensorView(base: base, dtype: dtype, shape: shape, strides: strides), to: buffer.base, as: dtype)
        return buffer
    }

    func parameter() -> Parameter {
        var name = Path.name(of: file.path)
        if name.hasSuffix(".npy") { name = String(name.dropLast(4)) }
        return Parameter(name: name, dtype: dtype, shape: shape, stored: stored)
    }
}

extension NpyFile: Container {
    var inputs: Set<FileIdentity> { Set([file.identity].compactMap { $0 }) }

    func plan(_ model: Model, _ target: SaveTarget) throws -> SavePlan {
        let parameter = model.parameters[0]
        if parameter.isChanged { return SavePlan(files: [try NpyFile.plan(parameter, target.path)], inputs: inputs) }
        var plan = FilePlan(path: target.path)
        plan.copy(0..<file.count, of: file)
        return SavePlan(files: [plan], inputs: inputs)
    }

    /// A version 1 file in C order, as `numpy.save` writes it.
    static func plan(_ parameter: Parameter, _ path: String) throws -> FilePlan {
        let shape = parameter.shape.map { String($0) }.joined(separator: ", ") + (parameter.shape.count == 1 ? "," : "")
        let text = "{'descr': '\(try descr(parameter))', 'fortran_order': False, 'shape': (\(shape)), }"
        var header = Array(text.utf8)
        let padding = (64 - (10 + header.count + 1) % 64) % 64
        header += [UInt8](repeating: UInt8(ascii: " "), count: padding) + [UInt8(ascii: "\n")]
        guard header.count < 1 << 16 else {
            throw PareError(.unsupported, "the shape is too long for a .npy file", at: parameter.name)
        }
        var plan = FilePlan(path: path)
        plan.append(magic + [1, 0, UInt8(header.count & 0xFF), UInt8(header.count >> 8)] + header)
        plan.segments.append(.parameter(parameter))
        return plan
    }

    private static func descr(_ parameter: Parameter) throws -> String {
        switch parameter.dtype {
        case .float16: "<f2"
        case .float32: "<f4"
        case .float64: "<f8"
        case .int8: "|i1"
        case .uint8: "|u1"
        case .int16: "<i2"
        case .int32: "<i4"
        case .int64: "<i8"
        case .bool: "|b1"
        case .bfloat16:
            throw PareError(
                .unsupported, "this element type has no place in a .npy file", at: parameter.name,
                found: parameter.dtype.name, hint: "save as safetensors")
        }
    }
}

/// The header of a .npy file: a Python dictionary of three known entries.
struct NpyHeaderParser {
    private let text: Slice<UnsafeRawBufferPointer>
    private let file: String
    private var at: Int

    init(_ text: Slice<UnsafeRawBufferPointer>, file: String, origin: Int) {
        self.text = text
        self.file = file
        at = origin
    }

    mutating func parse() throws -> (descr: String, isFortran: Bool, shape: [Int]) {
        var descr: String?
        var isFortran: Bool?
        var shape: [Int]?
        try expect("{")
        while !take("}") {
            let key = try string()
            try expect(":")
            switch key {
            case "descr" where descr == nil: descr = try string()
            case "fortran_order" where isFortran == nil: isFortran = try truth()
            case "shape" where shape == nil: shape = try tuple()
            default: throw error("an entry '\(key)' is not expected")
            }
            if !take(",") {
                try expect("}")
                break
            }
        }
        skipSpace()
        guard at == text.endIndex, let descr, let isFortran, let shape else {
            throw error("the header of a .npy file is not as it should be")
        }
        return (descr, isFortran, shape)
    }

    private mutating func skipSpace() {
        while at < text.endIndex, [0x20, 0x0A, 0x09, 0x0D].contains(text[at]) { at += 1 }
    }

    private mutating func take(_ token: String) -> Bool {
        skipSpace()
        guard text[at...].starts(with: token.utf8) else { return false }
        at += token.utf8.count
        return true
    }

    private mutating func expect(_ token: String) throws {
        if !take(token) { throw error("the header of a .npy file is not as it should be", expected: "'\(token)'") }
    }

    private mutating func truth() throws -> Bool {
        if take("True") { return true }
        try expect("False")
        return false
    }

    private mutating func string() throws -> String {
        try expect("'")
        let start = at
        while at < text.endIndex, text[at] != UInt8(ascii: "'") { at += 1 }
        let value = String(decoding: text[start..<at], as: UTF8.self)
        try expect("'")
        return value
    }

    private mutating func tuple() throws -> [Int] {
        var sizes: [Int] = []
        try expect("(")
        while !take(")") {
            skipSpace()
            let start = at
            while at < text.endIndex, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(text[at]) { at += 1 }
            guard let size = Int(String(decoding: text[start..<at], as: UTF8.self)) else {
                throw error("a size in the shape of a .npy file is not a number")
            }
            sizes.append(size)
            if !take(",") {
                try expect(")")
                break
            }
        }
        return sizes
    }

    private func error(_ what: String, expected: String = "") -> PareError {
        PareError(.format, what, at: "\(file): byte \(at)", expected: expected)
    }
}
