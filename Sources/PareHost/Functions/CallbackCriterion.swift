import CPare
import Glibc
import PareTensor

/// A function of the calling program as a criterion (`pare_callback_criterion`).
final class CallbackCriterion: HostCriterion {
    private let callback: pare_callback_criterion
    private let lock: Lock?

    init(_ pointer: UnsafePointer<pare_callback_criterion>?) throws {
        let raw = try readGrowing(
            pointer, "the criterion", required: MemoryLayout<pare_callback_criterion>.size,
            zero: pare_callback_criterion(), fault: .argument)
        guard raw.score != nil else { throw PareError(.argument, "the criterion has no score function") }
        guard let id = raw.id else { throw PareError(.argument, "the criterion has no id") }
        callback = raw
        lock = raw.flags & UInt32(PARE_FLAG_THREAD_SAFE) == 0 ? Lock() : nil
        super.init(
            id: String(cString: id), summary: fromC(raw.summary), source: "",
            flags: raw.flags & ~UInt32(PARE_FLAG_SCORES_F64))
    }

    /// The caller keeps its data if registering fails.
    fileprivate var isAdopted = false

    deinit { if isAdopted { callback.destroy?(callback.user) } }

    override func score(
        parameter: String, weights: UnsafePointer<Float>, units: Int, elements: Int, values: [OptionValue],
        into scores: UnsafeMutablePointer<Float>
    ) throws {
        guard let function = callback.score else { return }
        var message = [CChar](repeating: 0, count: 512)
        let call = {
            message.withUnsafeMutableBufferPointer { buffer in
                function(
                    self.callback.user, parameter, weights, Int64(units), Int64(elements), scores, buffer.baseAddress,
                    UInt64(buffer.count))
            }
        }
        let status = lock?.withLock(call) ?? call()
        guard status == PARE_OK else {
            message[message.count - 1] = 0
            let said = String(decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            throw PareError(
                Status(rawValue: status) ?? .pluginFault, said.isEmpty ? "the function failed with status \(status)" : said,
                at: "criterion \"\(id)\" on \"\(parameter)\"")
        }
    }
}

extension Context {
    /// See `pare_context_register_criterion`.
    public func register(callback: UnsafePointer<pare_callback_criterion>?) throws {
        let criterion = try CallbackCriterion(callback)
        try criterion.register(in: self)
        criterion.isAdopted = true
    }
}
