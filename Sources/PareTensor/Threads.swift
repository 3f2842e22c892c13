import CKernels
@preconcurrency import Glibc

/// A fixed set of worker threads for data-parallel loops.
///
/// Workers are made on the first loop that can use them and block between loops; a pool of one never makes any. One
/// loop runs at a time: a loop started inside another, or from a second thread meanwhile, runs on its caller alone. In
/// a child process after fork, where no workers exist, every loop does.
public final class Threads: @unchecked Sendable {
    /// Threads that take part in a loop, the caller included; ≥ 1.
    public let count: Int

    private let lock: UnsafeMutablePointer<pthread_mutex_t>
    private let wake: UnsafeMutablePointer<pthread_cond_t>
    private let idle: UnsafeMutablePointer<pthread_cond_t>
    /// Process that the workers belong to, 0 before there are any. Atomic: a second thread looks at it without the lock.
    private let ownerCell: UnsafeMutablePointer<Int64>
    // Guarded by `lock`.
    private var workers: [pthread_t] = []
    private var loop: Loop?
    private var generation = 0
    private var active = 0
    private var isStopping = false

    /// What the threads of one loop share; lives in the caller's stack frame. The body is reached through a pointer so
    /// that no worker keeps a reference to it beyond `run`.
    private struct Loop {
        let next: UnsafeMutablePointer<Int64>
        let count: Int
        let body: UnsafePointer<(Int) -> Void>

        @inline(never)
        func run() {
            while true {
                let index = Int(ck_fetch_add(next, 1))
                if index >= count { return }
                body.pointee(index)
            }
        }
    }

    /// - Parameter count: 0 for one per processor that this process may use.
    public init(count: Int = 0) {
        self.count = count > 0 ? min(count, 1024) : Threads.processors
        lock = .allocate(capacity: 1)
        wake = .allocate(capacity: 1)
        idle = .allocate(capacity: 1)
        ownerCell = .allocate(capacity: 1)
        ownerCell.initialize(to: 0)
        pthread_mutex_init(lock, nil)
        pthread_cond_init(wake, nil)
        pthread_cond_init(idle, nil)
    }

    deinit {
        shutdown()
        // In a forked child the primitives may be held by threads that do not exist there: leave them.
        if owner == 0 || owner == getpid() {
            pthread_mutex_destroy(lock)
            pthread_cond_destroy(wake)
            pthread_cond_destroy(idle)
        }
        lock.deallocate()
        wake.deallocate()
        idle.deallocate()
        ownerCell.deallocate()
    }

    private var owner: pid_t {
        get { pid_t(truncatingIfNeeded: ck_load(ownerCell)) }
        set { ck_store(ownerCell, Int64(newValue)) }
    }

    /// Processors in this process's affinity mask.
    public static var processors: Int { Int(ck_processors()) }

    /// Runs `body(i)` for every `0 ≤ i < count`, in any order, on up to `self.count` threads; returns when all are
    /// done.
    public func parallelFor(_ count: Int, _ body: (Int) -> Void) {
        guard count > 0 else { return }
        if self.count == 1 || count == 1 || ck_parallel_depth().pointee > 0 || !begin(count, body) {
            for index in 0..<count { body(index) }
        }
    }

    /// The same for bodies that can fail. Throws the error of the lowest index that failed, whatever the number of
    /// threads; higher indices may then be skipped.
    public func tryParallelFor(_ count: Int, _ body: (Int) throws -> Void) throws {
        var failed = Int64.max
        var failure: (any Error)?
        let errorLock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
        pthread_mutex_init(errorLock, nil)
        defer {
            pthread_mutex_destroy(errorLock)
            errorLock.deallocate()
        }
        try withUnsafeMutablePointer(to: &failed) { failed in
            parallelFor(count) { index in
                if index > ck_load(failed) { return }
                do {
                    try body(index)
                } catch {
                    pthread_mutex_lock(errorLock)
                    if Int64(index) < failed.pointee {
                        ck_store(failed, Int64(index))
                        failure = error
                    }
                    pthread_mutex_unlock(errorLock)
                }
            }
            if let failure { throw failure }
        }
    }

    /// The loop as C callers start it.
    public func parallelFor(
        _ count: UInt64, _ body: @convention(c) (UnsafeMutableRawPointer?, UInt64) -> Void,
        user: UnsafeMutableRawPointer?
    ) {
        parallelFor(Int(clamping: count)) { body(user, UInt64($0)) }
    }

    /// Ends the workers; a later loop makes new ones. Not to be called from inside a loop.
    public func shutdown() {
        guard owner == getpid() else { return }
        pthread_mutex_lock(lock)
        isStopping = true
        let ending = workers
        workers = []
        pthread_cond_broadcast(wake)
        pthread_mutex_unlock(lock)
        for worker in ending { pthread_join(worker, nil) }
        pthread_mutex_lock(lock)
        isStopping = false
        pthread_mutex_unlock(lock)
    }

    /// False if the loop has to run on the caller alone.
    private func begin(_ count: Int, _ body: (Int) -> Void) -> Bool {
        if owner != 0, owner != getpid() { return false }
        var next: Int64 = 0
        return withoutActuallyEscaping(body) { body in
            withUnsafePointer(to: body) { body in
                withUnsafeMutablePointer(to: &next) { run(Loop(next: $0, count: count, body: body)) }
            }
        }
    }

    private func run(_ mine: Loop) -> Bool {
        pthread_mutex_lock(lock)
        guard loop == nil, active == 0, !isStopping else {
            pthread_mutex_unlock(lock)
            return false
        }
        startWorkers()
        loop = mine
        generation += 1
        pthread_cond_broadcast(wake)
        pthread_mutex_unlock(lock)

        ck_parallel_depth().pointee += 1
        mine.run()
        ck_parallel_depth().pointee -= 1

        pthread_mutex_lock(lock)
        loop = nil
        while active > 0 { pthread_cond_wait(idle, lock) }
        pthread_mutex_unlock(lock)
        return true
    }

    /// Called with the lock held. Fewer workers than wanted are fine: the caller does the rest.
    private func startWorkers() {
        guard workers.isEmpty else { return }
        owner = getpid()
        // Signals belong to the program's own threads.
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, &before)
        for _ in 1..<count {
            var worker = pthread_t()
            let code = pthread_create(
                &worker, nil,
                { argument in
                    guard let argument else { return nil }
                    Unmanaged<Threads>.fromOpaque(argument).takeUnretainedValue().work()
                    return nil
                }, Unmanaged.passUnretained(self).toOpaque())
            if code != 0 { break }
            workers.append(worker)
        }
        pthread_sigmask(SIG_SETMASK, &before, nil)
    }

    private func work() {
        ck_parallel_depth().pointee = 1
        pthread_mutex_lock(lock)
        var seen = 0
        while !isStopping {
            guard let current = loop, generation != seen else {
                pthread_cond_wait(wake, lock)
                continue
            }
            seen = generation
            active += 1
            pthread_mutex_unlock(lock)
            current.run()
            pthread_mutex_lock(lock)
            active -= 1
            if active == 0 { pthread_cond_signal(idle) }
        }
        pthread_mutex_unlock(lock)
    }
}
