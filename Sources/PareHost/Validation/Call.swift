import CPare
import Glibc
import PareTensor

/// What a call of a plugin came to.
struct CallOutcome {
    var status: Int32
    /// What the error record says; "" for nothing.
    var message: String
    /// What the record was made to hold beyond its own rules; "" when all is well.
    var recordProblem: String
    /// What the call produced, in an order of its own: enough to tell whether two calls agree.
    var numbers: [Double] = []

    /// Throws unless the call succeeded.
    func required(_ what: String) throws {
        if !recordProblem.isEmpty { throw Finding.fail(recordProblem, found: "status \(status)") }
        guard status == PARE_OK else {
            throw Finding.fail("\(what) failed", found: "status \(status)\(said)", expected: "status 0")
        }
    }

    /// Throws for statuses that do not exist and for broken error records.
    func polite(_ what: String) throws {
        if !recordProblem.isEmpty { throw Finding.fail(recordProblem, found: "status \(status)") }
        guard status == PARE_OK || CallOutcome.isKnown(status) else {
            throw Finding.fail("\(what) answered a status that does not exist", found: "\(status)", expected: "PARE_E_…")
        }
    }

    private var said: String { message.isEmpty ? ", no message" : ": \(message)" }

    /// By range: later versions may add codes.
    static func isKnown(_ status: Int32) -> Bool { (100..<600).contains(status) || (900..<1000).contains(status) }

    /// Same numbers to the last bit; NaN equals itself.
    func agrees(with other: CallOutcome) -> Bool {
        status == other.status && numbers.map(\.bitPattern) == other.numbers.map(\.bitPattern)
    }

    /// The first place where two calls differ.
    func difference(from other: CallOutcome) -> (found: String, expected: String) {
        guard status == other.status else { return ("status \(status)\(said)", "status \(other.status)") }
        guard numbers.count == other.numbers.count else {
            return ("\(numbers.count) numbers", "\(other.numbers.count)")
        }
        let pairs = zip(numbers, other.numbers)
        guard let at = pairs.enumerated().first(where: { $0.1.0.bitPattern != $0.1.1.bitPattern }) else { return ("", "") }
        return ("\(at.1.0) at place \(at.0)", "\(at.1.1)")
    }

    /// Equal to within rounding of float32, relative to the larger of the two and never finer than `floor`.
    static func isNear(_ a: Double, _ b: Double, floor: Double = 1e-6) -> Bool {
        if a.bitPattern == b.bitPattern || (a.isNaN && b.isNaN) { return true }
        return abs(a - b) <= 2e-5 * max(abs(a), abs(b)) + floor
    }
}

/// An error record with guard bytes behind it.
final class GuardedRecord {
    private let block: UnsafeMutableRawPointer
    private let size: Int
    private let claimed: Int
    private static let behind = 256

    var pointer: UnsafeMutablePointer<pare_error> { block.assumingMemoryBound(to: pare_error.self) }

    /// - Parameter claimed: the struct_size that the plugin is told.
    init(claimed: Int = MemoryLayout<pare_error>.size) {
        size = MemoryLayout<pare_error>.size + GuardedRecord.behind
        self.claimed = claimed
        block = .allocate(byteCount: size, alignment: 16)
        block.initializeMemory(as: UInt8.self, repeating: TrialHost.filler, count: size)
        // A caller's record is cleared as far as it says it goes.
        memset(block, 0, min(claimed, MemoryLayout<pare_error>.size))
        block.storeBytes(of: UInt32(claimed), as: UInt32.self)
    }

    deinit { block.deallocate() }

    var message: String {
        guard claimed >= MemoryLayout<pare_error>.size else { return "" }
        return fromC(ofArray: pointer.pointee.message)
    }

    var expected: String { fromC(ofArray: pointer.pointee.expected) }

    /// "" when the record was used as its rules say.
    func problem(status: Int32) -> String {
        let beyond = UnsafeRawBufferPointer(start: block + claimed, count: max(size - claimed, 0))
        if beyond.contains(where: { $0 != TrialHost.filler }) { return "the error record was written past its struct_size" }
        guard claimed >= MemoryLayout<pare_error>.size else { return "" }
        let raw = pointer.pointee
        if Int(raw.struct_size) != claimed { return "the error record's struct_size was changed" }
        if raw.code != 0, raw.code != status { return "the error record names another status than was returned" }
        func ends<T>(_ text: T) -> Bool { withUnsafeBytes(of: text) { $0.contains(0) } }
        guard ends(raw.message), ends(raw.where), ends(raw.found), ends(raw.expected), ends(raw.hint) else {
            return "a text of the error record has no end"
        }
        return ""
    }

