import CPare
import PareMask
import PareTensor

extension Check {
    private static func score(
        _ name: String, _ about: String, needs: [String] = ["call-speed"], fault: String? = nil,
        _ body: @escaping (Subject, Plugin, Instance) throws -> Void
    ) -> Check {
        Check(name, about, .kind(.criterion), needs: needs, fault: fault) { subject in
            try body(subject, try subject.plugin(), try subject.make([:], TrialHost()))
        }
    }

    /// How weights may lie in memory.
    static var layouts: [Check] {
        [
            score("score-dtypes", "The same numbers in another float type score the same.", needs: sound) { subject, plugin, instance in
                for granularity in plugin.served([.element, .row]) {
                    let plain = try WeightCase(subject, plugin, shape: [12, 10], granularity: granularity)
                    let expected = try plain.succeed(subject, instance).scores
                    for dtype in [DType.float64, .float16, .bfloat16] {
                        let item = try WeightCase(subject, plugin, shape: [12, 10], granularity: granularity, dtype: dtype)
                        subject.stage("scoring \(item.label)")
                        let outcome = try item.score(instance)
                        if [PARE_E_DTYPE, PARE_E_UNSUPPORTED].contains(outcome.call.status) {
                            throw Finding.warn("it refuses \(dtype.name) weights", found: outcome.call.message)
                        }
                        try outcome.call.required("scoring \(item.label)")
                        try item.compare(outcome.scores, expected)
                    }
                }
            },
            score("score-strides", "The same numbers with other strides score the same: transposed, with gaps, backwards.", needs: sound) {
                subject, plugin, instance in
                try Check.compareLayouts(subject, plugin, instance, [.transposed, .gaps, .reversed])
            },
            score("score-misaligned", "The same numbers at an odd address score the same.", needs: sound) { subject, plugin, instance in
                try Check.compareLayouts(subject, plugin, instance, [.misaligned])
            },
            score("score-byte-offset", "The same numbers behind a byte offset score the same.", needs: sound) { subject, plugin, instance in
                for granularity in plugin.served([.element, .row]) {
                    let plain = try WeightCase(subject, plugin, shape: [12, 10], granularity: granularity)
                    let expected = try plain.succeed(subject, instance).scores
                    plain.byteOffset = 24
                    try plain.compare(try plain.succeed(subject, instance).scores, expected)
                }
            },
            score("score-broadcast", "An axis of stride 0 reads as the same number over and over.", needs: sound) {
                subject, plugin, instance in
                for granularity in plugin.served([.element, .row]) {
                    for axis in 0...1 {
                        let (shape, own) = ([6, 5], axis == 0 ? 5 : 6)
                        let base = TestArray.numbers(own, seed: subject.seed, stream: 3)
                        let full = (0..<30).map { base[axis == 0 ? $0 % 5 : $0 / 5] }
                        let plain = try WeightCase(subject, plugin, shape: shape, granularity: granularity, values: full)
                        let expected = try plain.succeed(subject, instance).scores
                        let item = try WeightCase(subject, plugin, shape: shape, granularity: granularity, values: full)
                        // Along a broadcast axis 1 the first column's stride stays 5.
                        item.view.strides[axis] = 0
                        try item.compare(try item.succeed(subject, instance).scores, expected)
                    }
                }
            },
        ]
    }

    private static func compareLayouts(
        _ subject: Subject, _ plugin: Plugin, _ instance: Instance, _ layouts: [TestArray.Layout]
    ) throws {
        for granularity in plugin.served([.element, .row]) {
            for (shape, dtype) in [([12, 10], DType.float32), ([5, 4, 3], .float64), ([6, 2, 3, 2], .bfloat16)] {
                let plain = try WeightCase(subject, plugin, shape: shape, granularity: granularity, dtype: dtype)
                subject.stage("scoring \(plain.label)")
                let reference = try plain.score(instance)
                guard reference.call.status == PARE_OK else { continue }
                for layout in layouts {
                    let item = try WeightCase(
                        subject, plugin, shape: shape, granularity: granularity, dtype: dtype, layout: layout)
                    try item.compare(try item.succeed(subject, instance).scores, reference.scores)
                }
            }
        }
    }

