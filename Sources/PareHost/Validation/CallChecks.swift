import CPare
import Glibc
import PareTensor

extension Check {
    /// What every call of an exercised kind has to keep to.
    static var calls: [Check] { plainCalls + sameness + surroundings + stopping }

    private static var plainCalls: [Check] {
        [
            Check("call-plain", "A plain call on plain data succeeds.", .call, needs: ["instance-table"]) { subject in
                let (exercise, instance) = (try subject.exercise(), try subject.make([:], TrialHost()))
                subject.stage("calling it on plain data")
                try exercise.call(instance).required("a plain call")
            },
            Check("call-speed", "A call takes less than 0.1 ms for each number it looks at.", .call, needs: ["call-plain"]) { subject in
                let (exercise, instance) = (try subject.exercise(), try subject.make([:], TrialHost()))
                subject.stage("calling it on plain data")
                var best = Int.max
                for _ in 0..<3 where best > 20 {
                    best = min(best, try Stopwatch.milliseconds { _ = try exercise.call(instance) })
                    if best > 2000 { break }
                }
                guard best < 120 else { throw Finding.fail("far too slow", found: "\(best) ms for a small call", expected: "below 120 ms") }
                subject.note("\(best) ms for a small call")
            },
            Check("silent", "Nothing is printed, from opening to the end.", .call, needs: ["call-plain"]) { subject in
                let printed = try OutputCapture.during {
                    let (exercise, instance) = (try subject.exercise(), try subject.make([:], TrialHost()))
                    subject.stage("calling it on plain data")
                    _ = try exercise.call(instance)
                }
                guard printed.isEmpty else {
                    throw Finding.fail("it prints", found: "\"\(printed.prefix(200))\"", expected: "messages through the log service")
                }
            },
        ]
    }

    private static var sameness: [Check] {
        [
            Check(
                "call-repeatable", "The same input gives the same result: again, after other calls, and in another instance.",
                .call, needs: ["call-speed"]
            ) { subject in
                guard try subject.plugin().has(flag: UInt32(PARE_FLAG_DETERMINISTIC)) else {
                    throw Finding.skip("it does not say that it is deterministic")
                }
                let (exercise, other) = (try subject.exercise(), try subject.exercise(large: true))
                let instance = try subject.make([:], TrialHost())
                let first = try exercise.call(instance)
                try Check.same(try exercise.call(instance), first, "the second call differs")
                _ = try other.call(instance)
                try Check.same(try exercise.call(instance), first, "a call after one on other data differs")
                try Check.same(try exercise.call(try subject.make([:], TrialHost())), first, "another instance differs")
            },
            Check(
                "call-threads", "The result does not depend on the host's number of threads.", .call,
                needs: ["call-repeatable"]
            ) { subject in
                guard try subject.plugin().has(flag: UInt32(PARE_FLAG_DETERMINISTIC)) else {
                    throw Finding.skip("it does not say that it is deterministic")
                }
                let exercise = try subject.exercise(large: true)
                let one = try exercise.call(try subject.make([:], TrialHost(threads: 1)))
                for threads in [2, max(4, Threads.processors)] {
                    let instance = try subject.make([:], TrialHost(threads: threads))
                    subject.stage("calling it in a host with \(threads) threads")
                    try Check.same(try exercise.call(instance), one, "with \(threads) threads the result differs from that with one")
                }
            },
            Check(
                "call-parallel", "Different instances can be called at the same time.", .call, needs: ["call-repeatable"]
            ) { subject in
                let exercise = try subject.exercise()
                let hosts = (0..<16).map { _ in TrialHost() }
                try Check.atOnce(subject, exercise, try hosts.map { try subject.make([:], $0) }, "called beside other instances")
            },
            Check(
                "call-thread-safe", "Where it says so, one instance can be called by several threads at once.", .call,
                needs: ["call-parallel"]
            ) { subject in
                guard try subject.plugin().has(flag: UInt32(PARE_FLAG_THREAD_SAFE)) else {
                    throw Finding.skip("it does not say that it is thread-safe")
                }
                let instance = try subject.make([:], TrialHost())
                try Check.atOnce(
                    subject, try subject.exercise(), Array(repeating: instance, count: 16), "called by several threads")
            },
        ]
    }

