import CPare
import PareFormats
import PareMask

@testable import PareHost

/// Everything that a user spells on the command line or in a description: patterns, name patterns, option values of every type,
/// and descriptions of plain functions. What parses must have a text form that parses to the same value.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let text = String(decoding: UnsafeBufferPointer(start: data, count: count), as: UTF8.self)
    if let (pattern, sparsity) = try? Pattern.parse(text) {
        precondition((try? Pattern.parse(pattern.text).pattern) == pattern, "a pattern's text does not come back")
        precondition(sparsity.map { $0 >= 0 && $0 < 1 } ?? true, "a sparsity outside [0, 1)")
    }
    _ = NamePattern(text).matches("block1.conv.weight")
    precondition(NamePattern("*").matches(text))
    for option in options {
        guard let value = try? option.parse(text) else { continue }
        precondition((try? option.parse(value.text)) == value, "an option's text does not come back")
        if case .float(let number) = value { precondition(number >= -1 && number < 2.5, "a value out of range") }
    }
    if let json = try? JSON.parse(text) { _ = try? FunctionDescription(json) }
    return 0
}

private let options: [OptionInfo] = [
    option(.bool), option(.int), option(.float), option(.string), option(.choice), option(.intList), option(.floatList),
]

private func option(_ kind: OptionInfo.Kind) -> OptionInfo {
    OptionInfo(
        key: "key", kind: kind, help: "", unit: "", defaultText: nil, minimum: -1, maximum: 2.5, choices: ["l1", "l2"],
        flags: UInt32(PARE_OPTION_REQUIRED | PARE_OPTION_MAX_EXCLUSIVE))
}
