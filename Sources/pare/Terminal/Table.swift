/// Rows in aligned columns, two spaces apart, no trailing spaces.
struct Table {
    enum Alignment { case left, right }

    struct Column {
        var title: String
        var alignment: Alignment

        static func left(_ title: String) -> Column { Column(title: title, alignment: .left) }
        static func right(_ title: String) -> Column { Column(title: title, alignment: .right) }
    }

    private let columns: [Column]
    private var rows: [[String]] = []

    init(_ columns: [Column]) { self.columns = columns }

    mutating func add(_ cells: [String]) { rows.append(cells.map(Text.printable)) }

    /// The table with its heading; columns that are empty in every row are left out.
    func text(_ style: Style) -> String {
        let shown = columns.indices.filter { column in rows.contains { column < $0.count && !$0[column].isEmpty } }
        let widths = shown.map { column in
            rows.reduce(Text.width(columns[column].title)) { max($0, column < $1.count ? Text.width($1[column]) : 0) }
        }
        var out = style.bold(line(columns.map(\.title), shown, widths)) + "\n"
        for row in rows { out += line(row, shown, widths) + "\n" }
        return out
    }

    private func line(_ cells: [String], _ shown: [Int], _ widths: [Int]) -> String {
        var out = ""
        for (position, column) in shown.enumerated() {
            let cell = column < cells.count ? cells[column] : ""
            let padding = String(repeating: " ", count: widths[position] - Text.width(cell))
            out += position > 0 ? "  " : ""
            out += columns[column].alignment == .left ? cell + padding : padding + cell
        }
        while out.last == " " { out.removeLast() }
        return out
    }
}

/// Lines of "label  value", values aligned and wrapped.
struct Fields {
    private var entries: [(label: String, value: String)] = []

    /// Empty values are left out.
    mutating func add(_ label: String, _ value: String) {
        if !value.isEmpty { entries.append((label, Text.printable(value))) }
    }

    func text(_ style: Style, width: Int = 100) -> String {
        let labels = entries.reduce(0) { max($0, Text.width($1.label)) }
        var out = ""
        for entry in entries {
            let lines = Text.wrapped(entry.value, width: max(width - labels - 2, 20))
            for (position, line) in lines.enumerated() {
                let label = position == 0 ? entry.label : ""
                let padding = String(repeating: " ", count: labels - Text.width(label) + 2)
                out += style.dim(label) + padding + line + "\n"
            }
        }
        return out
    }
}
