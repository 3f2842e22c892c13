import CPare

/// A whole method as a state machine driven by events. State lives in the conforming type.
public protocol RecipePlugin: Plugin {
    /// Handle one event; ignore kinds that are not known.
    mutating func handle(_ event: Event) throws -> Answer
    /// Events wanted.
    var events: Events { get }
    /// Everything a killed run needs to go on, and back.
    func saveState() throws -> [UInt8]
    mutating func loadState(_ bytes: UnsafeRawBufferPointer) throws
}

/// Set of `PARE_EVENT_…`, bit 1 << event.
public struct Events: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public static let begin = Events(rawValue: 1 << UInt32(PARE_EVENT_BEGIN))
    public static let epochBegin = Events(rawValue: 1 << UInt32(PARE_EVENT_EPOCH_BEGIN))
    public static let stepBegin = Events(rawValue: 1 << UInt32(PARE_EVENT_STEP_BEGIN))
    public static let layerInputs = Events(rawValue: 1 << UInt32(PARE_EVENT_LAYER_INPUTS))
    public static let gradients = Events(rawValue: 1 << UInt32(PARE_EVENT_GRADIENTS))
    public static let updated = Events(rawValue: 1 << UInt32(PARE_EVENT_UPDATED))
    public static let epochEnd = Events(rawValue: 1 << UInt32(PARE_EVENT_EPOCH_END))
    public static let sweepEnd = Events(rawValue: 1 << UInt32(PARE_EVENT_SWEEP_END))
    public static let finish = Events(rawValue: 1 << UInt32(PARE_EVENT_FINISH))
    public static let all = Events(rawValue: .max)
}

/// Wishes of the recipe (`PARE_ANSWER_…`).
public struct Answer: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public static let stop = Answer(rawValue: PARE_ANSWER_STOP)
    public static let sweepAgain = Answer(rawValue: PARE_ANSWER_SWEEP_AGAIN)
    public static let skipUpdate = Answer(rawValue: PARE_ANSWER_SKIP_UPDATE)
}

extension RecipePlugin {
    public var events: Events { .all }
    public func saveState() throws -> [UInt8] { [] }
    public mutating func loadState(_ bytes: UnsafeRawBufferPointer) throws {}

    public static var glue: Glue {
        Glue(PARE_KIND_RECIPE, recipeTable()) { InstanceBox<any RecipePlugin>(try Self(options: $0, host: $1)) }
    }
}

private typealias Box = InstanceBox<any RecipePlugin>

private func recipeTable() -> pare_recipe {
    var table = pare_recipe()
    table.struct_size = UInt32(MemoryLayout<pare_recipe>.size)
    table.handle = { instance, event, answer, error in
        reporting(error) {
            let wish = try Box.of(instance).plugin.handle(Event(event))
            answer?.pointee = wish.rawValue
        }
    }
    table.events = { instance in (try? Box.of(instance).plugin.events.rawValue) ?? Events.all.rawValue }
    table.save_state = { instance, buffer, capacity, size, error in
        reporting(error) {
            let state = try Box.of(instance).plugin.saveState()
            guard let size else { throw PluginError(PARE_E_ARGUMENT, "the host passed no place for the size") }
            if let buffer {
                guard UInt64(state.count) <= capacity else {
                    throw PluginError(
                        PARE_E_ARGUMENT, "the buffer is too small", found: "\(capacity)", expected: "\(state.count)")
                }
                state.withUnsafeBytes { bytes in
                    if let start = bytes.baseAddress { buffer.copyMemory(from: start, byteCount: bytes.count) }
                }
            }
            size.pointee = UInt64(state.count)
        }
    }
    table.load_state = { instance, buffer, size, error in
        reporting(error) {
            guard buffer != nil || size == 0, let count = Int(exactly: size) else {
                throw PluginError(PARE_E_ARGUMENT, "the host passed no state")
            }
            try Box.of(instance).plugin.loadState(UnsafeRawBufferPointer(start: buffer, count: count))
        }
    }
    return table
}

/// What happened, and what may be looked at and changed meanwhile. Valid until the recipe has answered.
public struct Event {
    let pointer: UnsafePointer<pare_event>
    public let session: Session

    init(_ pointer: UnsafePointer<pare_event>?) throws {
        self.pointer = try require(pointer, through: \.run, \.struct_size)
        session = try Session(self.pointer.pointee.session)
    }

