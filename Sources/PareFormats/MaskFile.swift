import PareMask
import PareTensor

/// All masks of a model in one file: see docs/mask-file.md.
///
/// A safetensors file. Per mask one U8 tensor named as the parameter: packed bits, little-endian, 1 = keep. Shapes and patterns are
/// in the metadata, because the tensors are one-dimensional.
public enum MaskFile {
    private static let versionKey = "pare.masks"
    private static let version = "1"

    /// Write masks; the file appears whole or not at all.
    public static func save(
        _ masks: [(name: String, mask: Mask, pattern: String)], to path: String, overwrite: Bool = false
    ) throws {
        var metadata = [(key: versionKey, value: version)]
        let model = Model.inMemory()
        for (name, mask, pattern) in masks {
            var packed = mask.packedBytes()
            try packed.withUnsafeMutableBytes { bytes in
                let view = TensorView(base: bytes.baseAddress, dtype: .uint8, shape: [bytes.count])
                try model.add(name: name, view: view, role: .constant)
            }
            metadata.append(("shape:" + name, JSONText.array(mask.shape)))
            metadata.append(("pattern:" + name, pattern))
        }
        model.metadata = metadata
        try model.save(to: path, options: SaveOptions(overwrite: overwrite))
    }

    /// Read masks, in the order of the file. Whether they fit a model is for the caller to check.
    public static func load(_ path: String) throws -> [(name: String, mask: Mask, pattern: String)] {
        let header = try SafetensorsHeader(MappedFile(path: path))
        let entries = Dictionary(header.metadata.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
        guard entries[versionKey] == version else {
            throw PareError(
                .format, "the file is not a file of masks", at: path,
                found: entries[versionKey].map { "version \($0)" } ?? "no \"\(versionKey)\" in its metadata",
                expected: "version \(version)", hint: "masks are saved by Pare beside a model")
        }
        return try header.entries.map { entry in
            let place = "\(path): mask \(JSONText.quoted(entry.name)) at byte \(entry.offset)"
            guard entry.type.dtype == .uint8, entry.shape.count == 1 else {
                throw PareError(
                    .dtype, "a mask is not packed bits", at: place, found: "\(entry.type.name) \(entry.shape)",
                    expected: "one dimension of U8")
            }
            let shape = try self.shape(entries["shape:" + entry.name], place)
            let bytes = UnsafeRawBufferPointer(rebasing: header.file.bytes[entry.range])
            do {
                return (entry.name, try Mask(shape: shape, packed: bytes), entries["pattern:" + entry.name] ?? "")
            } catch let problem as PareError {
                throw problem.within(place)
            }
        }
    }

    private static func shape(_ text: String?, _ place: String) throws -> [Int] {
        guard var text else { throw PareError(.format, "a mask has no shape in the metadata", at: place) }
        let value = try text.withUTF8 { try JSONParser.parse(UnsafeRawBufferPointer($0), file: place) }
        let sizes = value.array?.compactMap { $0.int }.filter { $0 >= 0 }
        guard let sizes, sizes.count == value.array?.count else {
            throw PareError(.shape, "the shape of a mask is impossible", at: place, found: text)
        }
        return sizes
    }
}
