/// A name pattern: `*` stands for any run of characters, `?` for one; everything else for itself.
public struct NamePattern: Equatable, Sendable {
    public let text: String
    private let characters: [Unicode.Scalar]

    public init(_ text: String) {
        self.text = text
        characters = Array(text.unicodeScalars)
    }

    /// True if the whole name matches. Linear in practice: only the last `*` is ever revisited.
    public func matches(_ name: String) -> Bool {
        let name = Array(name.unicodeScalars)
        var (p, n) = (0, 0)
        var star: (pattern: Int, name: Int)?
        while n < name.count {
            if p < characters.count, characters[p] == "*" {
                star = (p, n)
                p += 1
            } else if p < characters.count, characters[p] == "?" || characters[p] == name[n] {
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
        return characters[p...].allSatisfy { $0 == "*" }
    }
}
