import CKernels
@preconcurrency import Glibc
import PareTensor

/// Units that one task goes through, chunk by chunk. Tasks are cut by size alone, never by the number of threads.
struct ScoreTask {
    let source: Int
    let first: Int
    let count: Int
    let chunk: Int
}

/// Streams the scores of several sources through a body, in chunks that stay in the second-level cache.
final class ScoreScan<S: Score> {
    static var chunkUnits: Int { 1 << 16 }
    static var taskUnits: Int { 1 << 20 }

    let sources: [any ScoreSource]
    /// In flat order.
    let tasks: [ScoreTask]
    private let free = ScratchPool()

    init(_ sources: [any ScoreSource]) {
        self.sources = sources
        tasks = sources.indices.flatMap { ScoreScan.tasks(sources[$0], $0) }
    }

    private static func tasks(_ source: any ScoreSource, _ index: Int) -> [ScoreTask] {
        let units = source.unitCount
        let chunk = max(1, source.chunkLimit ?? chunkUnits)
        // Tasks write whole words of a mask, so they begin at multiples of 64 units.
        let length = chunk % 64 == 0 ? chunk * max(1, taskUnits / chunk) : max(units, 1)
        return stride(from: 0, to: units, by: length).map {
            ScoreTask(source: index, first: $0, count: min(length, units - $0), chunk: min(chunk, units))
        }
    }

    /// Calls `body(task, scores, first, count)` for all chunks of the chosen tasks; chunks of one task in order, tasks
    /// at the same time where their source allows it. `before` is asked once per task and cancels with false.
    func run(
        _ chosen: [Int], _ threads: Threads, before: () -> Bool,
        _ body: (Int, UnsafePointer<S>, Int, Int) throws -> Void
    ) throws {
        let parallel = chosen.filter { sources[tasks[$0].source].isConcurrent }
        try threads.tryParallelFor(parallel.count) { try run(parallel[$0], before, body) }
        for index in chosen where !sources[tasks[index].source].isConcurrent { try run(index, before, body) }
    }

    private func run(
        _ index: Int, _ before: () -> Bool, _ body: (Int, UnsafePointer<S>, Int, Int) throws -> Void
    ) throws {
        guard before() else { throw PareError(.cancelled, "selection was cancelled") }
        let task = tasks[index]
        try free.with(bytes: task.chunk * MemoryLayout<S>.stride) { scratch in
            let scores = scratch.assumingMemoryBound(to: S.self)
            for first in stride(from: task.first, to: task.first + task.count, by: task.chunk) {
                let count = min(task.chunk, task.first + task.count - first)
                scores.update(repeating: .nan, count: count)
                try sources[task.source].fill(first: first, count: count, into: scratch)
                try body(index, scores, first, count)
            }
        }
    }

    /// Borrowed memory of one thread.
    func withScratch<R>(bytes: Int, _ body: (UnsafeMutableRawPointer) throws -> R) throws -> R {
        try free.with(bytes: bytes, body)
    }

    /// The error for a chunk in which a NaN was counted.
    func fault(_ task: Int, _ scores: UnsafePointer<S>, _ first: Int, _ count: Int) -> PareError {
        let unit = first + ((0..<count).first { scores[$0].isNaN } ?? 0)
        let source = tasks[task].source
        let name = sources[source].name
        return PareError(
            .pluginFault, "score is NaN or was not written",
            at: (name.isEmpty ? "source \(source)" : name) + ", unit \(unit)", found: "NaN", expected: "a number")
    }
}

/// Blocks of memory that tasks borrow, as many as run at once.
public final class ScratchPool: @unchecked Sendable {
    private var blocks: [(bytes: Int, memory: OwnedBuffer)] = []
    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)

    public init() { pthread_mutex_init(lock, nil) }

    deinit {
        pthread_mutex_destroy(lock)
        lock.deallocate()
    }

    /// A block of at least `bytes` bytes, aligned to 64, for the duration of the body.
    public func with<R>(bytes: Int, _ body: (UnsafeMutableRawPointer) throws -> R) throws -> R {
        pthread_mutex_lock(lock)
        let at = blocks.firstIndex { $0.bytes >= bytes }
        let reused = at.map { blocks.remove(at: $0) }
        pthread_mutex_unlock(lock)
        let block = try reused ?? (bytes, OwnedBuffer(count: max(bytes, 64)))
        defer {
            pthread_mutex_lock(lock)
            blocks.append(block)
            pthread_mutex_unlock(lock)
        }
        return try body(block.memory.base)
    }
}
