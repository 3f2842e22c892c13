import CPare
import Glibc

/// C memory for a list of checked values, alive as long as this object: what `create` is given.
final class OptionStorage {
    let values: UnsafeMutablePointer<pare_value>
    let count: Int
    private var blocks: [UnsafeMutableRawPointer] = []

    init(_ pairs: [(info: OptionInfo, value: OptionValue)]) {
        count = pairs.count
        values = .allocate(capacity: max(count, 1))
        values.initialize(repeating: pare_value(), count: max(count, 1))
        for (index, pair) in pairs.enumerated() {
            var entry = pare_value()
            entry.key = copy(pair.info.key)
            entry.type = pair.info.kind.rawValue
            entry.count = 1
            switch pair.value {
            case .bool(let value): entry.integer = value ? 1 : 0
            case .int(let value):
                entry.integer = value
                entry.number = Double(value)
            case .float(let value): entry.number = value
            case .string(let value): entry.text = copy(value)
            case .choice(let choice, let value):
                entry.integer = Int64(choice)
                entry.text = copy(value)
            case .ints(let items):
                entry.count = Int32(clamping: items.count)
                entry.integers = copy(items)
            case .floats(let items):
                entry.count = Int32(clamping: items.count)
                entry.numbers = copy(items)
            }
            values[index] = entry
        }
    }

    deinit {
        for block in blocks { free(block) }
        values.deallocate()
    }

    private func copy(_ text: String) -> UnsafePointer<CChar>? {
        guard let block = strdup(text) else { return nil }
        blocks.append(UnsafeMutableRawPointer(block))
        return UnsafePointer(block)
    }

    private func copy<T>(_ items: [T]) -> UnsafePointer<T>? {
        guard !items.isEmpty, let block = malloc(items.count * MemoryLayout<T>.stride) else { return nil }
        blocks.append(block)
        let typed = block.bindMemory(to: T.self, capacity: items.count)
        for (index, item) in items.enumerated() { typed[index] = item }
        return UnsafePointer(typed)
    }
}
