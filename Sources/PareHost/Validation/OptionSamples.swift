import CPare
import PareTensor

/// Values to try options with.
enum OptionSamples {
    /// Settings for the options that have no default.
    static func required(_ plugin: Plugin) -> [String: String] {
        var settings: [String: String] = [:]
        for option in plugin.options where option.defaultText == nil {
            settings[option.key] = valid(option, seed: 0).first
        }
        return settings
    }

    /// Texts of allowed values: the default, both ends of the range, and one drawn at random.
    static func valid(_ option: OptionInfo, seed: UInt64) -> [String] {
        let texts: [String]
        switch option.kind {
        case .bool: texts = ["true", "false"]
        case .int: texts = numbers(option, seed).map { String(Int64(clampingValue: $0)) }
        case .float: texts = numbers(option, seed).map { "\($0)" }
        case .string: texts = ["", "x", String(repeating: "long ", count: 800), "Grüße, 世界"]
        case .choice: texts = option.choices
        case .intList: texts = lists(numbers(option, seed).map { String(Int64(clampingValue: $0)) })
        case .floatList: texts = lists(numbers(option, seed).map { "\($0)" })
        }
        var seen: Set<String> = []
        return ([option.defaultText].compactMap { $0 } + texts).filter {
            seen.insert($0).inserted && (try? option.parse($0)) != nil
        }
    }

    /// Texts that the host has to refuse.
    static func invalid(_ option: OptionInfo) -> [String] {
        switch option.kind {
        case .bool: ["", "maybe", "2"]
        case .choice: ["", "no such choice"]
        case .string: []
        case .int: ["", "x", "1.5", "nan", "9223372036854775808"] + outside(option).map { String(Int64(clampingValue: $0)) }
        case .float: ["", "x", "nan", "1,5"] + outside(option).map { "\($0)" }
        case .intList, .floatList: ["x", "1,,2", ","]
        }
    }

    /// Far from zero where the range has no end.
    private static func ends(_ option: OptionInfo) -> (low: Double, high: Double) {
        let far = 1e6
        let low = option.minimum.isFinite ? option.minimum : min(-far, option.maximum.isFinite ? option.maximum - far : -far)
        let high = option.maximum.isFinite ? option.maximum : max(far, option.minimum.isFinite ? option.minimum + far : far)
        return (low, high)
    }

    private static func numbers(_ option: OptionInfo, _ seed: UInt64) -> [Double] {
        var (low, high) = ends(option)
        let isInteger = option.kind == .int || option.kind == .intList
        if isInteger {
            // Doubles just below 2^63 are the last that an Int64 can hold.
            (low, high) = (max(low.rounded(.up), -0x1p62), min(high.rounded(.down), 0x1p62))
            if option.flags & PARE_OPTION_MIN_EXCLUSIVE != 0, low == option.minimum { low += 1 }
            if option.flags & PARE_OPTION_MAX_EXCLUSIVE != 0, high == option.maximum { high -= 1 }
        } else {
            if option.flags & PARE_OPTION_MIN_EXCLUSIVE != 0, low == option.minimum { low = low.nextUp }
            if option.flags & PARE_OPTION_MAX_EXCLUSIVE != 0, high == option.maximum { high = high.nextDown }
        }
        var share: Float = 0
        RandomStream(seed: seed, stream: stableHash(option.key)).uniform(first: 0, count: 1, into: &share)
        let between = low / 2 + high / 2 + (high / 2 - low / 2) * (Double(share) * 2 - 1)
        return [low, high, isInteger ? between.rounded() : between]
    }

    private static func lists(_ items: [String]) -> [String] {
        ["", items[0], items.joined(separator: ","), [String](repeating: items[0], count: 500).joined(separator: ",")]
    }

    private static func outside(_ option: OptionInfo) -> [Double] {
        var found: [Double] = []
        let margin = option.kind == .int ? 1.0 : 0.001
        if option.minimum.isFinite { found.append(option.minimum - max(margin, abs(option.minimum) * 1e-9)) }
        if option.maximum.isFinite { found.append(option.maximum + max(margin, abs(option.maximum) * 1e-9)) }
        return found.filter { abs($0) < 0x1p53 }
    }
}

extension Int64 {
    /// The nearest integer, at the ends of the range where it lies beyond.
    fileprivate init(clampingValue value: Double) {
        self = value >= 0x1p62 ? Int64(0x1p62) : value <= -0x1p62 ? Int64(-0x1p62) : Int64(value.rounded())
    }
}
