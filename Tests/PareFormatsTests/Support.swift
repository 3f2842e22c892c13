@preconcurrency import Glibc
import PareMask
import PareTensor
import Testing

@testable import PareFormats

/// A folder of its own for one test; goes with the object.
final class Scratch {
    let path: String

    init() throws {
        var template = Array("/tmp/pare-tests-XXXXXX".utf8CString)
        path = template.withUnsafeMutableBufferPointer { $0.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) } ?? "" }
        try #require(!path.isEmpty)
    }

    deinit { Scratch.remove(path) }

    func callAsFunction(_ name: String) -> String { path + "/" + name }

    @discardableResult
    func write(_ name: String, _ bytes: [UInt8]) throws -> String {
        let file = try #require(fopen(self(name), "w"))
        #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
        fclose(file)
        return self(name)
    }

    var names: [String] { (try? folderEntries(path)) ?? [] }

    private static func remove(_ path: String) {
        for name in (try? folderEntries(path)) ?? [] where unlink(path + "/" + name) != 0 { remove(path + "/" + name) }
        rmdir(path)
    }
}

func contents(_ path: String) throws -> [UInt8] {
    let file = try MappedFile(path: path)
    return withExtendedLifetime(file) { Array(file.bytes) }
}

/// Real models, where the project is checked out beside them.
enum Shared {
    static let root: String? = {
        let named = getenv("PARE_SHARED").map { String(cString: $0) }
        let beside = Path.join(Path.folder(of: #filePath), "../../../shared")
        return [named, beside].compactMap { $0 }.first { (try? FileStatus.of($0 + "/data"))??.kind == .folder }
    }()

    static func files(_ suffix: String) -> [String] {
        guard let root else { return [] }
        let folders = (try? folderEntries(root + "/data")) ?? []
        return folders.flatMap { folder in
            ((try? folderEntries("\(root)/data/\(folder)")) ?? []).filter { $0.hasSuffix(suffix) }
                .map { "\(root)/data/\(folder)/\($0)" }
        }
    }
}

func error(_ body: () throws -> Void) -> PareError? {
    do {
        try body()
        return nil
    } catch { return error as? PareError }
}

func open(_ bytes: [UInt8], _ name: String) throws -> Model {
    try bytes.withUnsafeBytes { try Model.open(bytes: $0, name: name) }
}

/// Removes every third element.
func thirds(_ shape: [Int]) throws -> Mask {
    let count = shape.reduce(1, *)
    var packed = [UInt8](repeating: 0, count: (count + 7) / 8)
    for index in 0..<count where index % 3 != 0 { packed[index / 8] |= 1 << UInt8(index % 8) }
    return try packed.withUnsafeBytes { try Mask(shape: shape, packed: $0) }
}
