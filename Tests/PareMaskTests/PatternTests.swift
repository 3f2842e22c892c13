import PareTensor
import Testing

@testable import PareMask

struct PatternTests {
    @Test func patternsAreReadAsWritten() throws {
        let cases: [(String, Pattern, Double?)] = [
            ("0.5", .element, 0.5), ("0", .element, 0), ("9e-1", .element, 0.9), ("element", .element, nil),
            ("element@0.25", .element, 0.25), ("2:4", try .nm(2, 4), nil), ("1:64", try .nm(1, 64), nil),
            ("block:4x1", try .block(4, 1), nil), ("block:16x16@0.75", try .block(16, 16), 0.75),
            ("row@0.3", .row, 0.3), ("column", .column, nil), ("channel@0", .channel, 0),
        ]
        for (text, pattern, sparsity) in cases {
            let read = try Pattern.parse(text)
            #expect(read.pattern == pattern, "\(text)")
            #expect(read.sparsity == sparsity, "\(text)")
            #expect(try Pattern.parse(read.pattern.text).pattern == pattern)
        }
    }

    @Test(arguments: [
        "", "@", "@0.5", "1", "1.0", "-0.1", "nan", "inf", "50", "50%", "0x1p-1", "0.5@0.5", "4:2", "4:4", "0:4",
        "-1:4",
        "2:65", "2:4@0.5", "2:", ":4", "2:4:8", "block", "block:4", "block:4x", "block:x4", "block:0x4", "block:-1x4",
        "block:4x4x4", "block:99999999999999999999x1", "rows", "row@", "row@1", "row@x", "element@nan", "2.5:4", " 2:4",
    ])
    func nonsenseIsRefused(text: String) {
        let error = #expect(throws: PareError.self) { try Pattern.parse(text) }
        #expect(error?.status == .argument)
        #expect(error?.expected.isEmpty == false)
    }

    @Test func messagesHelp() {
        #expect(error("50").hint == "write 0.5 for 50.0 %")
        #expect(error("chanel").hint == "did you mean channel?")
        #expect(error("4:2").found == "4:2")
        #expect(error("2:4@0.5").hint.contains("2 kept and 2 removed of every 4"))
    }

    private func error(_ text: String) -> PareError {
        do {
            _ = try Pattern.parse(text)
        } catch let error as PareError { return error } catch {}
        return PareError(.internal, "no error")
    }

    @Test func readingsAreUnambiguous() throws {
        #expect(try Pattern.nm(1, 4).reading == "1:4 (1 kept and 3 removed of every 4 along the input dimension)")
        #expect(try Pattern.nm(2, 4).fixedSparsity == 0.5)
        #expect(Pattern.row.fixedSparsity == nil)
    }

    @Test func numbersFromOutsideAreChecked() throws {
        #expect(
            try Pattern(granularity: 1, n: 2, m: 4, blockRows: 0, blockCols: 0, remainder: 2)
                == .nm(2, 4, remainder: .pad))
        for (kind, n, m, rows, cols, rest) in [
            (6, 0, 0, 0, 0, 0), (-1, 0, 0, 0, 0, 0), (0, 0, 0, 0, 0, 3), (1, 4, 4, 0, 0, 0), (2, 0, 0, 0, 1, 0),
        ] as [(Int32, Int32, Int32, Int32, Int32, Int32)] {
            #expect(throws: PareError.self) {
                try Pattern(granularity: kind, n: n, m: m, blockRows: rows, blockCols: cols, remainder: rest)
            }
        }
    }
}
