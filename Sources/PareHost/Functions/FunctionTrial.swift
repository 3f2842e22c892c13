import CPare
import CShim
import Glibc
import PareFormats
import PareTensor

/// A first call of a plain function on made-up data in a child process: a wrong signature cannot be detected, only survived.
enum FunctionTrial {
    private static let units = 64
    private static let guardBytes = 4096

    /// Memory shared with the child: two guarded areas for weights and scores, and the results of two runs.
    private struct Stage {
        var call: Unmanaged<ForeignCall>
        var library: UnsafePointer<CChar>
        var symbol: UnsafePointer<CChar>
        var frame: ForeignCall.Frame
        var second: UnsafeMutableRawPointer
        var scoreBytes: Int
    }

    /// Answers of the child beyond the crash itself.
    private enum Answer: Int32 {
        case fine = 0
        case noLibrary, noSymbol, failed, differs
    }

    /// Throws `.pluginFault` or `.pluginLoad` if the function crashes, hangs, exits, fails, misses or overruns the scores,
    /// changes the weights, or answers differently the second time.
    static func run(_ call: ForeignCall) throws {
        let description = call.description
        let place = "\(description.library): \(description.symbol)"
        let elements = description.arguments.contains { $0.role == .weight } ? 1 : 9
        let wideWeights = description.arguments.contains { $0.type == .f64Pointer && $0.role == .weights }
        let wideScores = description.arguments.contains { $0.type == .f64Pointer && $0.role == .scores }
        let weightBytes = units * elements * (wideWeights ? 8 : 4)
        let scoreBytes = units * (wideScores ? 8 : 4)
        let total = 8 * guardBytes + weightBytes + 2 * scoreBytes + 1024
        guard let block = cshim_shared(total) else { throw PareError(.memory, "no shared memory for a trial call", at: place) }
        defer { cshim_unshare(block, total) }
        memset(block, 0xA5, total)
        let weights = block + guardBytes
        let scores = weights + (weightBytes + 63) / 64 * 64 + guardBytes
        let second = scores + (scoreBytes + 63) / 64 * 64 + guardBytes
        for index in 0..<(units * elements) {
            // Distinct, finite, of both signs.
            let value = Double((index * 37) % 101 - 50) / 16 + 0.01
            if wideWeights {
                weights.storeBytes(of: value, toByteOffset: index * 8, as: Double.self)
            } else {
                weights.storeBytes(of: Float(value), toByteOffset: index * 4, as: Float.self)
            }
        }
        for area in [scores, second] {
            for index in 0..<units {
                if wideScores {
                    area.storeBytes(of: Double.nan, toByteOffset: index * 8, as: Double.self)
                } else {
                    area.storeBytes(of: Float.nan, toByteOffset: index * 4, as: Float.self)
                }
            }
        }
        let before = [UInt8](UnsafeRawBufferPointer(start: weights, count: weightBytes))
        let options = try description.options.map { try Double(sample: $0) } + [0]
        let slots = UnsafeMutablePointer<UInt64>.allocate(capacity: 33)
        let pointers = UnsafeMutablePointer<UnsafeMutableRawPointer?>.allocate(capacity: 33)
        defer {
            slots.deallocate()
            pointers.deallocate()
        }
        var detail: Int32 = 0
        let outcome = options.withUnsafeBufferPointer { settings in
            description.library.withCString { library in
                description.symbol.withCString { symbol in
                    "trial".withCString { name in
                        var stage = Stage(
                            call: Unmanaged.passUnretained(call), library: library, symbol: symbol,
                            frame: ForeignCall.Frame(
                                weights: UnsafeRawPointer(weights), scores: scores, units: units, elements: elements,
                                parameter: name,
                                options: settings.baseAddress ?? UnsafeRawPointer(slots).assumingMemoryBound(to: Double.self),
                                slots: slots, pointers: pointers),
                            second: second, scoreBytes: scoreBytes)
                        return cshim_trial({ FunctionTrial.child($0) }, &stage, 10_000, &detail)
                    }
                }
            }
        }
        try judge(outcome, detail, place)
        let finite = (0..<units).allSatisfy { index in
            wideScores
                ? scores.load(fromByteOffset: index * 8, as: Double.self).isFinite
                : scores.load(fromByteOffset: index * 4, as: Float.self).isFinite
        }
        func fault(_ what: String, _ found: String, _ expected: String) -> PareError {
            PareError(
                .pluginFault, what, at: place, found: found, expected: expected,
                hint: "compare the description with the function's prototype")
        }
        guard finite else { throw fault("the trial call left scores unwritten or not finite", "NaN or infinity", "\(units) finite scores") }
        let width = wideScores ? 8 : 4
        guard (1..<units).contains(where: { memcmp(scores, scores + $0 * width, width) != 0 }) else {
            throw fault(
                "the trial call gave every unit the same score", "one value for \(units) different units",
                "scores that depend on the weights")
        }
        guard memcmp(weights, before, weightBytes) == 0 else {
            throw fault("the trial call changed the weights", "other bytes", "a function that only reads them")
        }
        let guards = [(block, weights), (weights + weightBytes, scores), (scores + scoreBytes, second)]
        guard guards.allSatisfy({ untouched($0.0, $0.1) }) else {
            throw fault("the trial call wrote outside the scores", "changed guard bytes", "\(units) scores")
        }
    }

