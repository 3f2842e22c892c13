import CKernels

typealias Tally = ck_tally

extension Float: Score {
    static func key(_ score: Float) -> Int32 { ck_key_f32(score) }

    static func tally(
        _ scores: UnsafePointer<Float>, _ count: Int, _ bracket: ClosedRange<Int32>,
        _ list: UnsafeMutablePointer<Int32>?, _ capacity: Int, _ tally: inout Tally
    ) -> Int {
        ck_tally_f32(scores, count, bracket.lowerBound, bracket.upperBound, list, capacity, &tally)
    }

    static func histogram(
        _ scores: UnsafePointer<Float>, _ count: Int, _ bracket: ClosedRange<Int32>, _ shift: Int,
        _ bins: UnsafeMutablePointer<UInt64>, _ tally: inout Tally
    ) {
        ck_histogram_f32(scores, count, bracket.lowerBound, bracket.upperBound, Int32(shift), bins, &tally)
    }

    static func histogram(
        keys: UnsafePointer<Int32>, _ count: Int, _ bracket: ClosedRange<Int32>, _ shift: Int,
        _ bins: UnsafeMutablePointer<UInt64>
    ) {
        ck_histogram_k32(keys, count, bracket.lowerBound, bracket.upperBound, Int32(shift), bins)
    }

    static func keep(
        _ scores: UnsafePointer<Float>, _ count: Int, above threshold: Int32, ties: Bool,
        _ words: UnsafeMutablePointer<UInt64>
    ) -> Int {
        ck_keep_f32(scores, count, threshold, ties ? 1 : 0, words)
    }

    static func keepTies(
        _ scores: UnsafePointer<Float>, _ count: Int, at threshold: Int32, first: Int,
        _ words: UnsafeMutablePointer<UInt64>
    ) {
        ck_keep_ties_f32(scores, count, threshold, first, words)
    }
}

extension Double: Score {
    static func key(_ score: Double) -> Int64 { ck_key_f64(score) }

    static func tally(
        _ scores: UnsafePointer<Double>, _ count: Int, _ bracket: ClosedRange<Int64>,
        _ list: UnsafeMutablePointer<Int64>?, _ capacity: Int, _ tally: inout Tally
    ) -> Int {
        ck_tally_f64(scores, count, bracket.lowerBound, bracket.upperBound, list, capacity, &tally)
    }

    static func histogram(
        _ scores: UnsafePointer<Double>, _ count: Int, _ bracket: ClosedRange<Int64>, _ shift: Int,
        _ bins: UnsafeMutablePointer<UInt64>, _ tally: inout Tally
    ) {
        ck_histogram_f64(scores, count, bracket.lowerBound, bracket.upperBound, Int32(shift), bins, &tally)
    }

    static func histogram(
        keys: UnsafePointer<Int64>, _ count: Int, _ bracket: ClosedRange<Int64>, _ shift: Int,
        _ bins: UnsafeMutablePointer<UInt64>
    ) {
        ck_histogram_k64(keys, count, bracket.lowerBound, bracket.upperBound, Int32(shift), bins)
    }

    static func keep(
        _ scores: UnsafePointer<Double>, _ count: Int, above threshold: Int64, ties: Bool,
        _ words: UnsafeMutablePointer<UInt64>
    ) -> Int {
        ck_keep_f64(scores, count, threshold, ties ? 1 : 0, words)
    }

    static func keepTies(
        _ scores: UnsafePointer<Double>, _ count: Int, at threshold: Int64, first: Int,
        _ words: UnsafeMutablePointer<UInt64>
    ) {
        ck_keep_ties_f64(scores, count, threshold, first, words)
    }
}
