import CKernels
import Testing

@testable import PareTensor

/// Runs a body with the processor's kernels and with the baseline ones.
func withBothKernels(_ body: () throws -> Void) rethrows {
    try body()
    ck_force_baseline(1)
    defer { ck_force_baseline(0) }
    try body()
}

/// References are the standard library's Float16 and plain distances in float64.
@Suite(.serialized) struct ConversionTests {
    @Test func everyHalfBecomesTheFloatOfItsValue() throws {
        var halves = Array(UInt16.min...UInt16.max)
        try withBothKernels {
            var out = [Float](repeating: 0, count: halves.count)
            try halves.withUnsafeMutableBytes {
                let view = TensorView(base: $0.baseAddress, dtype: .float16, shape: [65536])
                try view.readFloat32(from: 0, count: 65536, into: &out)
            }
            for (bits, value) in zip(halves, out) {
                let expected = Float(Float16(bitPattern: bits))
                if expected.isNaN {
                    #expect(value.isNaN)
                } else if value.bitPattern != expected.bitPattern {
                    Issue.record("half \(bits): \(value), expected \(expected)")
                }
            }
        }
    }

    @Test func floatsRoundToTheNearestHalf() throws {
        var values: [Float] = [.infinity, -.infinity, 65504, 65519.996, 65520, 1e30, 0x1p-25, 0x1.000002p-25, -0.0]
        for bits in UInt16(0)..<0x7c00 {
            let low = Float(Float16(bitPattern: bits))
            let middle = (low + Float(Float16(bitPattern: bits).nextUp)) / 2
            guard middle.isFinite else { continue }
            values += [low, -middle, middle, middle.nextUp, middle.nextDown]
        }
        try withBothKernels {
            var out = [UInt16](repeating: 0, count: values.count)
            try write(values, .float16, &out)
            for (value, bits) in zip(values, out) where bits != Float16(value).bitPattern {
                Issue.record("\(value): \(bits), expected \(Float16(value).bitPattern)")
            }
        }
    }

    @Test func doublesRoundToHalfOnce() throws {
        // Just above the middle between two halves, by less than float32 can tell.
        var values: [Double] = [1e300, -1e300, 65519.99999999, 65520, 0x1.0000000001p-25, 0x1p-25, 1e-300]
        for bits in UInt16(0)..<0x7c00 {
            let low = Double(Float16(bitPattern: bits))
            let high = Double(Float16(bitPattern: bits).nextUp)
            let middle = (low + high) / 2
            guard middle.isFinite else { continue }
            values += [middle, middle.nextUp, -middle.nextDown, low, middle + (high - low) * 0x1p-40]
        }
        var out = [UInt16](repeating: 0, count: values.count)
        try values.withUnsafeBufferPointer { source in
            try out.withUnsafeMutableBytes {
                try TensorView(base: $0.baseAddress, dtype: .float16, shape: [source.count])
                    .writeFloat64(from: #require(source.baseAddress), first: 0, count: source.count)
            }
        }
        for (value, bits) in zip(values, out) where bits != Float16(value).bitPattern {
            Issue.record("\(value): \(bits), expected \(Float16(value).bitPattern)")
        }
    }

    @Test func floatsRoundToTheNearestBfloat() throws {
        var generator = SystemRandomNumberGenerator()
        var values: [Float] = [
            0, -0.0, .infinity, -.infinity, .greatestFiniteMagnitude, 0x1p-149, 1, 0x1.01p0, 0x1.03p0,
        ]
        for _ in 0..<20000 {
            let value = Float(bitPattern: UInt32.random(in: .min ... .max, using: &generator))
            if !value.isNaN { values.append(value) }
        }
        try withBothKernels {
            var out = [UInt16](repeating: 0, count: values.count)
            try write(values, .bfloat16, &out)
            for (value, bits) in zip(values, out) {
                let exact = Double(value)
                // 2^128 stands for infinity: where the next larger bfloat16 would lie.
                func real(_ b: UInt16) -> Double {
                    let f = Float(bitPattern: UInt32(b) << 16)
                    return f.isInfinite && value.isFinite ? (f > 0 ? 0x1p128 : -0x1p128) : Double(f)
                }
                if value.isInfinite {
                    #expect(real(bits) == exact)
                    continue
                }
                let low = UInt16(value.bitPattern >> 16)
                let (near, far) = (abs(real(low) - exact), abs(real(low + 1) - exact))
                let expected = near < far || (near == far && low % 2 == 0) ? low : low + 1
                if bits != expected { Issue.record("\(value): \(bits), expected \(expected)") }
            }
        }
    }

    @Test func nanStaysNaNAndIntegersSaturate() throws {
        let values: [Float] = [.nan, -.nan, .signalingNaN, Float(bitPattern: 0x7f80_0001), 3]
        try withBothKernels {
            var halves = [UInt16](repeating: 0, count: 5)
            try write(values, .float16, &halves)
            #expect(halves.prefix(4).allSatisfy { Float16(bitPattern: $0).isNaN })
            try write(values, .bfloat16, &halves)
            #expect(halves.prefix(4).allSatisfy { Float(bitPattern: UInt32($0) << 16).isNaN })
        }
        var bytes = [Int8](repeating: 9, count: 6)
        try write([.nan, 1e9, -1e9, 2.5, 3.5, -0.6], .int8, &bytes)
        #expect(bytes == [0, 127, -128, 2, 4, -1])
        var longs = [Int64](repeating: 9, count: 4)
        try write([.infinity, -.infinity, 0x1p62, 0x1p63], .int64, &longs)
        #expect(longs == [.max, .min, 1 << 62, .max])
        var flags = [UInt8](repeating: 9, count: 3)
        try write([0, -0.5, 7], .bool, &flags)
        #expect(flags == [0, 1, 1])
    }

    private func write<T>(_ values: [Float], _ dtype: DType, _ out: inout [T]) throws {
        try values.withUnsafeBufferPointer { source in
            try out.withUnsafeMutableBytes {
                try TensorView(base: $0.baseAddress, dtype: dtype, shape: [source.count])
                    .writeFloat32(from: #require(source.baseAddress), first: 0, count: source.count)
            }
        }
    }
}