    private static func untouched(_ from: UnsafeMutableRawPointer, _ to: UnsafeMutableRawPointer) -> Bool {
        UnsafeRawBufferPointer(start: from, count: to - from).allSatisfy { $0 == 0xA5 }
    }

    /// Runs in the child. Only C calls and prepared memory.
    private static func child(_ user: UnsafeMutableRawPointer?) -> Int32 {
        guard let stage = user?.assumingMemoryBound(to: Stage.self) else { return Answer.failed.rawValue }
        guard let handle = dlopen(stage.pointee.library, RTLD_NOW | RTLD_LOCAL) else { return Answer.noLibrary.rawValue }
        guard let address = dlsym(handle, stage.pointee.symbol) else { return Answer.noSymbol.rawValue }
        var frame = stage.pointee.frame
        let call = stage.pointee.call.takeUnretainedValue()
        guard call.run(address, frame) == 0 else { return Answer.failed.rawValue }
        let first = frame.scores
        frame.scores = stage.pointee.second
        guard call.run(address, frame) == 0 else { return Answer.failed.rawValue }
        return memcmp(first, stage.pointee.second, stage.pointee.scoreBytes) == 0 ? Answer.fine.rawValue : Answer.differs.rawValue
    }

    private static func judge(_ outcome: Int32, _ detail: Int32, _ place: String) throws {
        let hint = "compare the description with the function's prototype"
        switch outcome {
        case CSHIM_TRIAL_RETURNED:
            switch Answer(rawValue: detail) {
            case .fine: return
            case .noLibrary: throw PareError(.pluginLoad, "the library cannot be loaded", at: place, hint: "give its full path")
            case .noSymbol: throw PareError(.pluginLoad, "the library has no such function", at: place)
            case .differs: throw PareError(.pluginFault, "two trial calls on the same data gave different scores", at: place)
            default: throw PareError(.pluginFault, "the trial call failed", at: place, found: "a status other than 0", hint: hint)
            }
        case CSHIM_TRIAL_SIGNALLED:
            throw PareError(.pluginFault, "the trial call crashed", at: place, found: "signal \(detail)", hint: hint)
        case CSHIM_TRIAL_EXITED:
            throw PareError(.pluginFault, "the trial call ended its process", at: place, found: "exit code \(detail)")
        case CSHIM_TRIAL_TIMED_OUT:
            throw PareError(.pluginFault, "the trial call did not return", at: place, found: "nothing after 10 s", hint: hint)
        default:
            throw PareError(.internal, "no child process for a trial call", at: place, found: String(cString: cshim_error_text(detail)))
        }
    }
}

extension Double {
    /// A value to try an option with: its default, else something in its range.
    fileprivate init(sample info: OptionInfo) throws {
        if let standard = info.defaultText {
            switch try info.parse(standard) {
            case .int(let value): self = Double(value)
            case .float(let value): self = value
            default: self = 0
            }
        } else {
            self = info.minimum.isFinite ? info.minimum : info.maximum.isFinite ? info.maximum : 1
        }
    }
}

extension FunctionDescription {
    /// Reads a description from JSON text, or from a file if `text` does not begin with "{"; relative libraries are looked up
    /// beside that file first.
    static func read(_ text: String, _ body: (FunctionDescription) throws -> Void) throws {
        if text.utf8.first == 0x7B { return try body(try FunctionDescription(JSON.parse(text))) }
        let file = try MappedFile(path: text)
        do {
            var description = try FunctionDescription(JSON.parse(file.bytes))
            if !description.library.hasPrefix("/"), let slash = text.utf8.lastIndex(of: 0x2F) {
                let beside = "\(text[..<slash])/\(description.library)"
                if access(beside, R_OK) == 0 { description.library = beside }
            } else if !description.library.utf8.contains(0x2F), access(description.library, R_OK) == 0, !text.utf8.contains(0x2F) {
                description.library = "./\(description.library)"
            }
            try body(description)
        } catch let error as PareError {
            throw error.within(text)
        }
    }
}
