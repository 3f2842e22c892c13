import Glibc

/// C strings that live as long as this object.
final class CTexts {
    private var texts: [UnsafeMutablePointer<CChar>] = []
    private var lists: [UnsafeMutablePointer<UnsafePointer<CChar>?>] = []

    deinit {
        for list in lists { list.deallocate() }
        for text in texts { free(text) }
    }

    func copy(_ text: String) -> UnsafePointer<CChar>? {
        guard let made = strdup(text) else { return nil }
        texts.append(made)
        return UnsafePointer(made)
    }

    /// A NULL-terminated list.
    func list(_ items: [String]) -> UnsafePointer<UnsafePointer<CChar>?> {
        let list = UnsafeMutablePointer<UnsafePointer<CChar>?>.allocate(capacity: items.count + 1)
        for (index, item) in items.enumerated() { (list + index).initialize(to: copy(item)) }
        (list + items.count).initialize(to: nil)
        lists.append(list)
        return UnsafePointer(list)
    }
}
