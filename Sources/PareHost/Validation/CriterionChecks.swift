import CPare
import PareMask
import PareTensor

extension Check {
    /// What checks that compare scores build on.
    static let sound = ["call-repeatable", "score-complete", "score-bounds"]

    /// What a criterion has to keep to beyond what every plugin does.
    static var criterion: [Check] { memory + scoring + shapes + layouts + special }

    private static func score(
        _ name: String, _ about: String, needs: [String] = ["call-speed"], fault: String? = nil,
        _ body: @escaping (Subject, Plugin, Instance) throws -> Void
    ) -> Check {
        Check(name, about, .kind(.criterion), needs: needs, fault: fault) { subject in
            try body(subject, try subject.plugin(), try subject.make([:], TrialHost()))
        }
    }

    private static var scoring: [Check] {
        [
            score("score-complete", "Every unit gets a score, and each is finite.") { subject, plugin, instance in
                for item in try WeightCase.variety(subject, plugin) {
                    let outcome = try item.succeed(subject, instance)
                    guard outcome.unwritten == 0 else {
                        throw Finding.fail(
                            "scores are left unwritten (\(item.label))", found: "\(outcome.unwritten) of \(item.units)",
                            expected: "one score per unit")
                    }
                    if let at = outcome.scores.firstIndex(where: { !$0.isFinite }) {
                        throw Finding.fail(
                            "a score is not finite (\(item.label))", found: "\(outcome.scores[at]) for unit \(at)",
                            expected: "a finite number")
                    }
                }
            },
            score("score-bounds", "Nothing is written outside the scores.") { subject, plugin, instance in
                for item in try WeightCase.variety(subject, plugin) {
                    let stray = try item.succeed(subject, instance).stray
                    guard stray.isEmpty else { throw Finding.fail("\(stray) (\(item.label))", expected: "\(item.units) scores") }
                }
            },
            score(
                "score-subrange", "Where it says LOCAL, part of the units get the scores that they get as part of the whole.", needs: sound
            ) {
                subject, plugin, instance in
                guard plugin.has(flag: UInt32(PARE_FLAG_LOCAL)) else { throw Finding.skip("it does not say that it is local") }
                for granularity in plugin.served([.element, .row]) {
                    let shape = WeightCase.unitAxes(2, granularity) == 1 ? [40, 9] : [360]
                    let item = try WeightCase(subject, plugin, shape: shape, granularity: granularity)
                    guard item.unitAxes == 1 else { continue }
                    let whole = try item.succeed(subject, instance).scores
                    let units = item.units
                    for range in [0..<1, units - 1..<units, 0..<units / 2, units / 2..<units, units / 3..<units / 3 + 5] {
                        let part = try item.succeed(subject, instance, ScoreStyle(range: range)).scores
                        for (place, value) in part.enumerated() where !CallOutcome.isNear(value, whole[range.lowerBound + place]) {
                            throw Finding.fail(
                                "units \(range) score otherwise than within the whole (\(item.label))",
                                found: "\(value) for unit \(range.lowerBound + place)", expected: "\(whole[range.lowerBound + place])")
                        }
                    }
                }
            },
            score("score-scale", "Where it says SCALE_INVARIANT, larger weights keep the order of their scores.", needs: sound) {
                subject, plugin, instance in
                guard plugin.has(flag: UInt32(PARE_FLAG_SCALE_INVARIANT)) else {
                    throw Finding.skip("it does not say that it is scale-invariant")
                }
                for granularity in plugin.served([.element, .row]) {
                    let shape = [32, 6]
                    let values = TestArray.numbers(32 * 6, seed: subject.seed, stream: 1)
                    let plain = try WeightCase(subject, plugin, shape: shape, granularity: granularity, values: values)
                    let scores = try plain.succeed(subject, instance).scores
                    for factor in [0.125, 0.5, 3, 64] {
                        let scaled = try WeightCase(
                            subject, plugin, shape: shape, granularity: granularity, values: values.map { $0 * factor })
                        try compareOrder(scores, try scaled.succeed(subject, instance).scores, factor, plain.label)
                    }
                }
            },
            score("score-rounds", "The criterion wants at least one round, and keeps less in each, down to the target.") { _, _, instance in
                let table = instance.table(as: pare_criterion.self)
                guard table.rounds != nil || table.keep_fraction != nil else { throw Finding.skip("one round, as usual") }
                for sparsity in [0, 0.5, 0.9, 0.99] {
                    let rounds = table.rounds?(instance.pointer, sparsity) ?? 4
                    guard (1...100_000).contains(rounds) else {
                        throw Finding.fail(
                            "impossible number of rounds", found: "\(rounds) for sparsity \(sparsity)", expected: "1 … 100000")
                    }
                    guard let keep = table.keep_fraction else { continue }
                    let kept = (0..<rounds).map { keep(instance.pointer, sparsity, $0, rounds) }
                    let falls = zip(kept, kept.dropFirst()).allSatisfy { $0 >= $1 }
                    guard falls, kept.allSatisfy({ (0...1).contains($0) }), abs((kept.last ?? 0) - (1 - sparsity)) < 1e-6 else {
                        throw Finding.fail(
                            "the fraction kept does not fall to the target", found: "\(kept.suffix(4))", expected: "\(1 - sparsity) at last"
                        )
                    }
                }
            },
        ]
    }

