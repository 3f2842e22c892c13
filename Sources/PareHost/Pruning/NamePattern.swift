/// A name pattern: `*` stands for any run of characters, `?` for one; everything else for itself.
public struct NamePattern: Equatable, Sendable {
    public let text: String
    private let bytes: [UInt8]

    public init(_ text: String) {
        self.text = text
        bytes = Array(text.utf8)
    }

    /// True if the whole name matches. Linear in practice: only the last `*` is ever revisited.
    public func matches(_ name: String) -> Bool {
        let name = Array(name.utf8)
        var (p, n) = (0, 0)
        var star: (pattern: Int, name: Int)?
        while n < name.count {
            if p < bytes.count, bytes[p] == 0x2A {
                star = (p, n)
                p += 1
            } else if p < bytes.count, bytes[p] == 0x3F || bytes[p] == name[n] {
                p += 1
                n += 1
            } else if let (pattern, start) = star {
                star = (pattern, start + 1)
                p = pattern + 1
                n = start + 1
            } else {
                return false
            }
        }
        return bytes[p...].allSatisfy { $0 == 0x2A }
    }
}
