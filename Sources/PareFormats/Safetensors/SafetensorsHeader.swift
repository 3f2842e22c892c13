import PareTensor

/// The header of a safetensors file, checked as the reference implementation does: eight bytes of length, a JSON object, then the
/// tensors' bytes without holes, overlaps or a rest.
struct SafetensorsHeader {
    struct Entry {
        var name: String
        var type: SafetensorsType
        var shape: [Int]
        /// In the file.
        var range: Range<Int>
        /// Where in the file the header speaks of it.
        var offset: Int
    }

    static let metadataName = "__metadata__"
    static let limit = 100_000_000

    let file: MappedFile
    /// In the header's order.
    private(set) var entries: [Entry] = []
    private(set) var metadata: [(key: String, value: String)] = []
    /// Bytes of the JSON object, and in it of the metadata member where there is one.
    private let object: Range<Int>
    private var metadataMember: Range<Int>?
    let dataStart: Int

    init(_ file: MappedFile) throws {
        self.file = file
        let length = try SafetensorsHeader.length(file)
        dataStart = 8 + length
        let text = UnsafeRawBufferPointer(rebasing: file.bytes[8..<dataStart])
        guard text.first == UInt8(ascii: "{") else {
            throw PareError(
                .format, "is not a safetensors file", at: "\(file.path): byte 8",
                found: text.first.map { String.hexadecimal($0) } ?? "nothing", expected: "a JSON object")
        }
        let root = try JSONParser.parse(text, file: file.path, origin: 8)
        object = root.range
        for member in root.members ?? [] {
            if member.name == SafetensorsHeader.metadataName {
                metadata = try readMetadata(member.value)
                metadataMember = member.range
            } else {
                entries.append(try readEntry(member))
            }
        }
        try checkLayout()
    }

    private static func length(_ file: MappedFile) throws -> Int {
        guard file.count >= 8 else {
            throw PareError(
                .format, file.count == 0 ? "is empty" : "is too short for a safetensors file", at: file.path,
                found: "\(file.count) bytes", expected: "at least 8")
        }
        let length = UInt64(littleEndian: file.bytes.loadUnaligned(as: UInt64.self))
        guard length <= UInt64(limit) else {
            throw PareError(
                .format, "the header is too long", at: "\(file.path): byte 0", found: "\(length) bytes",
                expected: "at most \(limit)", hint: "the file is probably not a safetensors file")
        }
        guard length <= UInt64(file.count - 8) else {
            throw PareError(
                .format, "is cut short inside the header", at: "\(file.path): byte \(file.count)",
                found: "\(file.count - 8) bytes of it", expected: "\(length) bytes",
                hint: "the file may not have been downloaded completely")
        }
        return Int(length)
    }

    private func readMetadata(_ value: JSONValue) throws -> [(key: String, value: String)] {
        guard let members = value.members else { throw wrong("the metadata", value, "an object of strings") }
        return try members.map { member in
            guard let text = member.value.string else {
                throw wrong("the metadata entry \(JSONText.quoted(member.name))", member.value, "a string")
            }
            return (member.name, text)
        }
    }

    private func readEntry(_ member: JSONMember) throws -> Entry {
        let label = "tensor \(JSONText.quoted(member.name))"
        guard let name = member.value["dtype"]?.string else { throw wrong(label, member.value, "a dtype") }
        guard let type = SafetensorsType.named(name) else {
            throw PareError(
                .dtype, "the element type is unknown", at: "\(file.path): \(label) at byte \(member.range.lowerBound)",
                found: JSONText.quoted(name), expected: SafetensorsType.all.map { $0.name }.joined(separator: ", "))
        }
        guard let sizes = member.value["shape"]?.array else { throw wrong(label, member.value, "a shape") }
        let shape = try sizes.map { size in
            guard let value = size.int, value >= 0 else { throw wrong("the shape of \(label)", size, "sizes ≥ 0") }
            return value
        }
        guard let offsets = member.value["data_offsets"]?.array, offsets.count == 2, let begin = offsets[0].int,
            let end = offsets[1].int, begin >= 0, end >= begin
        else { throw wrong(label, member.value["data_offsets"] ?? member.value, "two ascending data_offsets") }
        guard end <= file.count - dataStart else {
            throw PareError(
                .format, "is cut short: the data of a tensor ends behind the file",
                at: "\(file.path): \(label) at byte \(member.range.lowerBound)", found: "data_offsets up to \(end)",
                expected: "at most \(file.count - dataStart)", hint: "the file may not have been downloaded completely")
        }
        guard let size = type.bytes(shape) else {
            throw PareError(
                .shape, "the shape of a tensor is impossible",
                at: "\(file.path): \(label) at byte \(member.range.lowerBound)", found: "\(shape)",
                expected: "sizes whose product fits 64 bits and ends at a whole byte")
        }
        guard size == end - begin else {
            throw PareError(
                .format, "the data of a tensor does not fit its shape \(shape) of \(type.name)",
                at: "\(file.path): \(label) at byte \(member.range.lowerBound)", found: "\(end - begin) bytes",
                expected: "\(size) bytes")
        }
        return Entry(
            name: member.name, type: type, shape: shape, range: dataStart + begin..<dataStart + end,
            offset: member.range.lowerBound)
    }