    /// Throws where one unit clearly beats another before and clearly loses to it after.
    private static func compareOrder(_ before: [Double], _ after: [Double], _ factor: Double, _ label: String) throws {
        let order = before.indices.sorted { before[$0] < before[$1] }
        let (spreadA, spreadB) = (spread(before), spread(after))
        for (place, low) in order.enumerated() {
            for high in order[(place + 1)...] where before[high] - before[low] > 1e-5 * spreadA {
                guard after[low] - after[high] <= 1e-5 * spreadB else {
                    throw Finding.fail(
                        "weights \(factor) times as large change the order (\(label))",
                        found: "units \(low) and \(high): \(before[low]) < \(before[high]), then \(after[low]) > \(after[high])",
                        expected: "the same order")
                }
            }
        }
    }

    private static func spread(_ values: [Double]) -> Double { (values.max() ?? 0) - (values.min() ?? 0) }

    private static var shapes: [Check] {
        [
            score("score-empty", "Empty tensors are fine.", needs: sound) { subject, plugin, instance in
                for granularity in plugin.served([.element, .row]) {
                    for shape in [[0], [0, 3], [3, 0], [0, 3, 2, 2], [2, 0, 3]] {
                        let item = try WeightCase(subject, plugin, shape: shape, granularity: granularity)
                        let outcome = try item.succeed(subject, instance)
                        guard outcome.stray.isEmpty, outcome.unwritten == 0, outcome.scores.allSatisfy(\.isFinite) else {
                            throw Finding.fail(
                                "wrong scores for an empty tensor (\(item.label))", found: "\(outcome.scores) \(outcome.stray)",
                                expected: "\(item.units) finite scores")
                        }
                    }
                }
            },
            score(
                "score-ranks", "Scalars and tensors of up to six axes are fine, and how units are shaped makes no difference.", needs: sound
            ) {
                subject, plugin, instance in
                for granularity in plugin.served([.element, .row]) {
                    for shape in [[], [1], [1, 1], [7], [1, 7], [7, 1], [2, 3, 2, 2, 1, 3]] {
                        let item = try WeightCase(subject, plugin, shape: shape, granularity: granularity)
                        try item.usable(try item.succeed(subject, instance))
                    }
                    let flat = try WeightCase(subject, plugin, shape: [6, 8], granularity: granularity)
                    let expected = try flat.succeed(subject, instance).scores
                    for shape in [[6, 4, 2], [6, 2, 2, 2], [6, 2, 1, 2, 2], [6, 2, 2, 1, 2, 1]] {
                        let item = try WeightCase(subject, plugin, shape: shape, granularity: granularity)
                        guard item.units == flat.units else { continue }
                        try item.compare(try item.succeed(subject, instance).scores, expected)
                    }
                }
            },
            score("score-granularities", "The criterion serves each granularity that it says it does.", needs: sound) {
                subject, plugin, instance in
                let patterns = [.element, try Pattern.nm(2, 4), try Pattern.block(2, 4), .row, .column, .channel]
                for pattern in patterns where plugin.serves(granularity: pattern.granularity.rawValue) {
                    for shape in [[8, 4], [8, 4, 2, 2], [4, 8, 1]] {
                        let item = try WeightCase(subject, plugin, weight: shape, pattern: pattern)
                        try item.usable(try item.succeed(subject, instance))
                    }
                }
            },
        ]
    }
}

extension WeightCase {
    /// Different shapes for checks that look at all of them.
    static func variety(_ subject: Subject, _ plugin: Plugin) throws -> [WeightCase] {
        try plugin.served([.element, .row]).flatMap { granularity in
            try [[24, 18], [1, 1], [5, 3, 3, 3], [130, 7]].map {
                try WeightCase(subject, plugin, shape: $0, granularity: granularity)
            }
        }
    }

    /// A call that has to succeed.
    func succeed(_ subject: Subject, _ instance: Instance, _ style: ScoreStyle = ScoreStyle()) throws -> ScoreOutcome {
        subject.stage("scoring \(label)")
        let outcome = try score(instance, style)
        try outcome.call.required("scoring \(label)")
        return outcome
    }

    /// Complete and finite.
    func usable(_ outcome: ScoreOutcome) throws {
        guard outcome.unwritten == 0, outcome.stray.isEmpty, outcome.scores.allSatisfy(\.isFinite) else {
            throw Finding.fail(
                "unusable scores (\(label))", found: "\(outcome.scores.prefix(6)) \(outcome.stray)",
                expected: "\(units) finite scores")
        }
    }

    /// Near to what another view of the same numbers scored.
    func compare(_ found: [Double], _ expected: [Double]) throws {
        let floor = 1e-6 * (expected.map { abs($0) }.max() ?? 0)
        for (unit, pair) in zip(found, expected).enumerated() where !CallOutcome.isNear(pair.0, pair.1, floor: floor) {
            throw Finding.fail(
                "the same numbers score otherwise (\(label))", found: "\(pair.0) for unit \(unit)", expected: "\(pair.1)")
        }
    }
}
