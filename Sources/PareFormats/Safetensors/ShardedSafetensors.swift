import PareTensor

/// An index and the shards that it names.
final class ShardedSafetensors {
    static let suffix = ".safetensors.index.json"

    let index: MappedFile
    /// By name.
    private(set) var shards: [(name: String, file: SafetensorsFile)] = []
    /// Names that the index maps to each shard.
    private var mapped: [Set<String>] = []
    /// Entries of the index's metadata with their JSON text.
    private(set) var metadata: [(key: String, value: String, text: Range<Int>)] = []
    private let root: JSONValue
    private var metadataMember: JSONMember?

    init(_ index: MappedFile) throws {
        self.index = index
        root = try JSONParser.parse(index.bytes, file: index.path)
        guard let map = root["weight_map"]?.members else {
            throw PareError(.format, "the file is not an index of shards", at: index.path, expected: "an object \"weight_map\"")
        }
        metadataMember = root.members?.first { $0.name == "metadata" }
        metadata = (metadataMember?.value.members ?? []).map { member in
            let raw = String(decoding: index.bytes[member.value.range], as: UTF8.self)
            return (member.name, member.value.string ?? raw, member.value.range)
        }
        var names: [String: [JSONMember]] = [:]
        for member in map {
            guard let shard = member.value.string else {
                throw error(.format, "a shard's name is not a string", member)
            }
            guard Path.isContained(shard) else {
                throw error(.format, "a shard lies outside the model's folder", member, found: JSONText.quoted(shard))
            }
            names[shard, default: []].append(member)
        }
        for (shard, members) in names.sorted(by: { $0.key < $1.key }) { try open(shard, members) }
    }

    private func open(_ shard: String, _ members: [JSONMember]) throws {
        let path = Path.join(Path.folder(of: index.path), shard)
        guard try FileStatus.of(path) != nil else {
            throw error(
                .missing, "a shard is missing", members[0], found: "nothing at \(path)",
                hint: "keep the index and all its shards together")
        }
        let file = try SafetensorsFile(MappedFile(path: path))
        let present = Set(file.header.entries.map { $0.name })
        for member in members where !present.contains(member.name) {
            throw error(
                .missing, "a tensor is not in its shard", member, found: "no \(JSONText.quoted(member.name)) in \(shard)")
        }
        mapped.append(Set(members.map { $0.name }))
        shards.append((shard, file))
    }

    private func error(
        _ status: Status, _ what: String, _ member: JSONMember, found: String = "", hint: String = ""
    ) -> PareError {
        PareError(status, what, at: "\(index.path): byte \(member.range.lowerBound)", found: found, hint: hint)
    }

    /// Tensors that the index does not look for in this shard stay there and are not parameters.
    func parameters() -> [Parameter] {
        zip(shards, mapped).flatMap { shard, names in shard.file.parameters().filter { names.contains($0.name) } }
    }

    func carried() -> [CarriedTensor] {
        zip(shards, mapped).flatMap { shard, names in shard.file.carried().filter { names.contains($0.name) } }
    }

    /// The index with these metadata entries; unchanged ones keep their text (numbers stay numbers).
    private func indexPlan(_ wanted: [(key: String, value: String)], path: String) -> FilePlan {
        var plan = FilePlan(path: path)
        guard !wanted.elementsEqual(metadataEntries, by: ==) else {
            plan.copy(0..<index.count, of: index)
            return plan
        }
        let entries = wanted.map { key, value in
            let same = metadata.first { $0.key == key && $0.value == value }
            let text = same.map { String(decoding: index.bytes[$0.text], as: UTF8.self) } ?? JSONText.quoted(value)
            return "\(JSONText.quoted(key)): \(text)"
        }
        let member = Array("\"metadata\": {\(entries.joined(separator: ", "))}".utf8)
        let start = root.range.lowerBound + 1
        let place = metadataMember?.range ?? start..<start
        plan.copy(0..<place.lowerBound, of: index)
        plan.append(metadataMember == nil ? member + Array(", ".utf8) : member)
        plan.copy(place.upperBound..<index.count, of: index)
        return plan
    }
}

extension ShardedSafetensors: TensorContainer {
    var metadataEntries: [(key: String, value: String)] { metadata.map { ($0.key, $0.value) } }

    var inputs: Set<FileIdentity> {
        Set(([index] + shards.map { $0.file.header.file }).compactMap { $0.identity })
    }

    func plan(_ model: Model, _ target: SaveTarget) throws -> SavePlan {
        guard target.path.hasSuffix(ShardedSafetensors.suffix) else {
            throw PareError(
                .argument, "a model in shards is saved under the name of its index", at: target.path,
                expected: "a name ending in \(ShardedSafetensors.suffix)",
                hint: "or save in the format safetensors for one file")
        }
        var files: [FilePlan] = []
        for (name, shard) in shards {
            let changed = model.parameters.filter { parameter in
                guard parameter.isChanged, case .mapped(let file, _) = parameter.stored else { return false }
                return file === shard.header.file
            }
            let path = Path.join(Path.folder(of: target.path), name)
            files.append(try shard.plan(changed, path: path, metadata: shard.header.metadata))
        }
        files.append(indexPlan(target.metadata, path: target.path))
        return SavePlan(files: files, inputs: inputs)
    }
}
