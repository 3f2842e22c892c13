import CPare
import PareTensor
import Testing

@testable import PareHost

@Suite struct OptionTests {
    @Test(arguments: [
        ("true", true), ("YES", true), ("on", true), ("1", true), ("false", false), ("No", false), ("OFF", false), ("0", false),
    ])
    func booleans(_ spelling: String, _ value: Bool) throws {
        let info = try option(rawOption("fast", PARE_OPTION_BOOL, standard: "false"))
        #expect(try info.parse(spelling) == .bool(value))
        #expect(try info.parse(info.parse(spelling).text) == .bool(value))
    }

    @Test func numbersRespectTheirRange() throws {
        let whole = try option(rawOption("power", PARE_OPTION_INT, standard: "2", 1...3))
        #expect(try whole.parse("3") == .int(3))
        for bad in ["0", "4", "1.5", "", " 2", "2 ", "0x2", "two", "99999999999999999999"] {
            let refusal = error { _ = try whole.parse(bad) }
            #expect(refusal?.status == .option, "\(bad)")
            #expect(refusal?.found == "\"\(bad)\"" && refusal?.expected == "int in [1, 3]")
        }
        let exclusive = PARE_OPTION_MIN_EXCLUSIVE | PARE_OPTION_MAX_EXCLUSIVE
        let open = try option(rawOption("rate", PARE_OPTION_FLOAT, standard: "0.5", 0...1, flags: Int32(exclusive)))
        #expect(try open.parse("1e-300") == .float(1e-300))
        for bad in ["0", "1", "-0", "nan", "inf", "1.0000000000000002"] {
            #expect(error { _ = try open.parse(bad) }?.expected == "float in (0, 1)", "\(bad)")
        }
        #expect(try option(rawOption("x", PARE_OPTION_FLOAT, standard: "0")).parse("inf") == .float(.infinity))
        #expect(error { _ = try option(rawOption("x", PARE_OPTION_FLOAT, standard: "0")).parse("nan") }?.status == .option)
    }

    @Test func rangesInWords() throws {
        func words(_ range: ClosedRange<Double>, _ flags: Int32 = 0) throws -> String {
            try option(rawOption("x", PARE_OPTION_FLOAT, range, flags: flags | Int32(PARE_OPTION_REQUIRED))).range
        }
        let infinity = Double.infinity
        #expect(try words(-infinity...infinity) == "")
        #expect(try words(0...infinity) == "≥ 0")
        #expect(try words(0...infinity, Int32(PARE_OPTION_MIN_EXCLUSIVE)) == "> 0")
        #expect(try words(-infinity...2.5) == "≤ 2.5")
        #expect(try words(-infinity...1, Int32(PARE_OPTION_MAX_EXCLUSIVE)) == "< 1")
        #expect(try words(0...1, Int32(PARE_OPTION_MAX_EXCLUSIVE)) == "in [0, 1)")
        #expect(try words(0...1e300) == "in [0, 1e+300]")
    }

