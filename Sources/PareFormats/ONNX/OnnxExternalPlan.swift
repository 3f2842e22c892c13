import PareTensor

extension OnnxFile {
    /// What is written beside the model. Saved elsewhere, every data file goes along under its name; saved into the same folder,
    /// only those that change do, under new names that the tensors are told.
    func externalPlans(
        _ changes: [(file: ObjectIdentifier, range: Range<Int>, parameter: Parameter)], _ target: SaveTarget,
        _ splice: inout Splice
    ) throws -> [FilePlan] {
        let source = Path.resolved(Path.folder(of: context.file.path))
        let sameFolder = source != nil && source == Path.resolved(Path.folder(of: target.path))
        var plans: [FilePlan] = []
        var planned: Set<FileIdentity> = []
        for (location, file) in context.external.opened {
            let patches = changes.filter { $0.file == ObjectIdentifier(file) }
                .map { (range: $0.range, parameter: $0.parameter) }
                .sorted { $0.range.lowerBound < $1.range.lowerBound }
            if sameFolder, patches.isEmpty { continue }
            try checkShared(file, patches)
            var name = location
            if sameFolder {
                name = renamed(location, target)
                rename(location, to: name, &splice)
            }
            if let identity = file.identity, !planned.insert(identity).inserted {
                throw PareError(
                    .unsupported, "one external data file has two names in the model", at: file.path,
                    hint: "save the model with one name for each data file first")
            }
            var plan = FilePlan(path: Path.join(Path.folder(of: target.path), name))
            plan.folders = folders(of: name, target)
            plan.copy(0..<file.count, of: file, replacing: patches)
            plans.append(plan)
        }
        return plans
    }

    /// The folders between the target's and a data file.
    private func folders(of name: String, _ target: SaveTarget) -> [String] {
        var folder = Path.folder(of: target.path)
        return name.split(separator: "/").dropLast().map { part in
            folder = Path.join(folder, String(part))
            return folder
        }
    }

    /// "<stem of the target>.<name of the data file>", in the data file's folder.
    private func renamed(_ location: String, _ target: SaveTarget) -> String {
        let name = Path.name(of: target.path)
        let stem = name.hasSuffix(".onnx") ? String(name.dropLast(5)) : name
        let folder = Path.folder(of: location)
        return Path.join(folder, "\(stem).\(Path.name(of: location))")
    }

    private func rename(_ location: String, to name: String, _ splice: inout Splice) {
        for tensor in context.externalTensors {
            guard let external = tensor.external, external.location == location, let field = external.locationField
            else { continue }
            splice.replace(field.range, in: external.entryFrame, with: [.bytes(Wire.string(2, name))])
        }
    }

    /// Bytes that two tensors share cannot take the changes of one of them.
    private func checkShared(_ file: MappedFile, _ patches: [(range: Range<Int>, parameter: Parameter)]) throws {
        var users: [(range: Range<Int>, name: String)] = []
        for tensor in context.externalTensors {
            guard case .external(let other, let range) = tensor.contents, other === file, !range.isEmpty else { continue }
            users.append((range, tensor.name))
        }
        users.sort { $0.range.lowerBound < $1.range.lowerBound }
        var reach = (end: 0, name: "")
        let changed = Set(patches.map { $0.parameter.name })
        for user in users {
            if user.range.lowerBound < reach.end, changed.contains(user.name) || changed.contains(reach.name) {
                throw PareError(
                    .unsupported, "two tensors share their external data and one of them was changed",
                    at: "\(file.path): byte \(user.range.lowerBound)", found: "\"\(reach.name)\" and \"\(user.name)\"",
                    hint: "save the model without shared data first")
            }
            if user.range.upperBound > reach.end { reach = (user.range.upperBound, user.name) }
        }
    }
}
