/// Numbers as people read them; the same for every locale.
enum Numbers {
    /// 269722 → "269,722".
    static func grouped(_ value: Int) -> String {
        let digits = String(value.magnitude)
        var out = value < 0 ? "-" : ""
        for (position, digit) in digits.enumerated() {
            if position > 0, (digits.count - position) % 3 == 0 { out += "," }
            out.append(digit)
        }
        return out
    }

    /// Fixed decimals, rounded half away from zero: (3.14159, 2) → "3.14". Exponent form where the digits would run out.
    static func fixed(_ value: Double, _ decimals: Int) -> String {
        guard value.isFinite else { return value.isNaN ? "NaN" : value < 0 ? "-inf" : "inf" }
        var scale = 1
        for _ in 0..<decimals { scale *= 10 }
        let scaled = (value.magnitude * Double(scale)).rounded()
        guard scaled < 1e15 else { return "\(value)" }
        let whole = Int(scaled)
        let sign = value < 0 && whole > 0 ? "-" : ""
        guard decimals > 0 else { return sign + String(whole) }
        let rest = String(whole % scale)
        return sign + String(whole / scale) + "." + String(repeating: "0", count: decimals - rest.count) + rest
    }

    /// 40550000 → "40.55 M"; below a thousand as it is.
    static func compact(_ value: Int) -> String {
        let steps: [(Double, String)] = [(1e15, " P"), (1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")]
        // 999,995 would round to "1000.00 k".
        for (scale, suffix) in steps where Double(value.magnitude) >= scale * 0.999995 && value.magnitude >= 1000 {
            return fixed(Double(value) / scale, 2) + suffix
        }
        return String(value)
    }

    /// 0.9 → "90.00 %". What is not quite 0 or 1 is not shown as such.
    static func percent(_ fraction: Double) -> String {
        if fraction > 0, fraction < 0.00005 { return "<0.01 %" }
        if fraction < 1, fraction > 0.99995 { return ">99.99 %" }
        return fixed(fraction * 100, 2) + " %"
    }

    /// A small real number in few digits: 0.012345678 → "0.01235", 1.5e-12 → "1.5e-12".
    static func real(_ value: Double) -> String {
        guard value.isFinite, value != 0 else { return value == 0 ? "0" : fixed(value, 0) }
        guard value.magnitude >= 1e-4, value.magnitude < 1e6 else {
            let text = "\(value)"
            guard let e = text.firstIndex(of: "e"), let mantissa = Double(text[..<e]) else { return fixed(value, 1) }
            return fixed(mantissa, 2) + text[e...]
        }
        var decimals = 3
        var threshold = 1.0
        while value.magnitude < threshold, decimals < 8 {
            decimals += 1
            threshold /= 10
        }
        return fixed(value, decimals)
    }

    /// 32×1×3×3; "scalar" without axes.
    static func shape(_ sizes: [Int]) -> String {
        sizes.isEmpty ? "scalar" : sizes.map(String.init).joined(separator: "×")
    }

    /// "1 layer", "2 layers".
    static func count(_ number: Int, _ noun: String) -> String { "\(grouped(number)) \(noun)\(number == 1 ? "" : "s")" }
}
