import PareHost

/// What a metric said, in tables: layers by name of the value, then the whole model.
enum MeasurementText {
    static func text(_ measurement: Measurement, _ style: Style) -> String {
        let parts = [layers(measurement, style), totals(measurement, style)].filter { !$0.isEmpty }
        return parts.isEmpty ? "The metric said nothing about this model.\n" : parts.joined(separator: "\n")
    }

    private static func layers(_ measurement: Measurement, _ style: Style) -> String {
        var layers: [String] = []
        var names: [String] = []
        var cells: [String: [String: String]] = [:]
        for value in measurement.values {
            guard let layer = value.layer else { continue }
            if cells[layer] == nil { layers.append(layer) }
            if !names.contains(value.name) { names.append(value.name) }
            cells[layer, default: [:]][value.name] = words(value)
        }
        guard !layers.isEmpty else { return "" }
        var table = Table([.left("layer")] + names.map { .right($0) })
        for layer in layers { table.add([layer] + names.map { cells[layer]?[$0] ?? "" }) }
        return table.text(style)
    }

    private static func totals(_ measurement: Measurement, _ style: Style) -> String {
        var fields = Fields()
        for value in measurement.values where value.layer == nil {
            let unit = value.unit.isEmpty || value.unit == "1" ? "" : " \(value.unit)"
            fields.add(value.name, words(value) + unit)
        }
        return fields.text(style)
    }

    /// Whole numbers in groups, others in few digits; of a series only its length.
    private static func words(_ value: MetricValue) -> String {
        if value.isSeries { return Numbers.count(value.values.count, "value") + " (--json)" }
        guard let number = value.values.first else { return "" }
        let isWhole = number == number.rounded() && number.magnitude < 1e15 && value.unit != "1"
        return isWhole ? Numbers.grouped(Int(number)) : Numbers.real(number)
    }
}
