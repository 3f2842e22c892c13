import CPare
import PareTensor

extension Check {
    /// What a metric has to keep to beyond what every plugin does.
    static var metric: [Check] {
        [
            measure("metric-emits", "The metric says something about a model, with names, units and layers that exist.") {
                exercise, _, instance in
                let emitted = try checked(exercise, instance, "a small model")
                guard !emitted.isEmpty else { throw Finding.fail("it says nothing", expected: "one number at least") }
                if let odd = emitted.first(where: { !isIdentifier($0.name, dots: true) }) {
                    throw Finding.warn("unusual name", found: "\"\(odd.name)\"", expected: "[a-z][a-z0-9-]*")
                }
            },
            measure("metric-finite", "The metric's numbers are finite.") { exercise, _, instance in
                for one in try checked(exercise, instance, "a small model") where one.values.contains(where: { !$0.isFinite }) {
                    throw Finding.fail("not finite", found: "\"\(one.name)\" of layer \(one.index): \(one.values.prefix(4))")
                }
            },
            measure("metric-once", "No number is emitted twice.") { exercise, _, instance in
                var seen: Set<String> = []
                for one in try checked(exercise, instance, "a small model") where !seen.insert("\(one.index) \(one.name)").inserted {
                    throw Finding.fail("emitted twice", found: "\"\(one.name)\" of layer \(one.index)")
                }
            },
            measure(
                "metric-read-only", "The metric reads weights and masks from read-only memory, and nothing outside them.",
                fault: "the plugin writes to the model or reads outside it"
            ) { _, subject, instance in
                for layout in TestArray.Layout.allCases {
                    _ = try checked(
                        try MetricExercise(subject, LayerCase.small, layout: layout, guarded: true), instance, "\(layout.rawValue) weights")
                }
            },
            measure("metric-empty", "A model without parameters, or with empty ones, is fine.") { _, subject, instance in
                let empty = LayerCase(
                    "empty parameters",
                    [
                        TrialLayer(name: "a", shape: [0, 8]), TrialLayer(name: "b", shape: [0]),
                        TrialLayer(name: "c", shape: [4, 0, 3, 3]),
                    ])
                for layers in [LayerCase("no parameters", []), empty] {
                    for one in try checked(try MetricExercise(subject, layers), instance, layers.label)
                    where one.values.contains(where: { !$0.isFinite }) {
                        throw Finding.fail(
                            "not finite for \(layers.label)", found: "\"\(one.name)\" of layer \(one.index): \(one.values.prefix(4))")
                    }
                }
            },
            measure("metric-dtypes", "Parameters of any type are fine, also whole numbers and truth values.") { _, subject, instance in
                for dtype in DType.allCases {
                    let exercise = try MetricExercise(subject, LayerCase.small, dtype: dtype)
                    let outcome = try exercise.measure(instance)
                    if [PARE_E_DTYPE, PARE_E_UNSUPPORTED].contains(outcome.call.status) {
                        throw Finding.warn("it refuses models with \(dtype.name) parameters", found: outcome.call.message)
                    }
                    try outcome.call.required("measuring \(dtype.name) parameters")
                }
            },
            measure("metric-hidden", "Values that cannot be had bring no crash and no strange status.") { exercise, _, instance in
                exercise.hidesWeights = true
                try exercise.measure(instance).call.polite("measuring a model whose values cannot be had")
            },
            measure("metric-patterns", "The metric works whatever pattern the masks were made for.") { exercise, _, instance in
                for granularity in PARE_GRANULARITY_ELEMENT...PARE_GRANULARITY_CHANNEL {
                    var pattern = pare_pattern()
                    pattern.granularity = granularity
                    if granularity == PARE_GRANULARITY_NM { (pattern.n, pattern.m) = (2, 4) }
                    if granularity == PARE_GRANULARITY_BLOCK { (pattern.block_rows, pattern.block_cols) = (2, 4) }
                    exercise.pattern = pattern
                    _ = try checked(exercise, instance, "granularity \(granularity)")
                }
            },
        ]
    }

    private static func measure(
        _ name: String, _ about: String, fault: String? = nil,
        _ body: @escaping (MetricExercise, Subject, Instance) throws -> Void
    ) -> Check {
        Check(name, about, .kind(.metric), needs: ["call-speed"], fault: fault) { subject in
            let instance = try subject.make([:], TrialHost())
            subject.stage("measuring a small model")
            try body(try MetricExercise(subject), subject, instance)
        }
    }

    /// A call that has to succeed, and whose emissions are well-formed.
    private static func checked(
        _ exercise: MetricExercise, _ instance: Instance, _ label: String
    ) throws -> [MetricExercise.Emitted] {
        let outcome = try exercise.measure(instance)
        try outcome.call.required("measuring \(label)")
        if let odd = outcome.emitted.first(where: { !$0.problem.isEmpty }) {
            throw Finding.fail("\(odd.problem) (\(label))", found: "\"\(odd.name)\" of layer \(odd.index)")
        }
        return outcome.emitted
    }
}

extension LayerCase {
    /// Parameters of one to four axes.
    static var small: LayerCase {
        LayerCase(
            "a small model",
            [
                TrialLayer(name: "a", shape: [6, 8]), TrialLayer(name: "b", shape: [6], role: PARE_ROLE_BIAS),
                TrialLayer(name: "c", shape: [4, 4, 3, 3], type: PARE_LAYER_CONV, macs: 1000),
            ])
    }
}
