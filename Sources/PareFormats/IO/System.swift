import CShim
@preconcurrency import Glibc
import PareTensor

/// What makes two paths the same file.
public struct FileIdentity: Hashable, Sendable {
    var device: UInt64
    var inode: UInt64
}

/// What `stat` says about a path.
struct FileStatus {
    enum Kind { case file, folder, other }

    var kind: Kind
    var size: Int
    var identity: FileIdentity

    init(_ status: stat) {
        kind =
            switch status.st_mode & S_IFMT {
            case S_IFREG: .file
            case S_IFDIR: .folder
            default: .other
            }
        size = Int(status.st_size)
        identity = FileIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }

    /// nil if there is nothing at `path`; other failures throw.
    static func of(_ path: String, followLinks: Bool = true) throws -> FileStatus? {
        var status = stat()
        let result = followLinks ? stat(path, &status) : lstat(path, &status)
        if result == 0 { return FileStatus(status) }
        if errno == ENOENT || errno == ENOTDIR { return nil }
        throw systemError("cannot be examined", at: path, code: errno)
    }
}

/// The error of a failed system call, with what the user can do about it.
func systemError(_ what: String, at path: String, code: Int32) -> PareError {
    let hint =
        switch code {
        case ENOSPC, EDQUOT: "free some space or save elsewhere"
        case EROFS: "the file system is read-only; save elsewhere"
        case EACCES, EPERM: "check the permissions"
        case ENOENT, ENOTDIR: "check the path"
        case EMFILE, ENFILE: "too many open files; raise the limit (ulimit -n)"
        case ENAMETOOLONG: "choose a shorter name"
        default: ""
        }
    let reason = cshim_error_text(code).map { String(cString: $0) } ?? "error \(code)"
    let status: Status = code == ENOENT || code == ENOTDIR ? .notFound : .io
    return PareError(status, what, at: path, found: reason, hint: hint)
}

/// Pieces of paths, as text: nothing here looks at the disk.
enum Path {
    static func folder(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    static func name(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return path }
        return String(path[path.utf8.index(after: slash)...])
    }

    static func join(_ folder: String, _ name: String) -> String {
        if folder == "." { return name }
        return folder.utf8.last == UInt8(ascii: "/") ? folder + name : folder + "/" + name
    }

    static func withoutTrailingSlashes(_ path: String) -> String {
        var text = Substring(path)
        while text.utf8.count > 1, text.utf8.last == UInt8(ascii: "/") { text = text.dropLast() }
        return String(text)
    }

    /// A relative path that stays below its folder: no root, no "..", no empty part.
    static func isContained(_ path: String) -> Bool {
        if path.isEmpty || path.utf8.contains(0) { return false }
        return path.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { !$0.isEmpty && $0 != ".." }
    }

    /// The path with every symbolic link followed; nil if it does not exist.
    static func resolved(_ path: String) -> String? {
        guard let real = realpath(path, nil) else { return nil }
        defer { free(real) }
        return String(cString: real)
    }
}

/// The names in a folder, sorted, without "." and "..".
func folderEntries(_ path: String) throws -> [String] {
    guard let folder = opendir(path) else { throw systemError("folder cannot be read", at: path, code: errno) }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) { field in
            field.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
}

extension String {
    /// Strict: nil if the bytes are not UTF-8.
    init?(utf8 bytes: UnsafeRawBufferPointer) {
        self.init(validating: bytes, as: UTF8.self)
    }

    static func hexadecimal(_ value: some BinaryInteger) -> String { "0x" + String(value, radix: 16) }
}