    @Test func listsAndTexts() throws {
        let whole = try option(rawOption("steps", PARE_OPTION_INT_LIST, standard: "", 0...9))
        #expect(try whole.parse("") == .ints([]))
        #expect(try whole.parse("1,2,9") == .ints([1, 2, 9]))
        for bad in ["1,", ",1", "1,,2", "1, 2", "10"] { #expect(error { _ = try whole.parse(bad) }?.status == .option, "\(bad)") }
        let real = try option(rawOption("rates", PARE_OPTION_FLOAT_LIST, standard: "0.1,0.2"))
        #expect(try real.parse("-1,2.5e3") == .floats([-1, 2500]))
        #expect(try real.parse(real.parse("0.1,0.2").text) == .floats([0.1, 0.2]))
        #expect(try option(rawOption("name", PARE_OPTION_STRING, standard: "")).parse("any, thing ") == .string("any, thing "))
    }

    @Test func choicesNameTheNearest() throws {
        let info = try option(rawOption("norm", PARE_OPTION_CHOICE, standard: "l2", choices: ["l1", "l2", "max"]))
        #expect(try info.parse("max") == .choice(2, "max"))
        let refusal = error { _ = try info.parse("mex") }
        #expect(refusal?.expected == "one of l1, l2, max" && refusal?.hint == "did you mean \"max\"?")
    }

    @Test func brokenSchemasAreThePluginsFault() throws {
        let float = PARE_OPTION_FLOAT
        var short = rawOption("x", float, standard: "0")
        short.struct_size = 8
        let broken: [(String, pare_option_info)] = [
            ("short", short), ("type 0", rawOption("x", 0, standard: "0")), ("type 8", rawOption("x", 8, standard: "0")),
            ("empty key", rawOption("", float, standard: "0")), ("upper case", rawOption("Rate", float, standard: "0")),
            ("underscore", rawOption("a_b", float, standard: "0")), ("digit first", rawOption("2x", float, standard: "0")),
            ("no default", rawOption("x", float)), ("default out of range", rawOption("x", float, standard: "2", 0...1)),
            ("default no number", rawOption("x", float, standard: "much")),
            ("no choices", rawOption("x", PARE_OPTION_CHOICE, standard: "a")),
            ("a choice twice", rawOption("x", PARE_OPTION_CHOICE, standard: "a", choices: ["a", "a"])),
            ("default no choice", rawOption("x", PARE_OPTION_CHOICE, standard: "c", choices: ["a", "b"])),
        ]
        for (name, raw) in broken { #expect(error { _ = try option(raw) }?.status == .pluginFault, "\(name)") }
        var range = rawOption("x", float, standard: "0")
        (range.minimum, range.maximum) = (1, 0)
        #expect(error { _ = try option(range) }?.found == "1.0 … 0.0")
        (range.minimum, range.maximum) = (.nan, 1)
        #expect(error { _ = try option(range) }?.status == .pluginFault)
        #expect(error { _ = try OptionInfo(nil, index: 3) }?.what == "option 3 is NULL")
    }

    @Test func theCFormComesBackTheSame() throws {
        let info = try option(rawOption("norm", PARE_OPTION_CHOICE, standard: "l2", choices: ["l1", "l2"]))
        let texts = CTexts()
        let again = try withExtendedLifetime(texts) { try option(info.raw(texts)) }
        #expect(again.key == "norm" && again.kind == .choice && again.choices == ["l1", "l2"] && again.defaultText == "l2")
        #expect(again.help == "help of norm" && !again.isRequired && !again.isAdvanced)
        #expect(try option(rawOption("x", PARE_OPTION_INT, flags: Int32(PARE_OPTION_REQUIRED | PARE_OPTION_ADVANCED))).isAdvanced)
    }

    @Test func valuesReachThePluginInSchemaOrder() throws {
        let plugin = FixturePlugin(
            .criterion, "tests-values",
            options: [
                rawOption("flag", PARE_OPTION_BOOL, standard: "on"), rawOption("seed", PARE_OPTION_INT, standard: "-7"),
                rawOption("rate", PARE_OPTION_FLOAT, standard: "0.25"),
                rawOption("norm", PARE_OPTION_CHOICE, standard: "b", choices: ["a", "b"]),
                rawOption("steps", PARE_OPTION_INT_LIST, standard: "3,4"),
                rawOption("must", PARE_OPTION_INT, flags: Int32(PARE_OPTION_REQUIRED)),
            ])
        let context = try Context.with(plugin)
        let refusal = error { _ = try context.makeInstance(.criterion, "tests-values") }
        #expect(refusal?.status == .option && refusal?.what == "criterion \"tests-values\" needs option \"must\"")
        #expect(
            error { _ = try context.makeInstance(.criterion, "tests-values", ["ratte": "1", "must": "1"]) }?.hint
                == "did you mean \"rate\"?")
        #expect(
            error { _ = try context.makeInstance(.criterion, "tests-values", ["rate": "x", "must": "1"]) }?.location
                == "criterion \"tests-values\"")
        #expect(plugin.created.isEmpty, "nothing is created before the settings are right")
        do {
            let instance = try context.makeInstance(.criterion, "tests-values", ["must": "5", "rate": "1e-3"])
            #expect(plugin.instances == 1)
            #expect(plugin.created.map(\.integer) == [1, -7, 0, 1, 0, 5])
            #expect(plugin.created.map(\.number) == [0, -7, 1e-3, 0, 0, 5])
            #expect(plugin.created.map(\.count) == [1, 1, 1, 1, 2, 1])
            _ = instance
        }
        #expect(plugin.instances == 0, "an instance is destroyed with its owner")
    }
}