    /// What is done to the memory of the weights.
    static var memory: [Check] {
        [
            score(
                "weights-read-only", "Weights and other inputs may lie in read-only memory.",
                fault: "the plugin wrote to weights or inputs"
            ) { subject, plugin, instance in
                for granularity in plugin.served([.element, .row]) {
                    for layout in [TestArray.Layout.contiguous, .gaps] {
                        let item = try WeightCase(
                            subject, plugin, shape: [12, 10], granularity: granularity, layout: layout)
                        item.protect()
                        _ = try item.succeed(subject, instance)
                    }
                }
            },
            score("weights-unchanged", "Weights and other inputs are the same afterwards.") { subject, plugin, instance in
                for item in try WeightCase.variety(subject, plugin) {
                    let before = item.bytes
                    _ = try item.succeed(subject, instance)
                    guard item.bytes == before else {
                        throw Finding.fail("the plugin changed weights or inputs (\(item.label))", expected: "the same bytes")
                    }
                }
            },
            score(
                "weights-in-bounds", "Nothing outside the weights and other inputs is read.",
                fault: "the plugin reads outside the weights or inputs"
            ) { subject, plugin, instance in
                for granularity in plugin.served([.element, .row]) {
                    for (shape, dtype) in [([12, 10], DType.float32), ([7, 3], .float64), ([13, 3], .bfloat16), ([1, 1], .float32)] {
                        for layout in [TestArray.Layout.contiguous, .transposed, .reversed, .gaps] {
                            let item = try WeightCase(
                                subject, plugin, shape: shape, granularity: granularity, dtype: dtype, layout: layout, flush: true)
                            subject.stage("scoring \(item.label), at the end of readable memory")
                            try item.score(instance).call.polite("scoring \(item.label)")
                        }
                    }
                }
            },
        ]
    }

    /// Weights that are no numbers, and what is asked for beside them.
    static var special: [Check] {
        [
            score("score-nonfinite", "NaN and infinite weights bring no crash and no strange status.", needs: sound) {
                subject, plugin, instance in
                for granularity in plugin.served([.element, .row]) {
                    for special in [[Double.nan], [.infinity], [-.infinity], [.nan, .infinity, -.infinity, 0, -0.0, 3e38]] {
                        let values = (0..<60).map { $0 % 7 == 0 ? special[$0 / 7 % special.count] : Double($0 % 5) - 2 }
                        for dtype in [DType.float32, .float64, .float16] {
                            let item = try WeightCase(
                                subject, plugin, shape: [6, 10], granularity: granularity, dtype: dtype, values: values)
                            subject.stage("scoring \(special), \(item.label)")
                            let outcome = try item.score(instance)
                            try outcome.call.polite("scoring \(special), \(item.label)")
                            guard outcome.stray.isEmpty else { throw Finding.fail(outcome.stray) }
                        }
                    }
                }
            },
            score("inputs-declared", "The criterion asks for no input that it does not declare.") { subject, plugin, instance in
                let declared = Set(WeightCase.supplied.filter { plugin.needs & $0.need != 0 }.map(\.input))
                let item = try WeightCase(subject, plugin, shape: [6, 4], granularity: plugin.served([.element, .row])[0])
                let asked = try item.succeed(subject, instance).asked.subtracting(declared).subtracting([PARE_INPUT_DENSE_WEIGHT])
                guard asked.isEmpty else {
                    throw Finding.warn(
                        "it asks for what it does not declare", found: "inputs \(asked.sorted())", expected: "its `needs` name them")
                }
            },
            score("inputs-missing", "Without the inputs that it needs the criterion fails politely.") { subject, plugin, instance in
                guard WeightCase.supplied.contains(where: { plugin.needs & $0.need != 0 }) else { throw Finding.skip("it needs none") }
                for granularity in plugin.served([.element, .row]) {
                    let item = try WeightCase(subject, plugin, shape: [6, 4], granularity: granularity)
                    subject.stage("scoring without its inputs")
                    try item.score(instance, ScoreStyle(withoutInputs: true)).call.polite("scoring without inputs")
                    var bare = ScoreStyle(withoutInputs: true)
                    bare.call.withoutRecord = true
                    _ = try item.score(instance, bare)
                }
            },
        ]
    }
}