    /// `PARE_EVENT_…`.
    public var kind: Int32 { pointer.pointee.kind }
    public var isValidation: Bool { pointer.pointee.phase == PARE_PHASE_VALIDATION }
    /// Layer of a layerInputs event.
    public var parameter: Int? { pointer.pointee.parameter < 0 ? nil : Int(pointer.pointee.parameter) }
    /// −1 where not known.
    public var step: Int { Int(pointer.pointee.step) }
    public var steps: Int { Int(pointer.pointee.steps) }
    public var epoch: Int { Int(pointer.pointee.epoch) }
    public var epochs: Int { Int(pointer.pointee.epochs) }
    public var seed: UInt64 { pointer.pointee.seed }
    public var run: Run { Run(pointer: pointer.pointee.run) }
}

/// What the driver offers during an event. A function that it lacks throws `PARE_E_UNSUPPORTED`.
public struct Session {
    let pointer: UnsafePointer<pare_session>

    init(_ pointer: UnsafePointer<pare_session>?) throws {
        self.pointer = try require(pointer, through: \.report, \.struct_size)
    }

    public var parameterCount: Int { Int(pointer.pointee.parameter_count) }

    public func name(_ parameter: Int) -> String {
        text(pointer.pointee.parameter_name?(pointer, UInt32(clamping: parameter)))
    }

    public func role(_ parameter: Int) -> Int32 {
        pointer.pointee.parameter_role?(pointer, UInt32(clamping: parameter)) ?? PARE_ROLE_OTHER
    }

    /// Lend the values, writable where the event allows it.
    public func withValue<R>(_ parameter: Int, _ body: (OutputTensor) throws -> R) throws -> R {
        try lend(require(pointer.pointee.parameter_value, "parameter_value"), parameter, body)
    }

    public func withGradient<R>(_ parameter: Int, _ body: (OutputTensor) throws -> R) throws -> R {
        try lend(require(pointer.pointee.parameter_gradient, "parameter_gradient"), parameter, body)
    }

    /// bool, shaped like the parameter, 1 = keep.
    public func withMask<R>(_ parameter: Int, _ body: (OutputTensor) throws -> R) throws -> R {
        try lend(require(pointer.pointee.get_mask, "get_mask"), parameter, body)
    }

    private typealias Getter =
        @convention(c) (
            UnsafePointer<pare_session>?, UInt32, UnsafeMutablePointer<pare_tensor>?, UnsafeMutablePointer<pare_error>?
        ) -> Int32

    private func lend<R>(_ get: Getter, _ parameter: Int, _ body: (OutputTensor) throws -> R) throws -> R {
        var view = pare_tensor()
        try asking("reading \(name(parameter))") { get(pointer, UInt32(clamping: parameter), &view, $0) }
        return try withUnsafePointer(to: view) { try body(OutputTensor($0, name(parameter))) }
    }

    /// Set a mask; dropped elements read as `fill`.
    public func setMask(_ parameter: Int, to mask: Tensor, fill: Double = 0) throws {
        let set = try require(pointer.pointee.set_mask, "set_mask")
        try asking("masking") { set(pointer, UInt32(clamping: parameter), mask.pointer, fill, $0) }
    }

    public func setValue(_ parameter: Int, to value: Tensor) throws {
        let set = try require(pointer.pointee.set_value, "set_value")
        try asking("writing") { set(pointer, UInt32(clamping: parameter), value.pointer, $0) }
    }

    /// A loss of the driver at the current values; costs a pass over data.
    public func evaluate(phase: Int32) throws -> (loss: Double, accuracy: Double) {
        let evaluate = try require(pointer.pointee.evaluate, "evaluate")
        var (loss, accuracy) = (Double.nan, Double.nan)
        try asking("evaluating") { evaluate(pointer, phase, &loss, &accuracy, $0) }
        return (loss, accuracy)
    }

    /// nil when not known.
    public func learningRate(_ parameter: Int) -> Double? {
        pointer.pointee.learning_rate.flatMap {
            let rate = $0(pointer, UInt32(clamping: parameter))
            return rate.isNaN ? nil : rate
        }
    }

    /// Add a number to the run's report and history.
    public func report(_ name: String, _ value: Double) { pointer.pointee.report?(pointer, name, value) }
}
