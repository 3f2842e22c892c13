@preconcurrency import Glibc
import PareTensor

/// Arithmetic on tracked elements. Whatever overflows, divides by zero or mixes names that do not combine is unknown.
enum Arithmetic {
    typealias Binary = @Sendable (Element, Element) -> Element
    typealias Unary = @Sendable (Element) -> Element

    static func add(_ a: Element, _ b: Element) -> Element {
        if let x = a.monomial, let y = b.monomial {
            if x.factor == 0 { return b }
            if y.factor == 0 { return a }
            guard x.names == y.names else { return .unknown }
            let (sum, overflow) = x.factor.addingReportingOverflow(y.factor)
            return overflow ? .unknown : Element(Monomial(sum).times(Monomial(1, x.names)))
        }
        return reals(a, b, +)
    }

    static func negate(_ a: Element) -> Element { multiply(a, .int(-1)) }

    static func subtract(_ a: Element, _ b: Element) -> Element { a == b && a != .unknown ? zero(a) : add(a, negate(b)) }

    static func multiply(_ a: Element, _ b: Element) -> Element {
        if let x = a.monomial, let y = b.monomial { return Element(x.times(y)) }
        return reals(a, b, *)
    }

    /// Integers round towards zero; names must divide exactly.
    static func divide(_ a: Element, _ b: Element) -> Element {
        if case .int(let x) = a, case .int(let y) = b {
            let (quotient, overflow) = x.dividedReportingOverflow(by: y)
            return overflow ? .unknown : .int(quotient)
        }
        if let x = a.monomial, let y = b.monomial { return Element(x.divided(by: y)) }
        return reals(a, b, /)
    }

    /// The sign follows the divisor, or with `truncating` the dividend.
    static func modulo(_ a: Element, _ b: Element, truncating: Bool) -> Element {
        if case .int(let x) = a, case .int(let y) = b {
            let (rest, overflow) = x.remainderReportingOverflow(dividingBy: y)
            if overflow { return .unknown }
            return .int(!truncating && rest != 0 && (rest < 0) != (y < 0) ? rest &+ y : rest)
        }
        return truncating ? reals(a, b, fmod) : .unknown
    }

    static func power(_ a: Element, _ b: Element) -> Element {
        if case .int = a, let exponent = b.number {
            guard exponent >= 0, exponent <= 64, exponent == exponent.rounded() else { return .unknown }
            return (0..<Int(exponent)).reduce(Element.int(1)) { product, _ in multiply(product, a) }
        }
        return reals(a, b, pow)
    }

    static func smallest(_ a: Element, _ b: Element) -> Element { choose(a, b) { $0 < $1 } }
    static func largest(_ a: Element, _ b: Element) -> Element { choose(a, b) { $0 > $1 } }

    /// Equality of names is decided only where they are the same; a size that has a name is taken to be none of the
    /// markers 0 and -1 that exporters compare sizes with.
    static func equal(_ a: Element, _ b: Element) -> Element {
        if a == .unknown || b == .unknown { return .unknown }
        if let x = a.number, let y = b.number { return Element(x == y) }
        if a == b { return .int(1) }
        if let marker = a.int ?? b.int, marker <= 0 { return .int(0) }
        return .unknown
    }

    static func compare(_ test: @escaping @Sendable (Double, Double) -> Bool) -> Binary {
        { a, b in
            guard let x = a.number, let y = b.number else { return .unknown }
            return Element(test(x, y))
        }
    }

    static func logical(_ test: @escaping @Sendable (Bool, Bool) -> Bool) -> Binary {
        { a, b in
            guard let x = a.int, let y = b.int else { return .unknown }
            return Element(test(x != 0, y != 0))
        }
    }

    static func real(_ function: @escaping @Sendable (Double) -> Double) -> Unary {
        { a in
            if case .real(let value) = a { return .real(function(value)) }
            return .unknown
        }
    }

    /// A function that leaves integers and names as they are.
    static func rounding(_ function: @escaping @Sendable (Double) -> Double) -> Unary {
        { a in
            if case .real(let value) = a { return .real(function(value)) }
            return a
        }
    }

    /// Conversion to an element type, as `Cast` does it; out of range is unknown.
    static func cast(_ a: Element, to dtype: DType) -> Element {
        switch (a, dtype) {
        case (.unknown, _): return .unknown
        case (_, .bool): return a.number.map { .int($0 != 0 ? 1 : 0) } ?? .unknown
        case (.symbol, _): return a
        case (.int(let value), _) where dtype.isFloat: return round(.real(Double(value)), to: dtype)
        case (.int(let value), _): return range(of: dtype).contains(value) ? a : .unknown
        case (.real, _) where dtype.isFloat: return round(a, to: dtype)
        case (.real(let value), _):
            guard let whole = Int(exactly: value.rounded(.towardZero)), range(of: dtype).contains(whole) else {
                return .unknown
            }
            return .int(whole)
        }
    }

    /// Rounds a real to what a 32-bit float can hold; the 16-bit types are not followed.
    static func round(_ a: Element, to dtype: DType?) -> Element {
        guard case .real(let value) = a else { return a }
        switch dtype {
        case .float32?: return .real(Double(Float(value)))
        case .float64?: return a
        default: return .unknown
        }
    }

    static func range(of dtype: DType) -> ClosedRange<Int> {
        switch dtype {
        case .int8: -128...127
        case .uint8: 0...255
        case .int16: -32768...32767
        case .int32: -2_147_483_648...2_147_483_647
        default: Int.min...Int.max
        }
    }

    private static func zero(_ a: Element) -> Element {
        if case .real = a { return .real(0) }
        return .int(0)
    }

    private static func reals(_ a: Element, _ b: Element, _ function: (Double, Double) -> Double) -> Element {
        guard let x = a.number, let y = b.number else { return .unknown }
        return .real(function(x, y))
    }

    private static func choose(_ a: Element, _ b: Element, _ first: (Double, Double) -> Bool) -> Element {
        if a == b { return a }
        guard let x = a.number, let y = b.number else { return .unknown }
        return first(x, y) ? a : b
    }
}
