import Testing

@testable import PareTensor

struct RandomTests {
    /// Known answers of the Random123 library (kat_vectors, philox4x32 with 10 rounds).
    @Test func philoxGivesThePublishedAnswers() {
        let cases: [(SIMD4<UInt32>, SIMD2<UInt32>, SIMD4<UInt32>)] = [
            (.zero, .zero, SIMD4(0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8)),
            (
                SIMD4(repeating: .max), SIMD2(repeating: .max),
                SIMD4(0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd)
            ),
            (
                SIMD4(0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344), SIMD2(0xa409_3822, 0x299f_31d0),
                SIMD4(0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1)
            ),
        ]
        for (counter, key, answer) in cases { #expect(Philox.block(counter: counter, key: key) == answer) }
    }

    @Test func drawsDoNotDependOnWhereAskingBegins() {
        let stream = RandomStream(seed: 7, stream: 1 << 40)
        var whole = [Float](repeating: 0, count: 101)
        var normal = whole
        var bits = [UInt64](repeating: 0, count: 101)
        stream.uniform(first: 0, count: 101, into: &whole)
        stream.normal(first: 0, count: 101, into: &normal)
        stream.bits(first: 0, count: 101, into: &bits)
        for first in 0..<12 {
            for count in [0, 1, 2, 5, 50] {
                var part = [Float](repeating: 0, count: count)
                var words = [UInt64](repeating: 0, count: count)
                stream.uniform(first: UInt64(first), count: count, into: &part)
                #expect(part == Array(whole[first..<first + count]))
                stream.normal(first: UInt64(first), count: count, into: &part)
                #expect(part == Array(normal[first..<first + count]))
                stream.bits(first: UInt64(first), count: count, into: &words)
                #expect(words == Array(bits[first..<first + count]))
            }
        }
        var other = whole
        RandomStream(seed: 7, stream: 0).uniform(first: 0, count: 101, into: &other)
        #expect(other != whole)
    }

    @Test func momentsAreThoseOfTheDistributions() {
        let count = 200_000
        var values = [Float](repeating: 0, count: count)
        RandomStream(seed: 3, stream: 0).uniform(first: 5, count: count, into: &values)
        #expect(values.allSatisfy { $0 >= 0 && $0 < 1 })
        let mean = values.reduce(0) { $0 + Double($1) } / Double(count)
        #expect(abs(mean - 0.5) < 0.004)
        RandomStream(seed: 3, stream: 1).normal(first: 5, count: count, into: &values)
        let first = values.reduce(0) { $0 + Double($1) } / Double(count)
        let second = values.reduce(0) { $0 + Double($1) * Double($1) } / Double(count)
        #expect(abs(first) < 0.01 && abs(second - 1) < 0.02)
        #expect(values.allSatisfy { $0.isFinite })
    }

    /// Test vectors published with FNV.
    @Test func hashesAreFNV1a() {
        #expect(stableHash("") == 0xcbf2_9ce4_8422_2325)
        #expect(stableHash("a") == 0xaf63_dc4c_8601_ec8c)
        #expect(stableHash("foobar") == 0x8594_4171_f739_67e8)
    }
}
