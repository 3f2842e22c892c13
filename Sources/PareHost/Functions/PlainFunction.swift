@preconcurrency import CFFI
import CPare
import CShim
import Glibc
import PareTensor

/// A prepared call of a plain C function through libffi. Holds no option values: each call brings its own.
final class ForeignCall {
    let description: FunctionDescription
    private let cif: UnsafeMutablePointer<ffi_cif>
    private let types: UnsafeMutablePointer<UnsafeMutablePointer<ffi_type>?>

    init(_ description: FunctionDescription) throws {
        self.description = description
        let count = description.arguments.count
        cif = .allocate(capacity: 1)
        cif.initialize(to: ffi_cif())
        types = .allocate(capacity: max(count, 1))
        for (index, argument) in description.arguments.enumerated() {
            (types + index).initialize(to: Self.type(argument.type))
        }
        let result: UnsafeMutablePointer<ffi_type> =
            switch description.result {
            case .nothing: withUnsafeMutablePointer(to: &ffi_type_void) { $0 }
            case .status(let type), .score(let type): Self.type(type)
            }
        let status = Self.preparing.withLock { ffi_prep_cif(cif, FFI_DEFAULT_ABI, UInt32(count), result, types) }
        guard status == FFI_OK else {
            throw PareError(.format, "this signature cannot be called", at: description.symbol, found: "libffi status \(status.rawValue)")
        }
    }

    deinit {
        cif.deallocate()
        types.deallocate()
    }

    /// libffi asks for call descriptions to be prepared one at a time.
    private static let preparing = Lock()

    private static func type(_ type: FunctionDescription.CType) -> UnsafeMutablePointer<ffi_type> {
        switch type {
        case .i32: withUnsafeMutablePointer(to: &ffi_type_sint32) { $0 }
        case .u32: withUnsafeMutablePointer(to: &ffi_type_uint32) { $0 }
        case .i64: withUnsafeMutablePointer(to: &ffi_type_sint64) { $0 }
        case .u64: withUnsafeMutablePointer(to: &ffi_type_uint64) { $0 }
        case .f32: withUnsafeMutablePointer(to: &ffi_type_float) { $0 }
        case .f64: withUnsafeMutablePointer(to: &ffi_type_double) { $0 }
        case .f32Pointer, .f64Pointer, .text: withUnsafeMutablePointer(to: &ffi_type_pointer) { $0 }
        }
    }

    /// Values of one call, laid out as the function wants them. Raw memory only, so that a forked child may use it.
    struct Frame {
        var weights: UnsafeRawPointer
        var scores: UnsafeMutableRawPointer
        var units: Int
        var elements: Int
        var parameter: UnsafePointer<CChar>
        var options: UnsafePointer<Double>
        /// 8 bytes and one pointer per argument, provided by the caller.
        var slots: UnsafeMutablePointer<UInt64>
        var pointers: UnsafeMutablePointer<UnsafeMutableRawPointer?>
    }

    /// Calls the function once for the tensor, or once per unit where it returns the score. Answers its status, 0 = success.
    /// Allocates nothing.
    func run(_ address: UnsafeMutableRawPointer, _ frame: Frame) -> Int64 {
        guard case .score(let type) = description.result else { return call(address, frame, unit: nil) }
        for unit in 0..<frame.units {
            _ = call(address, frame, unit: unit)
            let bits = frame.slots[description.arguments.count]
            let score = type == .f32 ? Float(bitPattern: UInt32(truncatingIfNeeded: bits)) : Float(Double(bitPattern: bits))
            frame.scores.storeBytes(of: score, toByteOffset: unit &* 4, as: Float.self)
        }
        return 0
    }

    private func call(_ address: UnsafeMutableRawPointer, _ frame: Frame, unit: Int?) -> Int64 {
        let count = description.arguments.count
        for index in 0..<count {
            frame.slots[index] = bits(description.arguments[index], frame, unit)
            frame.pointers[index] = UnsafeMutableRawPointer(frame.slots + index)
        }
        frame.slots[count] = 0
        // The last slot is as wide as ffi_arg, which narrow integer results need.
        ffi_call(cif, unsafeBitCast(address, to: (@convention(c) () -> Void).self), frame.slots + count, frame.pointers)
        guard case .status(let type) = description.result else { return 0 }
        let answer = frame.slots[count]
        return type == .i32 ? Int64(Int32(truncatingIfNeeded: answer)) : Int64(truncatingIfNeeded: answer)
    }

    private func bits(_ argument: FunctionDescription.Argument, _ frame: Frame, _ unit: Int?) -> UInt64 {
        let width = argument.type == .f64Pointer || argument.type == .f64 ? 8 : 4
        switch argument.role {
        case .weights:
            return UInt64(UInt(bitPattern: frame.weights + (unit ?? 0) &* frame.elements &* width))
        case .scores: return UInt64(UInt(bitPattern: frame.scores))
        case .weight:
            let offset = (unit ?? 0) &* 4
            return number(Double(frame.weights.load(fromByteOffset: offset, as: Float.self)), argument.type)
        case .units: return number(Double(unit == nil ? frame.units : 1), argument.type)
        case .elements: return number(Double(frame.elements), argument.type)
        case .count: return number(Double(unit == nil ? frame.units &* frame.elements : frame.elements), argument.type)
        case .parameter: return UInt64(UInt(bitPattern: frame.parameter))
        case .option: return number(frame.options[argument.option ?? 0], argument.type)
        case .constant: return number(argument.constant, argument.type)
        }
    }

