@preconcurrency import Glibc
import PareTensor

/// Looks at the places to write to before any work is done: an hour of pruning must not end in "permission denied".
struct OutputCheck {
    /// Files and folders that are read; the first is the model.
    let inputs: [String]
    let force: Bool
    private var outputs: [(path: String, option: String)] = []

    init(inputs: [String], force: Bool) {
        self.inputs = inputs
        self.force = force
    }

    /// Throws `.argument` for a path that is an input or another output, `.notFound` without its folder, `.io` for a file that exists
    /// without --force or a folder that cannot be written.
    mutating func check(_ path: String?, _ option: String, mayBeFolder: Bool = false) throws {
        guard let path else { return }
        guard !path.isEmpty else { throw PareError(.argument, "\(option) needs a path", found: "\"\"") }
        let target = OutputCheck.status(path)
        for input in inputs where OutputCheck.isSame(target, OutputCheck.status(input)) {
            throw PareError(
                .argument, "\(option) would overwrite an input", at: path, found: "the same file as \(input)",
                hint: "write to another name; the input is never changed")
        }
        for other in outputs where OutputCheck.isSamePlace(other.path, path) {
            throw PareError(.argument, "\(option) and \(other.option) name the same file", at: path)
        }
        outputs.append((path, option))
        if OutputCheck.isFolder(target), !(mayBeFolder && OutputCheck.isFolder(inputs.first.flatMap(OutputCheck.status))) {
            throw PareError(.argument, "\(option) is a folder", at: path, hint: "name a file in it")
        }
        if target != nil, !force {
            throw PareError(.io, "\(option) exists already", at: path, hint: "choose another name, or replace it with --force")
        }
        try checkFolder(of: path, option)
    }

    private func checkFolder(of path: String, _ option: String) throws {
        let folder = OutputCheck.split(path).folder
        guard OutputCheck.isFolder(OutputCheck.status(folder)) else {
            throw PareError(
                .notFound, "there is no folder for \(option)", at: path, found: "no folder \"\(folder)\"", hint: "make it first")
        }
        guard access(folder, W_OK | X_OK) == 0 else {
            let reason = String(cString: strerror(errno))
            throw PareError(.io, "\(option) cannot be written", at: path, found: "folder \"\(folder)\": \(reason)")
        }
    }

    private static func split(_ path: String) -> (folder: String, name: Substring) {
        var end = Substring(path)
        while end.utf8.count > 1, end.last == "/" { end = end.dropLast() }
        guard let slash = end.lastIndex(of: "/") else { return (".", end) }
        return (slash == end.startIndex ? "/" : String(end[..<slash]), end[end.index(after: slash)...])
    }

    /// Whether two paths of files that need not exist name the same one, "out" and "./out".
    private static func isSamePlace(_ a: String, _ b: String) -> Bool {
        let (one, other) = (split(a), split(b))
        return one.name == other.name && isSame(status(one.folder), status(other.folder))
    }

    private static func status(_ path: String) -> stat? {
        var info = stat()
        return stat(path, &info) == 0 ? info : nil
    }

    private static func isFolder(_ info: stat?) -> Bool { info.map { $0.st_mode & S_IFMT == S_IFDIR } ?? false }

    private static func isSame(_ a: stat?, _ b: stat?) -> Bool {
        guard let a, let b else { return false }
        return a.st_dev == b.st_dev && a.st_ino == b.st_ino
    }
}