    func outcome(_ status: Int32, _ numbers: [Double]) -> CallOutcome {
        CallOutcome(status: status, message: message, recordProblem: problem(status: status), numbers: numbers)
    }
}

/// How one call is to be made.
struct CallStyle {
    var run: UnsafePointer<pare_run>?
    /// Structs longer than this version's, as a later host would pass.
    var larger = false
    /// No error record.
    var withoutRecord = false
}

/// A typical call of one kind, always on the same data.
protocol Exercise: AnyObject {
    func call(_ instance: Instance, _ style: CallStyle) throws -> CallOutcome
}

extension Exercise {
    func call(_ instance: Instance) throws -> CallOutcome { try call(instance, CallStyle()) }
}

extension Subject {
    /// Kinds whose calls are exercised; of the others everything up to create and destroy is.
    static let exercised: [PluginKind] = [.criterion, .allocator, .metric]

    /// - Parameter large: enough data for several blocks and threads.
    func exercise(large: Bool = false) throws -> any Exercise {
        switch try named().kind {
        case .criterion: try CriterionExercise(self, large: large)
        case .allocator: AllocatorExercise(self, LayerCase.network(large: large))
        case .metric: try MetricExercise(self, large: large)
        default: throw Finding.skip("calls of this kind are not exercised yet")
        }
    }
}

/// A struct that crosses the border, in a block that may be longer than this version's.
final class RequestBlock<T> {
    let pointer: UnsafeMutablePointer<T>

    /// `value` must begin with its struct_size, which is set here.
    init(_ value: T, larger: Bool) {
        let size = MemoryLayout<T>.size
        let block = UnsafeMutableRawPointer.allocate(byteCount: size + TrialHost.growth, alignment: 16)
        // What lies behind reads as zero, the default of every later member.
        block.initializeMemory(as: UInt8.self, repeating: 0, count: size + TrialHost.growth)
        pointer = block.bindMemory(to: T.self, capacity: 1)
        pointer.initialize(to: value)
        block.storeBytes(of: UInt32(larger ? size + TrialHost.growth : size), as: UInt32.self)
    }

    deinit { UnsafeMutableRawPointer(pointer).deallocate() }
}

/// Progress and cancellation that remembers what it was told.
final class ProbeRun: @unchecked Sendable {
    private let lock = Lock()
    private let block: RequestBlock<pare_run>
    private var polls = 0
    private var inside = 0
    private var fraction = 0.0
    private var complaint = ""
    /// The poll, counted from 1, from which on the answer is no.
    private let stopAt: Int?
    private let deadline: Double?

    init(stopAt: Int? = nil, seconds: Double? = nil) {
        self.stopAt = stopAt
        deadline = seconds.map { Stopwatch.seconds + $0 }
        block = RequestBlock(pare_run(), larger: false)
        let run = block.pointer
        run.pointee.user = Unmanaged.passUnretained(self).toOpaque()
        run.pointee.keep_going = { user in
            guard let user else { return 0 }
            return Unmanaged<ProbeRun>.fromOpaque(user).takeUnretainedValue().poll() ? 1 : 0
        }
        run.pointee.progress = { user, fraction, text in
            guard let user else { return }
            Unmanaged<ProbeRun>.fromOpaque(user).takeUnretainedValue().report(fraction, text)
        }
    }

    var pointer: UnsafePointer<pare_run> { UnsafePointer(block.pointer) }
    var count: Int { lock.withLock { polls } }
    /// What was wrong with the way it was called; "" when nothing was.
    var problem: String { lock.withLock { complaint } }

    private func enter() {
        lock.withLock {
            inside += 1
            if inside > 1 { complaint = "progress and keep_going were called by two threads at a time" }
        }
    }

    private func poll() -> Bool {
        enter()
        return lock.withLock {
            inside -= 1
            polls += 1
            if let stopAt, polls >= stopAt { return false }
            if let deadline, Stopwatch.seconds > deadline { return false }
            return true
        }
    }

    private func report(_ value: Double, _ text: UnsafePointer<CChar>?) {
        enter()
        lock.withLock {
            inside -= 1
            if !(0...1).contains(value) { complaint = "progress reported \(value), outside 0 … 1" }
            if value < fraction { complaint = "progress went back from \(fraction) to \(value)" }
            fraction = max(fraction, value)
        }
    }
}