    private func number(_ value: Double, _ type: FunctionDescription.CType) -> UInt64 {
        switch type {
        case .f32: UInt64(Float(value).bitPattern)
        case .f64: value.bitPattern
        case .i32: UInt64(UInt32(bitPattern: Int32(clamping: Int64(exactly: value.rounded()) ?? 0)))
        case .u32: UInt64(UInt32(clamping: Int64(exactly: value.rounded()) ?? 0))
        default: UInt64(bitPattern: Int64(exactly: value.rounded()) ?? 0)
        }
    }
}

/// A plain C function of a shared library as a criterion, with no SDK and no compile.
final class PlainFunctionCriterion: HostCriterion {
    private let call: ForeignCall
    private let address: UnsafeMutableRawPointer
    private let lock: Lock?

    /// Prepares the call, tries it in a child process, and only then opens the library here.
    init(_ description: FunctionDescription) throws {
        call = try ForeignCall(description)
        let prepared = call
        try Loader.loading.withLock { try FunctionTrial.run(prepared) }
        let (handle, problem) = Loader.openLibrary(description.library)
        guard let handle else {
            throw PareError(.pluginLoad, "the library cannot be loaded", at: description.library, found: problem)
        }
        guard let found = dlsym(handle, description.symbol) else {
            throw PareError(.pluginLoad, "the library has no such function", at: description.library, found: "no \"\(description.symbol)\"")
        }
        address = found
        lock = description.isThreadSafe ? nil : Lock()
        var flags = UInt32(PARE_FLAG_DETERMINISTIC)
        if description.isLocal { flags |= UInt32(PARE_FLAG_LOCAL) }
        if description.isThreadSafe { flags |= UInt32(PARE_FLAG_THREAD_SAFE) }
        super.init(
            id: description.id, summary: description.summary, source: description.source, flags: flags,
            schema: description.options)
    }

    override func score(
        parameter: String, weights: UnsafePointer<Float>, units: Int, elements: Int, values: [OptionValue],
        into scores: UnsafeMutablePointer<Float>
    ) throws {
        let description = call.description
        if description.arguments.contains(where: { $0.role == .weight }), elements != 1 {
            throw PareError(
                .unsupported, "criterion \"\(id)\" scores single elements only", at: parameter,
                found: "units of \(elements) elements", expected: "an element or N:M pattern")
        }
        let count = units * elements
        let wideWeights = description.arguments.contains { $0.type == .f64Pointer && $0.role == .weights }
        let wideScores = description.arguments.contains { $0.type == .f64Pointer && $0.role == .scores }
        let wideMemory = try OwnedBuffer(count: wideWeights ? count * 8 : 0)
        let outMemory = try OwnedBuffer(count: wideScores ? units * 8 : 8)
        let wide = wideMemory.base.bindMemory(to: Double.self, capacity: max(wideWeights ? count : 0, 1))
        let out = outMemory.base.bindMemory(to: Double.self, capacity: max(wideScores ? units : 0, 1))
        let slots = UnsafeMutablePointer<UInt64>.allocate(capacity: 33)
        let pointers = UnsafeMutablePointer<UnsafeMutableRawPointer?>.allocate(capacity: 33)
        defer {
            withExtendedLifetime((wideMemory, outMemory)) {}
            slots.deallocate()
            pointers.deallocate()
        }
        if wideWeights { for index in 0..<count { wide[index] = Double(weights[index]) } }
        if wideScores { for index in 0..<units { out[index] = .nan } }
        let options =
            values.map { value -> Double in
                switch value {
                case .int(let number): Double(number)
                case .float(let number): number
                default: 0
                }
            } + [0]
        let status = parameter.withCString { name in
            options.withUnsafeBufferPointer { settings in
                let frame = ForeignCall.Frame(
                    weights: wideWeights ? UnsafeRawPointer(wide) : UnsafeRawPointer(weights),
                    scores: wideScores ? UnsafeMutableRawPointer(out) : UnsafeMutableRawPointer(scores), units: units,
                    elements: elements, parameter: name, options: settings.baseAddress ?? UnsafePointer(out),
                    slots: slots, pointers: pointers)
                return lock?.withLock { call.run(address, frame) } ?? call.run(address, frame)
            }
        }
        guard status == 0 else {
            throw PareError(
                .pluginFault, "function \"\(description.symbol)\" failed", at: "criterion \"\(id)\" on \"\(parameter)\"",
                found: "status \(status)", expected: "0")
        }
        if wideScores { for index in 0..<units { scores[index] = Float(out[index]) } }
    }
}

extension Context {
    /// Registers a plain C function from a description; see `pare_context_register_function`.
    public func register(functionDescription text: String) throws {
        try FunctionDescription.read(text) { try PlainFunctionCriterion($0).register(in: self) }
    }
}
