import PareFormats
import PareHost

/// A comparison in words and as JSON.
extension ModelDifference {
    func text(_ first: String, _ second: String, all: Bool, _ style: Style) -> String {
        var table = Table([
            .left("parameter"), .right("shape"), .right("changed"), .right("zeros"), .right("largest"), .left("note"),
        ])
        let shown = rows.filter { all || !$0.isEqual }
        for row in shown { table.add(cells(row)) }
        let list = shown.isEmpty ? "" : table.text(style) + "\n"
        return list + Text.printable(verdict(first, second)) + "\n"
    }

    private func cells(_ row: ParameterDifference) -> [String] {
        let head = [row.name, Numbers.shape(row.shape)]
        switch row.outcome {
        case .missing: return head + ["", "", "", "only in the first"]
        case .added: return head + ["", "", "", "only in the second"]
        case .reshaped(let before, let after): return head + ["", "", "", "\(before) → \(after)"]
        case .compared(let difference):
            let zeros = "\(Numbers.grouped(difference.zerosBefore)) → \(Numbers.grouped(difference.zerosAfter))"
            guard difference.changed > 0 else { return head + ["0", zeros, "", "equal"] }
            let note = difference.nonfinite > 0 ? "\(Numbers.grouped(difference.nonfinite)) with NaN or infinity" : ""
            return head + [
                "\(Numbers.grouped(difference.changed)) of \(Numbers.grouped(row.elements))", zeros,
                Numbers.real(difference.largest), note,
            ]
        }
    }

    private func verdict(_ first: String, _ second: String) -> String {
        if isEmpty { return "\(Numbers.count(rows.count, "parameter")), all equal: \(first) and \(second)" }
        var compared = (changed: 0, elements: 0, equal: 0, zerosBefore: 0, zerosAfter: 0)
        for row in rows {
            guard case .compared(let difference) = row.outcome else { continue }
            compared.changed += difference.changed
            compared.elements += row.elements
            compared.equal += row.isEqual ? 1 : 0
            compared.zerosBefore += difference.zerosBefore
            compared.zerosAfter += difference.zerosAfter
        }
        return "\(Numbers.count(rows.count, "parameter")), \(Numbers.grouped(compared.equal)) equal; "
            + "\(Numbers.grouped(compared.changed)) of \(Numbers.grouped(compared.elements)) elements changed; "
            + "zeros \(Numbers.grouped(compared.zerosBefore)) → \(Numbers.grouped(compared.zerosAfter))"
    }

    func json(_ first: String, _ second: String) -> JSON {
        .object([
            ("pare", .string(Context.version)), ("first", .string(first)), ("second", .string(second)),
            ("equal", .bool(isEmpty)), ("parameters", .array(rows.map(json))),
        ])
    }

    private func json(_ row: ParameterDifference) -> JSON {
        var members: [(String, JSON)] = [
            ("name", .string(row.name)), ("shape", .array(row.shape.map { .int(Int64($0)) })),
            ("elements", .int(Int64(row.elements))),
        ]
        switch row.outcome {
        case .missing: members.append(("outcome", .string("missing")))
        case .added: members.append(("outcome", .string("added")))
        case .reshaped(let before, let after):
            members += [("outcome", .string("reshaped")), ("before", .string(before)), ("after", .string(after))]
        case .compared(let difference):
            members += [
                ("outcome", .string(difference.changed == 0 ? "equal" : "changed")),
                ("changed", .int(Int64(difference.changed))), ("zeros_before", .int(Int64(difference.zerosBefore))),
                ("zeros_after", .int(Int64(difference.zerosAfter))), ("largest", .double(difference.largest)),
                ("nonfinite", .int(Int64(difference.nonfinite))),
            ]
        }
        return .object(members)
    }
}