    private func checkLayout() throws {
        var at = dataStart
        var last = "the header"
        let order = entries.sorted { ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound) }
        for entry in order {
            guard entry.range.lowerBound == at else {
                let overlap = entry.range.lowerBound < at
                throw PareError(
                    .format, overlap ? "two tensors overlap" : "there is a hole between two tensors",
                    at: "\(file.path): tensor \(JSONText.quoted(entry.name)) at byte \(entry.offset)",
                    found: "its data at byte \(entry.range.lowerBound)", expected: "byte \(at), where \(last) ends")
            }
            at = entry.range.upperBound
            last = JSONText.quoted(entry.name)
        }
        guard at == file.count else {
            throw PareError(
                .format, "there are bytes behind the last tensor", at: "\(file.path): byte \(at)",
                found: "\(file.count - at) bytes", expected: "the end of the file")
        }
    }

    private func wrong(_ what: String, _ value: JSONValue, _ expected: String) -> PareError {
        PareError(
            .format, "\(what) is not as it should be", at: "\(file.path): byte \(value.range.lowerBound)",
            found: value.kindName, expected: expected)
    }
}

extension SafetensorsHeader {
    /// Length and header for these metadata entries; the rest of the header stays as it is, byte for byte.
    func rewritten(_ wanted: [(key: String, value: String)]) throws -> FilePlan {
        var plan = FilePlan(path: file.path)
        guard !wanted.elementsEqual(metadata, by: ==) else {
            plan.copy(0..<dataStart, of: file)
            return plan
        }
        let member = Array("\(JSONText.quoted(SafetensorsHeader.metadataName)):\(JSONText.object(wanted))".utf8)
        let start = object.lowerBound
        let place = metadataMember ?? start + 1..<start + 1
        let comma = metadataMember == nil && !entries.isEmpty ? Array(",".utf8) : []
        let text =
            Array(file.bytes[start..<place.lowerBound]) + member + comma
            + Array(file.bytes[place.upperBound..<object.upperBound])
        plan.append(try SafetensorsHeader.framed(text))
        return plan
    }

    /// A file of its own with these parameters: larger types first, so that every array is aligned.
    static func plan(_ parameters: [Parameter], _ target: SaveTarget) throws -> FilePlan {
        let order = parameters.enumerated().sorted {
            ($1.element.dtype.size, $0.offset) < ($0.element.dtype.size, $1.offset)
        }
        var members =
            target.metadata.isEmpty
            ? [] : ["\(JSONText.quoted(metadataName)):\(JSONText.object(target.metadata))"]
        var at = 0
        for (_, parameter) in order {
            let end = at + parameter.byteCount
            members.append(
                "\(JSONText.quoted(parameter.name)):{\"dtype\":\"\(SafetensorsType.name(of: parameter.dtype))\","
                    + "\"shape\":\(JSONText.array(parameter.shape)),\"data_offsets\":[\(at),\(end)]}")
            at = end
        }
        var plan = FilePlan(path: target.path)
        plan.append(try framed(Array("{\(members.joined(separator: ","))}".utf8)))
        plan.segments += order.map { .parameter($0.element) }
        return plan
    }

    /// The length, the text, and spaces up to a multiple of eight.
    static func framed(_ text: [UInt8]) throws -> [UInt8] {
        let padded = (text.count + 7) / 8 * 8
        guard padded <= limit else {
            throw PareError(
                .unsupported, "the header would be too long", found: "\(padded) bytes", expected: "at most \(limit)")
        }
        let length = withUnsafeBytes(of: UInt64(padded).littleEndian) { Array($0) }
        return length + text + [UInt8](repeating: UInt8(ascii: " "), count: padded - text.count)
    }
}
