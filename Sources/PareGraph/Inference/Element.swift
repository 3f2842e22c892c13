/// A product of a number and names, as in "64*batch": enough to follow a dynamic batch through reshapes.
struct Monomial: Equatable {
    var factor: Int
    /// Sorted; a name may occur twice.
    var names: [String]

    init(_ factor: Int, _ names: [String] = []) {
        self.factor = factor
        self.names = names
    }

    /// Reads "64*batch" and "batch"; text that is no plain product ("s0 + 1") is one name that nothing multiplies.
    init(parsing text: String) {
        self.init(1)
        for part in text.split(separator: "*", omittingEmptySubsequences: false) {
            if let number = Int(part) {
                let (product, overflow) = factor.multipliedReportingOverflow(by: number)
                if !overflow {
                    factor = product
                    continue
                }
            }
            names.append(String(part))
        }
        if !names.allSatisfy(Monomial.isPlain) { self.init(1, [text]) }
        names.sort()
    }

    static func isPlain(_ name: String) -> Bool {
        !name.isEmpty && !name.utf8.contains { " +-/()%,*".utf8.contains($0) }
    }

    var text: String {
        let product = names.joined(separator: "*")
        return factor == 1 ? product : "\(factor)*\(product)"
    }

    func times(_ other: Monomial) -> Monomial? {
        let (product, overflow) = factor.multipliedReportingOverflow(by: other.factor)
        guard !overflow else { return nil }
        let all = names + other.names
        guard all.count < 2 && (all.isEmpty || product == 1) || all.allSatisfy(Monomial.isPlain) else { return nil }
        return Monomial(product, all.sorted())
    }

    /// The exact quotient; nil where there is none.
    func divided(by other: Monomial) -> Monomial? {
        guard other.factor != 0, !(factor == .min && other.factor == -1), factor % other.factor == 0 else { return nil }
        var left = names
        for name in other.names {
            guard let position = left.firstIndex(of: name) else { return nil }
            left.remove(at: position)
        }
        return Monomial(factor / other.factor, left)
    }
}

/// One element of a tensor that takes part in a shape computation.
enum Element: Equatable {
    case int(Int)
    case real(Double)
    /// A named size, or a product of sizes, as `Monomial` writes it.
    case symbol(String)
    case unknown

    init(_ dimension: Dimension) {
        switch dimension {
        case .size(let size): self = .int(size)
        case .symbol(let name): self = .symbol(name)
        case .unknown: self = .unknown
        }
    }

    init(_ monomial: Monomial?) {
        guard let monomial else {
            self = .unknown
            return
        }
        self = monomial.names.isEmpty || monomial.factor == 0 ? .int(monomial.factor) : .symbol(monomial.text)
    }

    init(_ condition: Bool?) {
        guard let condition else {
            self = .unknown
            return
        }
        self = .int(condition ? 1 : 0)
    }

    /// As a size; a negative or fractional number is none.
    var dimension: Dimension {
        switch self {
        case .int(let value) where value >= 0: .size(value)
        case .symbol(let name): .symbol(name)
        default: .unknown
        }
    }

    var int: Int? {
        if case .int(let value) = self { return value }
        return nil
    }

    /// Numbers of either kind.
    var number: Double? {
        switch self {
        case .int(let value): Double(value)
        case .real(let value): value
        default: nil
        }
    }

    var monomial: Monomial? {
        switch self {
        case .int(let value): Monomial(value)
        case .symbol(let name): Monomial(parsing: name)
        default: nil
        }
    }

    var isKnown: Bool { number != nil }
}

extension Dimension {
    var monomial: Monomial? { Element(self).monomial }

    init(_ monomial: Monomial?) { self = Element(monomial).dimension }

    func times(_ other: Dimension) -> Dimension {
        if self == .size(0) || other == .size(0) { return .size(0) }
        guard let a = monomial, let b = other.monomial else { return .unknown }
        return Dimension(a.times(b))
    }

    func plus(_ other: Dimension) -> Dimension { Arithmetic.add(Element(self), Element(other)).dimension }

    static func product(_ dimensions: some Sequence<Dimension>) -> Dimension {
        dimensions.reduce(.size(1)) { $0.times($1) }
    }
}