    private static var surroundings: [Check] {
        [
            Check(
                "call-empty-host", "In a host of minor version 0 without any service the plugin works or says what it lacks.", .plugin,
                needs: ["create-defaults", "call-speed"]
            ) { subject in
                let instance: Instance
                do {
                    instance = try subject.make([:], TrialHost(services: .none))
                } catch let error as PareError {
                    return subject.note("create: \(error.what)")
                }
                guard Subject.exercised.contains(try subject.named().kind) else { return }
                let exercise = try subject.exercise()
                subject.stage("calling it in a host without services")
                let outcome = try exercise.call(instance)
                try outcome.polite("the call")
                if outcome.status != PARE_OK { subject.note("call: \(outcome.message)") }
            },
            Check(
                "call-larger-host", "In a later host, whose structs are longer, the plugin works just as in this one.", .plugin,
                needs: ["create-defaults", "call-repeatable"]
            ) { subject in
                let instance = try subject.make([:], TrialHost(services: .larger))
                guard Subject.exercised.contains(try subject.named().kind) else { return }
                let exercise = try subject.exercise()
                subject.stage("calling it with longer structs")
                let later = try exercise.call(instance, CallStyle(larger: true))
                try later.required("the call")
                guard try subject.plugin().has(flag: UInt32(PARE_FLAG_DETERMINISTIC)) else { return }
                try Check.same(later, try exercise.call(try subject.make([:], TrialHost())), "the result differs")
            },
            Check(
                "call-leaks", "A call gives all host memory back by the time its instance is destroyed.", .call,
                needs: ["create-leaks", "call-speed"]
            ) { subject in
                let (host, exercise) = (TrialHost(), try subject.exercise())
                subject.stage("calling it again and again")
                do {
                    let instance = try subject.make([:], host)
                    for _ in 0..<4 { _ = try exercise.call(instance) }
                    let held = host.ledger.liveBlocks
                    for _ in 0..<4 { _ = try exercise.call(instance) }
                    if host.ledger.liveBlocks > held {
                        throw Finding.fail(
                            "each call holds on to host memory", found: "\(host.ledger.liveBlocks - held) more blocks after 4 calls",
                            expected: "none")
                    }
                }
                try Check.settled(host, "8 calls")
            },
            Check(
                "call-memory-refused", "The plugin survives a host that refuses any one of its requests for memory.", .plugin,
                needs: ["create-leaks", "call-leaks"]
            ) { subject in
                let exercise = Subject.exercised.contains(try subject.named().kind) ? try subject.exercise() : nil
                let counting = TrialHost()
                _ = try exercise?.call(try subject.make([:], counting))
                let total = exercise == nil ? 1 : counting.ledger.allocations
                guard total > 0 else { throw Finding.skip("it asks the host for no memory") }
                for turn in 1...min(total, 40) {
                    try Check.starve(subject, exercise, failAt: turn)
                }
                subject.note("\(total) requests")
            },
            Check("call-options", "Calls work with each value of each option.", .call, needs: ["options-accepted", "call-speed"]) {
                subject in
                let (host, exercise) = (TrialHost(), try subject.exercise())
                for option in try subject.plugin().options {
                    for text in OptionSamples.valid(option, seed: subject.seed) {
                        guard let instance = try? subject.make([option.key: text], host) else { continue }
                        subject.stage("calling it with " + Subject.text([option.key: text]))
                        let run = ProbeRun(seconds: 0.5)
                        let outcome = try withExtendedLifetime(run) { try exercise.call(instance, CallStyle(run: run.pointer)) }
                        try outcome.polite("a call with \(Subject.text([option.key: text]))")
                    }
                }
            },
            Check("options-effective", "Numbers among the options make a difference.", .call, needs: ["call-options"]) { subject in
                let exercise = try subject.exercise()
                let standard = try exercise.call(try subject.make([:], TrialHost()))
                var idle: [String] = []
                for option in try subject.plugin().options where [.int, .float].contains(option.kind) {
                    let differs = try OptionSamples.valid(option, seed: subject.seed).contains { text in
                        guard let instance = try? subject.make([option.key: text], TrialHost()) else { return false }
                        return !(try exercise.call(instance).agrees(with: standard))
                    }
                    if !differs { idle.append(option.key) }
                }
                guard idle.isEmpty else { throw Finding.warn("no value changes the result", found: idle.joined(separator: ", ")) }
            },
        ]
    }

