import CPare

/// Progress and cancellation of the call in progress. Without a caller's record both do nothing.
public struct Run {
    let pointer: UnsafePointer<pare_run>?

    /// Report how far the call is (0 … 1, never less than before) and stop it if the user asked for that.
    ///
    /// Call it at least once per tensor and per 64 MiB of data, from one thread at a time.
    public func checkpoint(_ fraction: Double, _ text: String) throws {
        guard let pointer else { return }
        let run = pointer.pointee
        if has(run.struct_size, \pare_run.progress), let progress = run.progress { progress(run.user, fraction, text) }
        try check()
    }

    /// Throws `PARE_E_CANCELLED` if the user asked to stop.
    public func check() throws {
        guard let run = pointer?.pointee, has(run.struct_size, \pare_run.keep_going), let keepGoing = run.keep_going
        else { return }
        if keepGoing(run.user) == 0 { throw PluginError(PARE_E_CANCELLED, "cancelled") }
    }
}
