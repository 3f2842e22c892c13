@preconcurrency import Glibc
import PareTensor

/// Writes a folder under a temporary name beside its target and renames it when it is whole.
final class FolderSave {
    private let target: String
    private let temporary: String
    private let overwrite: Bool
    private var made: [String] = []
    private var published = false

    init(_ path: String, overwrite: Bool, inputs: Set<FileIdentity>) throws {
        target = Path.withoutTrailingSlashes(path)
        self.overwrite = overwrite
        try FolderSave.checkTarget(target, overwrite: overwrite, inputs: inputs)
        temporary = AtomicFile.temporaryName(for: target)
        try makeFolder(temporary)
    }

    deinit {
        guard !published else { return }
        for path in made.reversed() {
            if unlink(path) != 0 { rmdir(path) }
            TemporaryFiles.unregister(path)
        }
    }

    func run(_ files: [FilePlan], _ meter: inout Meter) throws {
        do {
            try write(files, &meter)
        } catch var problem as PareError {
            // Name what the user asked for, not the temporary folder.
            if problem.location.hasPrefix(temporary) {
                problem.location = target + problem.location.dropFirst(temporary.count)
            }
            throw problem
        }
        try publish()
    }

    private func write(_ files: [FilePlan], _ meter: inout Meter) throws {
        for var file in files {
            file.path = try place(file.path)
            let output = try AtomicFile(path: file.path, expectedSize: file.size)
            try output.write(file, &meter)
            remember(file.path)
            try output.commit()
        }
    }

    /// Where a file of that relative path goes; makes the folders on the way.
    private func place(_ relative: String) throws -> String {
        var folder = temporary
        for part in relative.split(separator: "/").dropLast() {
            folder = Path.join(folder, String(part))
            if !made.contains(folder) { try makeFolder(folder) }
        }
        return Path.join(temporary, relative)
    }

    private func makeFolder(_ path: String) throws {
        guard mkdir(path, 0o777) == 0 else { throw systemError("folder cannot be created", at: target, code: errno) }
        remember(path)
    }

    private func remember(_ path: String) {
        made.append(path)
        TemporaryFiles.register(path)
    }

    private func publish() throws {
        let old = try FileStatus.of(target) == nil ? nil : AtomicFile.temporaryName(for: target)
        if let old, rename(target, old) != 0 { throw failure() }
        guard rename(temporary, target) == 0 else {
            let code = errno
            if let old { rename(old, target) }
            throw systemError("folder cannot be renamed into place", at: target, code: code)
        }
        published = true
        for path in made { TemporaryFiles.unregister(path) }
        syncFolder(of: target)
        if let old { removeTree(old) }
    }

    private func failure() -> PareError { systemError("folder cannot be replaced", at: target, code: errno) }

    /// A folder is replaced only if it is a model folder itself, so that a mistyped path cannot cost other files.
    private static func checkTarget(_ path: String, overwrite: Bool, inputs: Set<FileIdentity>) throws {
        guard let status = try FileStatus.of(path) else { return }
        if inputs.contains(status.identity) {
            throw PareError(
                .argument, "cannot be saved over the folder that is open", at: path, hint: "save under another name")
        }
        guard status.kind == .folder else {
            throw PareError(.argument, "cannot be replaced", at: path, found: "a file", expected: "a folder, or nothing")
        }
        let entries = try folderEntries(path)
        if entries.isEmpty { return }
        guard overwrite else {
            throw PareError(.io, "exists already", at: path, hint: "choose another name or allow overwriting")
        }
        guard entries.contains("config.json") else {
            throw PareError(
                .argument, "is not a model folder, so it will not be replaced", at: path,
                found: "no config.json in it", hint: "save into a new folder")
        }
        for name in entries {
            guard let inner = try FileStatus.of(Path.join(path, name)), inputs.contains(inner.identity) else { continue }
            throw PareError(
                .argument, "holds a file of the model that is open", at: Path.join(path, name),
                hint: "save under another name")
        }
    }
}

/// Remove a folder and all that is in it, without following links. Best effort: it is out of the way already.
private func removeTree(_ path: String) {
    if let status = try? FileStatus.of(path, followLinks: false), status.kind == .folder {
        for name in (try? folderEntries(path)) ?? [] { removeTree(Path.join(path, name)) }
        rmdir(path)
    } else {
        unlink(path)
    }
}
