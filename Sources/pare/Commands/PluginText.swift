import CPare
import PareFormats
import PareHost
import PareMask

/// A plugin in words and as JSON.
enum PluginText {
    static func text(_ plugin: Plugin, _ style: Style) -> String {
        var fields = Fields()
        fields.add("kind", plugin.kind.name)
        fields.add("version", plugin.version)
        fields.add("summary", plugin.summary)
        fields.add("source", plugin.source)
        fields.add("licence", plugin.license)
        fields.add("file", plugin.path)
        if plugin.kind == .criterion || plugin.kind == .solver {
            fields.add("granularities", granularities(plugin).joined(separator: ", "))
        }
        fields.add("needs", needs(plugin).joined(separator: ", "))
        fields.add("properties", properties(plugin).joined(separator: ", "))
        let head = style.bold(Text.printable(plugin.id)) + "\n" + fields.text(style)
        guard !plugin.options.isEmpty else { return head + "\nNo options.\n" }
        return head + "\n" + options(plugin, style)
    }

    private static func options(_ plugin: Plugin, _ style: Style) -> String {
        var table = Table([
            .left("option"), .left("type"), .left("default"), .left("range"), .left("unit"), .left("help"),
        ])
        for option in plugin.options {
            let standard = option.defaultText.map { $0.isEmpty ? "\"\"" : $0 } ?? "(required)"
            table.add([option.key, option.kind.name, standard, option.range, option.unit, option.help])
        }
        return table.text(style)
    }

    static func none(of kind: PluginKind?) -> String {
        "No \(kind.map { "\($0.name) plugins" } ?? "plugins") found. They are searched in PARE_PLUGIN_PATH"
            + (Context.standardFolder.map { " or \(Text.printable($0))" } ?? "") + ".\n"
    }

    static func json(_ plugin: Plugin) -> JSON {
        .object([
            ("kind", .string(plugin.kind.name)), ("id", .string(plugin.id)), ("version", .string(plugin.version)),
            ("summary", .string(plugin.summary)), ("source", .string(plugin.source)),
            ("license", .string(plugin.license)), ("module", .string(plugin.moduleID)), ("file", .string(plugin.path)),
            ("granularities", strings(granularities(plugin))), ("needs", strings(needs(plugin))),
            ("properties", strings(properties(plugin))), ("options", .array(plugin.options.map(json))),
        ])
    }

    private static func json(_ option: OptionInfo) -> JSON {
        .object([
            ("key", .string(option.key)), ("type", .string(option.kind.name)),
            ("default", option.defaultText.map { .string($0) } ?? .null), ("required", .bool(option.isRequired)),
            ("range", .string(option.range)), ("choices", strings(option.choices)), ("unit", .string(option.unit)),
            ("help", .string(option.help)),
        ])
    }

    private static func strings(_ list: [String]) -> JSON { .array(list.map { .string($0) }) }

    private static func granularities(_ plugin: Plugin) -> [String] {
        guard plugin.kind == .criterion || plugin.kind == .solver else { return [] }
        return Granularity.allCases.filter { plugin.serves(granularity: $0.rawValue) }.map(name)
    }

    private static func name(_ granularity: Granularity) -> String {
        switch granularity {
        case .element: "element"
        case .nm: "N:M"
        case .block: "block"
        case .row: "row"
        case .column: "column"
        case .channel: "channel"
        }
    }

    private static func needs(_ plugin: Plugin) -> [String] {
        let known: [(Int, String)] = [
            (Int(PARE_NEED_WEIGHT), "weight"), (Int(PARE_NEED_GRADIENT), "gradient"),
            (Int(PARE_NEED_INPUT_NORM), "input norm"), (Int(PARE_NEED_GRAM), "Gram matrix"),
            (Int(PARE_NEED_HESSIAN_GRADIENT), "Hessian-gradient product"),
            (Int(PARE_NEED_TWIN_GRADIENT), "gradient of the linear twin"),
            (Int(PARE_NEED_NORM_SCALE), "normalisation scale"), (Int(PARE_NEED_OUTPUT_NORM), "output norm"),
            (Int(PARE_NEED_GRAPH), "graph"), (Int(PARE_NEED_DATA), "data"), (Int(PARE_NEED_MASK), "mask"),
        ]
        return known.filter { Int(plugin.needs) & $0.0 != 0 }.map(\.1)
    }

    private static func properties(_ plugin: Plugin) -> [String] {
        let known: [(Int, String)] = [
            (Int(PARE_FLAG_DETERMINISTIC), "deterministic"), (Int(PARE_FLAG_LOCAL), "local"),
            (Int(PARE_FLAG_SCALE_INVARIANT), "scale-invariant"), (Int(PARE_FLAG_WRITES_WEIGHTS), "writes weights"),
            (Int(PARE_FLAG_THREAD_SAFE), "thread-safe"), (Int(PARE_FLAG_CONVEX), "convex"),
            (Int(PARE_FLAG_SCORES_F64), "float64 scores"),
        ]
        return known.filter { Int(plugin.flags) & $0.0 != 0 }.map(\.1)
    }
}
