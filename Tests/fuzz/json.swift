@testable import PareFormats

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: data, count: count)
    guard let value = try? JSONParser.parse(bytes, file: "fuzz.json") else { return 0 }
    precondition(value.range.upperBound <= count)
    if let text = value.string {
        let quoted = Array(JSONText.quoted(text).utf8)
        let again = try? quoted.withUnsafeBytes { try JSONParser.parse($0, file: "quoted") }
        precondition(again?.string == text, "a string does not come back")
    }
    return 0
}
