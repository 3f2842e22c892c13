import CPare
import PareTensor
import Testing

@testable import PareHost

/// The definition, without regard to cost.
private func matches(_ pattern: ArraySlice<Character>, _ name: ArraySlice<Character>) -> Bool {
    guard let first = pattern.first else { return name.isEmpty }
    if first == "*" { return matches(pattern.dropFirst(), name) || (!name.isEmpty && matches(pattern, name.dropFirst())) }
    guard let letter = name.first, first == "?" || first == letter else { return false }
    return matches(pattern.dropFirst(), name.dropFirst())
}

private func words(_ alphabet: [Character], upTo length: Int) -> [[Character]] {
    (0..<length).reduce(into: [[]]) { all, step in
        all += all.filter { $0.count == step }.flatMap { word in alphabet.map { word + [$0] } }
    }
}

@Suite struct NamePatternTests {
    @Test func everyShortPatternAgreesWithTheDefinition() {
        let names = words(["a", "b"], upTo: 5)
        var wrong: [String] = []
        for pattern in words(["a", "b", "*", "?"], upTo: 4) {
            let compiled = NamePattern(String(pattern))
            for name in names where compiled.matches(String(name)) != matches(pattern[...], name[...]) {
                wrong.append("\(String(pattern)) on \(String(name))")
            }
        }
        #expect(wrong.isEmpty, "\(wrong.prefix(10))")
    }

    @Test func oneMarkIsOneCharacter() {
        #expect(NamePattern("couche?.poids").matches("coucheé.poids"))
        #expect(!NamePattern("??").matches("é"))
        #expect(NamePattern("*é*").matches("été"))
    }

    @Test func manyStarsStayLinear() {
        let pattern = NamePattern(String(repeating: "*a", count: 200) + "b")
        #expect(!pattern.matches(String(repeating: "a", count: 20_000)))
    }
}

@Suite struct OptionSplitTests {
    private func plugins() throws -> (Plugin, Plugin) {
        let seed = rawOption("seed", PARE_OPTION_INT, standard: "0")
        let c = FixturePlugin(
            .criterion, "split",
            options: [rawOption("power", PARE_OPTION_FLOAT, standard: "1"), seed, rawOption("both", PARE_OPTION_INT, standard: "0")])
        let a = FixturePlugin(
            .allocator, "split",
            options: [rawOption("scope", PARE_OPTION_INT, standard: "1"), rawOption("both", PARE_OPTION_INT, standard: "0")])
        let context = try Context.with(c, a)
        return (try context.plugin(.criterion, "split"), try context.plugin(.allocator, "split"))
    }

    @Test func keysGoToThoseWhoDeclareThem() throws {
        let (c, a) = try plugins()
        let split = try OptionSplit(["power": "2", "scope": "3", "both": "4", "criterion.both": "5"], criterion: c, allocation: a, seed: 0)
        #expect(split.allocation == ["scope": "3", "both": "4"])
        #expect(split.criterion["power"] == "2" && split.criterion["seed"] == nil)
        #expect(split.criterion["both"] == "5", "the key that says where it goes wins")
    }

    @Test func aSeedReachesOnlyThoseWhoDraw() throws {
        let (c, a) = try plugins()
        #expect(try OptionSplit([:], criterion: c, allocation: a, seed: 9).criterion == ["seed": "9"])
        #expect(try OptionSplit([:], criterion: c, allocation: a, seed: 9).allocation.isEmpty)
        #expect(try OptionSplit(["seed": "4"], criterion: c, allocation: a, seed: 9).criterion == ["seed": "4"])
    }

    @Test func unknownKeysNameTheNearest() throws {
        let (c, a) = try plugins()
        let refusal = error { _ = try OptionSplit(["powr": "2"], criterion: c, allocation: a, seed: 0) }
        #expect(refusal?.status == .option && refusal?.hint == "did you mean \"power\"?")
        #expect(refusal?.expected == "criterion \"split\": power, seed, both; allocator \"split\": scope, both")
        #expect(
            error { _ = try OptionSplit(["zzzzzzzz": "2"], criterion: c, allocation: a, seed: 0) }?.hint
                == "pare plugins show split lists them")
    }

    @Test func settingsFromAList() throws {
        func read(_ texts: String?...) throws -> [String: String] {
            let list = texts.map { $0.map { c($0) } }
            return try list.withUnsafeBufferPointer { try settings($0.baseAddress) }
        }
        #expect(try settings(nil).isEmpty)
        #expect(try read("a", "1", "b", "", nil) == ["a": "1", "b": ""])
        #expect(error { _ = try read("a", nil) }?.what == "option \"a\" has no value")
        #expect(error { _ = try read("a", "1", "a", "2", nil) }?.what == "option \"a\" is given twice")
    }
}
