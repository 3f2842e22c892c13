import CKernels
import PareTensor
import Testing

@testable import PareMask

/// Repeatable bits and numbers.
func draws(_ count: Int, seed: UInt64) -> [UInt64] {
    var out = [UInt64](repeating: 0, count: count)
    RandomStream(seed: seed, stream: 99).bits(first: 0, count: count, into: &out)
    return out
}

func mask(_ bits: [Bool], shape: [Int]) throws -> Mask {
    let mask = try Mask(zeros: shape)
    for (index, bit) in bits.enumerated() { mask[index] = bit }
    return mask
}

struct MaskTests {
    @Test(arguments: [0, 1, 63, 64, 65, 1000]) func bitsComeBack(count: Int) throws {
        let bits = draws(count, seed: 1).map { $0 % 3 == 0 }
        let made = try mask(bits, shape: [count])
        try made._checkInvariants()
        #expect((0..<count).map { made[$0] } == bits)
        #expect(made.kept == bits.filter { $0 }.count)
        #expect(try Mask(shape: [count]).kept == count)
        #expect(try Mask(shape: [count]).isAllOnes)
        let packed = made.packedBytes()
        #expect(packed.count == (count + 7) / 8)
        #expect(try packed.withUnsafeBytes { try Mask(shape: [count], packed: $0) } == made)
        var bytes = [UInt8](repeating: 7, count: max(1, count))
        try bytes.withUnsafeMutableBytes {
            let view = TensorView(base: $0.baseAddress, dtype: .bool, shape: [count])
            try made.write(bytes: view)
            #expect(try Mask(bytes: view) == made)
            #expect(try Mask(nonzeroOf: view) == made)
        }
        #expect(bytes.prefix(count).map { $0 == 1 } == bits)
    }

    @Test func packedBytesAreNumpysLittleOrder() throws {
        // np.packbits([1,0,0,1,1,0,0,0, 0,1], bitorder="little") == [25, 2]
        #expect(
            try mask([true, false, false, true, true, false, false, false, false, true], shape: [10]).packedBytes() == [
                25, 2,
            ])
        #expect(throws: PareError.self) {
            try [UInt8](repeating: 0, count: 3).withUnsafeBytes { try Mask(shape: [10], packed: $0) }
        }
        #expect(throws: PareError.self) { try [UInt8]([0, 4]).withUnsafeBytes { try Mask(shape: [10], packed: $0) } }
    }

    @Test func stridedBytesAreReadAndWritten() throws {
        var bytes: [UInt8] = (0..<24).map { $0 % 5 == 0 ? 3 : 0 }
        try bytes.withUnsafeMutableBytes { memory in
            let view = TensorView(
                base: memory.baseAddress.map { $0 + 23 }, dtype: .uint8, shape: [3, 2, 4], strides: [-1, -12, -3])
            let made = try Mask(bytes: view)
            var expected: [Bool] = []
            for a in 0..<3 { for b in 0..<2 { for c in 0..<4 { expected.append((23 - a - 12 * b - 3 * c) % 5 == 0) } } }
            #expect(try made == mask(expected, shape: [3, 2, 4]))
            made.invert()
            try made.write(bytes: view)
            #expect(try Mask(bytes: view) == made)
        }
        #expect(bytes[0] == 0 && bytes[1] == 1)
        #expect(throws: PareError.self) { try Mask(bytes: TensorView(base: nil, dtype: .float32, shape: [0])) }
    }

    @Test func operationsActBitByBit() throws {
        let a = draws(200, seed: 2).map { $0 % 2 == 0 }
        let b = draws(200, seed: 3).map { $0 % 2 == 0 }
        let operations: [((Mask, Mask) throws -> Void, (Bool, Bool) -> Bool)] = [
            ({ try $0.formAnd($1) }, { $0 && $1 }), ({ try $0.formOr($1) }, { $0 || $1 }),
            ({ try $0.formXor($1) }, { $0 != $1 }), ({ try $0.subtract($1) }, { $0 && !$1 }),
            ({ mask, _ in mask.invert() }, { a, _ in !a }),
        ]
        for (operate, expected) in operations {
            let target = try mask(a, shape: [20, 10])
            try operate(target, mask(b, shape: [20, 10]))
            try target._checkInvariants()
            #expect(try target == mask(zip(a, b).map(expected), shape: [20, 10]))
        }
        let target = try mask(a, shape: [20, 10])
        #expect(throws: PareError.self) { try target.formAnd(Mask(shape: [10, 20])) }
        #expect(try target == mask(a, shape: [20, 10]))
        #expect(try Mask(shape: [2, 3]) != Mask(shape: [3, 2]))
    }

    @Test(arguments: [1, 2, 4, 8]) func applyingZeroesWhatIsRemoved(size: Int) throws {
        let count = 500
        let bits = draws(count, seed: 4).map { $0 % 2 == 0 }
        let made = try mask(bits, shape: [count])
        let source = (0..<count * size).map { UInt8(truncatingIfNeeded: $0 &* 37 | 1) }
        for baseline in [Int32(0), 1] {
            ck_force_baseline(baseline)
            defer { ck_force_baseline(0) }
            for (first, part) in [(0, 500), (1, 499), (7, 64), (63, 130), (64, 256), (500, 0), (499, 1)] {
                var out = [UInt8](repeating: 9, count: count * size + 1)
                try made.apply(from: source, to: &out, elementSize: size, first: first, count: part)
                let expected = (0..<part * size).map { bits[first + $0 / size] ? source[$0] : 0 }
                #expect(Array(out.prefix(part * size)) == expected)
                #expect(out[part * size] == 9)
                var inPlace = source
                try inPlace.withUnsafeMutableBytes {
                    let base = try #require($0.baseAddress)
                    try made.apply(from: base, to: base, elementSize: size, first: first, count: part)
                }
                #expect(Array(inPlace.prefix(part * size)) == expected)
            }
        }
        var out: UInt64 = 0
        for (first, part) in [(-1, 1), (0, 501), (501, 0), (1, Int.max)] {
            #expect(throws: PareError.self) {
                try made.apply(from: source, to: &out, elementSize: size, first: first, count: part)
            }
        }
        #expect(throws: PareError.self) { try made.apply(from: source, to: &out, elementSize: 3, first: 0, count: 1) }
    }

    @Test(arguments: DType.allCases) func zerosOfDataBecomeBits(dtype: DType) throws {
        var bytes = [UInt8](repeating: 0, count: 130 * dtype.size)
        let values = (0..<130).map { Float($0 % 3 == 0 ? 0 : 1) }
        try bytes.withUnsafeMutableBytes {
            let view = TensorView(base: $0.baseAddress, dtype: dtype, shape: [10, 13])
            try view.writeFloat32(from: values, first: 0, count: 130)
            let expected = try mask(values.map { $0 != 0 }, shape: [10, 13])
            #expect(try Mask(nonzeroOf: view) == expected)
            let turned = TensorView(base: $0.baseAddress, dtype: dtype, shape: [13, 10], strides: [1, 13])
            let other = try Mask(nonzeroOf: turned)
            for a in 0..<13 { for b in 0..<10 { #expect(other[a * 10 + b] == expected[b * 13 + a]) } }
        }
    }

    @Test func impossibleShapesAreRefused() {
        for shape in [[-1], [Int.max, 2], [1, -2, 3]] {
            #expect(throws: PareError.self) { try Mask(shape: shape) }
        }
    }
}
