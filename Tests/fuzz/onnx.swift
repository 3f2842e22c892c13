@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    exercise(UnsafeRawBufferPointer(start: data, count: count), "fuzz.onnx")
    return 0
}
