import CPare
import PareFormats
import PareTensor
import Testing

@testable import PareHost

/// A description, with members replaced.
private func described(
    id: String = "f", library: String = "libm.so.6", symbol: String = "fabs",
    arguments: String = #"[{"role": "weight", "type": "f64"}]"#, returns: String? = #"{"type": "f64", "role": "score"}"#,
    more: String = ""
) -> String {
    let result = returns.map { ", \"returns\": \($0)" } ?? ""
    return #"{"id": "\#(id)", "library": "\#(library)", "symbol": "\#(symbol)", "arguments": \#(arguments)\#(result)\#(more)}"#
}

private let wholeTensor = #"[{"role": "weights", "type": "f32*"}, {"role": "scores", "type": "f32*"}]"#

@Suite struct FunctionDescriptionTests {
    private func refusal(_ text: String) -> PareError? { error { _ = try FunctionDescription(JSON.parse(text)) } }

    @Test func everyMember() throws {
        let arguments = """
            [{"role": "weights", "type": "f64*"}, {"role": "units", "type": "i64"}, {"role": "elements", "type": "u32"},
             {"role": "count", "type": "u64"}, {"role": "parameter", "type": "char*"}, {"role": "constant", "type": "f32", "value": 2},
             {"role": "option", "type": "i32", "key": "power", "default": 2, "minimum": 1, "help": "an exponent"},
             {"role": "option", "type": "f64", "key": "floor"}, {"role": "scores", "type": "f32*"}]
            """
        let made = try FunctionDescription(
            JSON.parse(
                described(
                    arguments: arguments, returns: #"{"type": "i32", "role": "status"}"#,
                    more: #", "local": true, "thread-safe": true, "summary": "s", "source": "p""#)))
        #expect(made.arguments.map(\.role) == [.weights, .units, .elements, .count, .parameter, .constant, .option, .option, .scores])
        #expect(made.arguments[5].constant == 2 && made.arguments.map(\.option) == [nil, nil, nil, nil, nil, nil, 0, 1, nil])
        #expect(made.options.map(\.key) == ["power", "floor"] && made.options.map(\.kind) == [.int, .float])
        #expect(made.options[0].defaultText == "2" && made.options[0].minimum == 1 && made.options[1].isRequired)
        #expect(made.isLocal && made.isThreadSafe && made.summary == "s" && made.source == "p")
        let plain = try FunctionDescription(JSON.parse(described()))
        #expect(plain.summary == "plain function fabs" && plain.source == "libm.so.6: fabs" && !plain.isLocal)
    }

    @Test func errorsNameTheMember() {
        func arguments(_ text: String) -> PareError? { refusal(described(arguments: text)) }
        #expect(refusal("[]")?.what == "not an object" && refusal("{}")?.what == "member \"id\" is missing")
        #expect(refusal(described(more: #", "symbl": 1"#))?.hint == "did you mean \"symbol\"?")
        #expect(refusal(described(more: #", "local": 1"#))?.expected == "true or false")
        #expect(arguments("{}")?.expected == "an array" && arguments("[3]")?.location == "arguments[0]")
        #expect(arguments(#"[{"role": "wieght", "type": "f64"}]"#)?.found == "\"wieght\"")
        #expect(arguments(#"[{"role": "weight", "type": "f16"}]"#)?.what == "unknown type")
        #expect(arguments(#"[{"role": "weights", "type": "f64"}]"#)?.expected == "f32* or f64*")
        #expect(arguments(#"[{"role": "weight", "type": "f64*"}]"#)?.expected == "a number type")
        #expect(arguments(#"[{"role": "parameter", "type": "f32*"}]"#)?.expected == "char*")
        #expect(
            arguments(#"[{"role": "weight", "type": "f64"}, {"role": "constant", "type": "f64"}]"#)?.what == "member \"value\" is missing")
        #expect(
            arguments(#"[{"role": "weight", "type": "f64"}, {"role": "constant", "type": "f64", "value": "2"}]"#)?.expected == "a number")
        #expect(arguments("[]")?.what == "exactly one argument must take the weights")
        #expect(
            arguments(#"[{"role": "weight", "type": "f64"}, {"role": "scores", "type": "f32*"}]"#)?.what
                == "the score is returned and also written")
        let many = (0..<40).map { _ in #"{"role": "units", "type": "i64"}"# }.joined(separator: ", ")
        #expect(arguments(#"[{"role": "weight", "type": "f64"}, \#(many)]"#)?.expected == "at most 32")
        let twice = #"{"role": "option", "type": "f64", "key": "a", "default": 0}"#
        #expect(arguments(#"[{"role": "weight", "type": "f64"}, \#(twice), \#(twice)]"#)?.what == "two options have the same key")
    }

    @Test func impossibleResults() {
        #expect(refusal(described(returns: nil))?.what == "there is no way to get the scores back")
        #expect(refusal(described(returns: #"{"type": "f64", "role": "status"}"#))?.what == "a status must be an integer")
        #expect(refusal(described(returns: #"{"type": "i32", "role": "score"}"#))?.what == "a score must be f32 or f64")
        #expect(refusal(described(returns: #"{"type": "f32*", "role": "score"}"#))?.what == "a pointer cannot be returned")
        #expect(refusal(described(returns: #"{"type": "f64", "role": "answer"}"#))?.expected == "status, score or ignored")
    }

    @Test(arguments: ["1e300", "-1e19", "1.5"])
    func wholeOptionsHaveWholeDefaults(_ number: String) {
        let arguments = #"[{"role": "weight", "type": "f64"}, {"role": "option", "type": "i64", "key": "a", "default": \#(number)}]"#
        #expect(refusal(described(arguments: arguments))?.what == "the default is not a whole number")
    }
}

/// Functions of the C library, called through libffi; a bad description must cost no more than an error.
@Suite struct PlainFunctionTests {
    private let weights = floats(-3, 1, -0.5, 2)

    private func refusal(_ text: String) -> PareError? {
        error { try Context(threads: 1, searchPath: "").register(functionDescription: text) }
    }

    @Test func aFunctionOfOneNumber() throws {
        let context = Context(threads: 2, searchPath: "")
        try context.register(functionDescription: described(more: #", "local": true, "thread-safe": true"#))
        let scores = floats(0, 0, 0, 0)
        try context.score(criterion: "f", options: [:], weight: weights.view([2, 2]), pattern: .element, into: scores.view([4]))
        #expect(scores.values == [3, 1, 0.5, 2])
        let rows = error {
            try context.score(criterion: "f", options: [:], weight: weights.view([2, 2]), pattern: .row, into: scores.view([2]))
        }
        #expect(rows?.status == .unsupported && rows?.what.contains("units of 2 elements") == true)
        #expect(error { try context.register(functionDescription: described()) }?.status == .pluginDuplicate)
    }

    /// A trial's child must not inherit the loader's lock from a thread that is loading a library: it would never return.
    @Test func trialsInSeveralThreads() {
        let problems = Numbers<Int32>([Int32](repeating: 0, count: 48))
        Threads(count: 4).parallelFor(problems.count) { index in
            if refusal(described(symbol: index % 2 == 0 ? "fabs" : "exp")) != nil { problems.base[index] = 1 }
        }
        #expect(problems.values.reduce(0, +) == 0)
    }

    @Test func optionsReachTheFunction() throws {
        let arguments = #"[{"role": "weight", "type": "f64"}, {"role": "option", "type": "f64", "key": "x", "default": 1}]"#
        let context = Context(threads: 1, searchPath: "")
        try context.register(functionDescription: described(id: "hypot", symbol: "hypot", arguments: arguments))
        let scores = floats(0)
        try context.score(
            criterion: "hypot", options: ["x": "4"], weight: weights.view([4]).first, pattern: .element, into: scores.view([1]))
        #expect(scores.values == [5])
    }

    @Test func functionsThatAreNoCriteria() {
        let strlen = refusal(described(library: "libc.so.6", symbol: "strlen", arguments: wholeTensor, returns: nil))
        #expect(strlen?.what == "the trial call left scores unwritten or not finite")
        let abort = refusal(described(library: "libc.so.6", symbol: "abort", arguments: wholeTensor, returns: nil))
        #expect(abort?.status == .pluginFault && abort?.what == "the trial call crashed" && abort?.found == "signal 6")
        let exit = refusal(described(library: "libc.so.6", symbol: "_exit", arguments: wholeTensor, returns: nil))
        #expect(exit?.status == .pluginFault && exit?.what == "the trial call ended its process")
        let constant = refusal(
            described(symbol: "nan", arguments: #"[{"role": "weight", "type": "f64"}, {"role": "parameter", "type": "char*"}]"#))
        #expect(constant?.status == .pluginFault)
        let status = refusal(
            described(library: "libc.so.6", symbol: "close", arguments: wholeTensor, returns: #"{"type": "i32", "role": "status"}"#))
        #expect(status?.what == "the trial call failed", "it returns -1")
    }

    @Test func librariesAndSymbolsThatAreNotThere() {
        #expect(refusal(described(library: "libnowhere.so"))?.what == "the library cannot be loaded")
        #expect(refusal(described(symbol: "no_such_function"))?.what == "the library has no such function")
        #expect(refusal("/nowhere.json")?.status == .notFound)
        #expect(refusal("{")?.status == .format)
        #expect(refusal(described(id: "Not an id"))?.what == "unusable criterion id")
    }
}

extension TensorView {
    fileprivate var first: TensorView { TensorView(base: base, dtype: dtype, shape: [1]) }
}
