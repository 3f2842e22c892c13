import PareFormats
import PareTensor

/// What became of one parameter.
struct ParameterDifference {
    enum Outcome {
        case compared(TensorDifference)
        case missing
        case added
        /// Another type or shape: the two in words.
        case reshaped(String, String)
    }

    let name: String
    let shape: [Int]
    let elements: Int
    let outcome: Outcome

    var isEqual: Bool {
        if case .compared(let difference) = outcome { return difference.changed == 0 }
        return false
    }
}

/// Two models, parameter by parameter: those of the first in its order, then those that only the second has.
struct ModelDifference {
    let rows: [ParameterDifference]

    var isEmpty: Bool { rows.allSatisfy(\.isEqual) }

    init(_ a: Model, _ b: Model) throws {
        let later = Dictionary(b.parameters.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        var rows = try a.parameters.map { try ModelDifference.row($0, later[$0.name]) }
        let known = Set(a.parameters.map(\.name))
        for parameter in b.parameters where !known.contains(parameter.name) {
            rows.append(
                ParameterDifference(
                    name: parameter.name, shape: parameter.shape, elements: parameter.count, outcome: .added))
        }
        self.rows = rows
    }

    private static func row(_ a: Parameter, _ b: Parameter?) throws -> ParameterDifference {
        try Signals.check()
        func row(_ outcome: ParameterDifference.Outcome) -> ParameterDifference {
            ParameterDifference(name: a.name, shape: a.shape, elements: a.count, outcome: outcome)
        }
        guard let b else { return row(.missing) }
        guard a.shape == b.shape, a.dtype == b.dtype else {
            func words(_ parameter: Parameter) -> String { "\(parameter.dtype.name) \(Numbers.shape(parameter.shape))" }
            return row(.reshaped(words(a), words(b)))
        }
        defer {
            a.dropPages()
            b.dropPages()
        }
        do {
            return row(.compared(try TensorDifference(a.originalView, b.originalView)))
        } catch let error as PareError {
            throw error.within("parameter \"\(a.name)\"")
        }
    }
}