    private static var stopping: [Check] {
        [
            Check(
                "cancel-each-poll", "Told to stop at any poll a call returns PARE_E_CANCELLED, and the next one works.", .call,
                needs: ["call-speed"]
            ) { subject in
                let (exercise, instance) = (try subject.exercise(large: true), try subject.make([:], TrialHost(threads: 2)))
                let counter = ProbeRun()
                let whole = try withExtendedLifetime(counter) { try exercise.call(instance, CallStyle(run: counter.pointer)) }
                if !counter.problem.isEmpty { throw Finding.fail(counter.problem) }
                let polls = counter.count
                guard polls > 0 else { throw Finding.skip("it never polls: the host does, between calls") }
                for at in Set((0..<12).map { 1 + $0 * max(polls - 1, 0) / 11 }).sorted() {
                    let run = ProbeRun(stopAt: at)
                    subject.stage("cancelling at poll \(at) of \(polls)")
                    let outcome = try withExtendedLifetime(run) { try exercise.call(instance, CallStyle(run: run.pointer)) }
                    if !run.problem.isEmpty { throw Finding.fail(run.problem) }
                    guard outcome.status == PARE_E_CANCELLED || outcome.status == PARE_OK else {
                        throw Finding.fail(
                            "cancelled at poll \(at) of \(polls)", found: "status \(outcome.status)",
                            expected: "\(PARE_E_CANCELLED)")
                    }
                    if at == 1, outcome.status == PARE_OK { throw Finding.warn("it polls, and goes on all the same") }
                }
                subject.note("\(polls) polls")
                guard try subject.plugin().has(flag: UInt32(PARE_FLAG_DETERMINISTIC)) else { return }
                try Check.same(try exercise.call(instance), whole, "a call after a cancelled one differs")
            },
            Check("cancel-in-time", "Told to stop from the start a call is back within a second.", .call, needs: ["call-plain"]) {
                subject in
                let (exercise, instance) = (try subject.exercise(large: true), try subject.make([:], TrialHost()))
                let run = ProbeRun(stopAt: 1)
                subject.stage("calling it with a run that says stop")
                let took = try Stopwatch.milliseconds {
                    _ = try withExtendedLifetime(run) { try exercise.call(instance, CallStyle(run: run.pointer)) }
                }
                guard took < 1000 else {
                    throw Finding.fail("back too late", found: "\(took) ms, \(run.count) polls", expected: "below 1000 ms")
                }
            },
        ]
    }

    static func same(_ found: CallOutcome, _ expected: CallOutcome, _ what: String) throws {
        guard !found.agrees(with: expected) else { return }
        let parts = found.difference(from: expected)
        throw Finding.fail(what, found: parts.found, expected: parts.expected)
    }

    /// One call after another for reference, then all instances at once, several times.
    private static func atOnce(
        _ subject: Subject, _ exercise: any Exercise, _ instances: [Instance], _ what: String
    ) throws {
        guard try subject.plugin().has(flag: UInt32(PARE_FLAG_DETERMINISTIC)) else {
            throw Finding.skip("it does not say that it is deterministic")
        }
        let alone = try exercise.call(instances[0])
        subject.stage("calling it on several threads")
        try Threads(count: 4).tryParallelFor(instances.count) { index in
            for _ in 0..<8 { try Check.same(try exercise.call(instances[index]), alone, "\(what) it gives another result") }
        }
    }

    /// Create, call and destroy with one allocation refused: any status but a strange one, nothing lost, no crash.
    private static func starve(_ subject: Subject, _ exercise: (any Exercise)?, failAt turn: Int) throws {
        let host = TrialHost(failAt: turn)
        do {
            let instance = try subject.make([:], host)
            subject.stage("calling it with request \(turn) for memory refused")
            try exercise?.call(instance).polite("a call with request \(turn) for memory refused")
        } catch is PareError {
            // create has refused, politely.
        }
        try Check.settled(host, "request \(turn) was refused")
    }
}
