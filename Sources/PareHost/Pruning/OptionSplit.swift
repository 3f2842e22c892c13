import PareTensor

/// Options of a request, handed to the plugins that declare them.
struct OptionSplit {
    var criterion: [String: String] = [:]
    var allocation: [String: String] = [:]

    /// "criterion.key" and "allocation.key" go where they say; a bare key goes to every plugin that declares it. A key that nobody
    /// declares is an error that names the nearest one. A seed reaches plugins that draw and were not given one.
    init(_ options: [String: String], criterion c: Plugin, allocation a: Plugin, seed: UInt64) throws {
        for (key, value) in options.sorted(by: { $0.key < $1.key }) {
            if key.hasPrefix("criterion.") {
                criterion[String(key.dropFirst(10))] = value
            } else if key.hasPrefix("allocation.") {
                allocation[String(key.dropFirst(11))] = value
            } else {
                let inCriterion = c.options.contains { $0.key == key }
                let inAllocation = a.options.contains { $0.key == key }
                guard inCriterion || inAllocation else { throw Self.unknown(key, c, a) }
                if inCriterion { criterion[key] = value }
                if inAllocation { allocation[key] = value }
            }
        }
        if seed != 0 {
            if c.options.contains(where: { $0.key == "seed" }), criterion["seed"] == nil { criterion["seed"] = String(seed) }
            if a.options.contains(where: { $0.key == "seed" }), allocation["seed"] == nil { allocation["seed"] = String(seed) }
        }
    }

    private static func unknown(_ key: String, _ c: Plugin, _ a: Plugin) -> PareError {
        let known = c.options.map(\.key) + a.options.map(\.key)
        func list(_ plugin: Plugin) -> String {
            "\(plugin.kind.name) \"\(plugin.id)\": " + (plugin.options.isEmpty ? "none" : plugin.options.map(\.key).joined(separator: ", "))
        }
        return PareError(
            .option, "no plugin of this request has an option \"\(key)\"", found: "\"\(key)\"", expected: "\(list(c)); \(list(a))",
            hint: nearest(to: key, in: known).map { "did you mean \"\($0)\"?" } ?? "pare plugins show \(c.id) lists them")
    }
}
