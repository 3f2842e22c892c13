@preconcurrency import Glibc
import Testing

@testable import PareTensor

struct ThreadsTests {
    @Test(arguments: [1, 2, 3, 8]) func everyIndexRunsOnce(count: Int) {
        let threads = Threads(count: count)
        #expect(threads.count == count)
        for length in [0, 1, 2, 100, 1000] {
            for _ in 0..<20 {
                var hits = [Int](repeating: 0, count: length)
                hits.withUnsafeMutableBufferPointer { hits in
                    nonisolated(unsafe) let hits = hits
                    threads.parallelFor(length) { hits[$0] += 1 }
                }
                #expect(hits.allSatisfy { $0 == 1 })
            }
        }
        threads.shutdown()
        var after = 0
        threads.parallelFor(1) { after += $0 + 1 }
        #expect(after == 1)
    }

    @Test func nestedLoopsRunOnTheirThread() {
        let threads = Threads(count: 4)
        var inner = [UInt](repeating: 0, count: 8 * 16)
        inner.withUnsafeMutableBufferPointer { inner in
            nonisolated(unsafe) let inner = inner
            threads.parallelFor(8) { outer in
                threads.parallelFor(16) { inner[outer * 16 + $0] = UInt(pthread_self()) }
            }
        }
        for outer in 0..<8 { #expect(Set(inner[outer * 16..<outer * 16 + 16]).count == 1) }
    }

    @Test func theLowestFailureIsThrown() {
        for count in [1, 2, 8] {
            let threads = Threads(count: count)
            for _ in 0..<50 {
                let error = #expect(throws: PareError.self) {
                    try threads.tryParallelFor(200) { if $0 % 7 == 6 { throw PareError(.state, "\($0)") } }
                }
                #expect(error?.what == "6")
            }
        }
    }

    @Test func shutdownCanBeRepeatedAndWorkersReturn() {
        let threads = Threads(count: 3)
        for _ in 0..<50 {
            var hits = [Int](repeating: 0, count: 64)
            hits.withUnsafeMutableBufferPointer { hits in
                nonisolated(unsafe) let hits = hits
                threads.parallelFor(64) { hits[$0] += 1 }
            }
            #expect(hits.reduce(0, +) == 64)
            threads.shutdown()
        }
    }

    /// One loop has the workers, the others run on their callers; under the thread sanitizer this also shows that nothing races.
    @Test func loopsOfSeveralThreadsShareAPool() {
        final class Shared: @unchecked Sendable {
            let threads = Threads(count: 3)
            let sums = UnsafeMutablePointer<Int>.allocate(capacity: 4)
        }
        let shared = Shared()
        defer { shared.sums.deallocate() }
        let callers = (0..<4).map { caller in
            shared.sums[caller] = 0
            var thread = pthread_t()
            let argument = Unmanaged.passRetained(
                Caller {
                    for _ in 0..<50 {
                        let hits = UnsafeMutablePointer<Int>.allocate(capacity: 100)
                        shared.threads.parallelFor(100) { hits[$0] = $0 }
                        shared.sums[caller] += (0..<100).reduce(0) { $0 + hits[$1] }
                        hits.deallocate()
                    }
                })
            let code = pthread_create(
                &thread, nil,
                { argument in
                    argument.map { Unmanaged<Caller>.fromOpaque($0).takeRetainedValue().body() }
                    return nil
                }, argument.toOpaque())
            #expect(code == 0)
            return thread
        }
        for caller in callers { pthread_join(caller, nil) }
        #expect((0..<4).map { shared.sums[$0] } == [Int](repeating: 50 * 4950, count: 4))
    }

    private final class Caller {
        let body: () -> Void
        init(_ body: @escaping () -> Void) { self.body = body }
    }

    @Test func theCFlavourPassesItsPointer() {
        var sum = [UInt64](repeating: 0, count: 10)
        sum.withUnsafeMutableBytes { memory in
            Threads(count: 2).parallelFor(
                UInt64(10),
                { user, index in user?.storeBytes(of: index + 1, toByteOffset: Int(index) * 8, as: UInt64.self) },
                user: memory.baseAddress)
        }
        #expect(sum == Array(1...10))
    }
}
