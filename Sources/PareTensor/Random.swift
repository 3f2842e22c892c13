@preconcurrency import Glibc

/// Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel Random Numbers: As Easy as 1,
/// 2, 3" (SC 2011): a keyed bijection of the counter, so any draw can be had without those before it.
public enum Philox {
    /// The block of four words at `counter` under `key`.
    public static func block(counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
        var x = counter
        var k = key
        for round in 0..<10 {
            if round > 0 { k = k &+ SIMD2(0x9E37_79B9, 0xBB67_AE85) }
            let a = UInt64(0xD251_1F53) &* UInt64(x[0])
            let b = UInt64(0xCD9E_8D57) &* UInt64(x[2])
            x = SIMD4(
                UInt32(truncatingIfNeeded: b >> 32) ^ x[1] ^ k[0], UInt32(truncatingIfNeeded: b),
                UInt32(truncatingIfNeeded: a >> 32) ^ x[3] ^ k[1], UInt32(truncatingIfNeeded: a))
        }
        return x
    }
}

/// Random numbers by (seed, stream, index): the same for every order of asking, thread and machine.
///
/// The seed is Philox's key, the stream the upper half of its counter. A block gives four uniform or normal numbers or
/// two 64-bit ones, so the three kinds are independent only across streams.
public struct RandomStream: Sendable {
    public let seed: UInt64
    public let stream: UInt64

    public init(seed: UInt64, stream: UInt64) {
        self.seed = seed
        self.stream = stream
    }

    private func block(_ index: UInt64) -> SIMD4<UInt32> {
        let low = { (value: UInt64) in UInt32(truncatingIfNeeded: value) }
        return Philox.block(
            counter: SIMD4(low(index), low(index >> 32), low(stream), low(stream >> 32)),
            key: SIMD2(low(seed), low(seed >> 32)))
    }

    /// Draws `first ..< first + count`, uniform in [0, 1) with 24 bits.
    public func uniform(first: UInt64, count: Int, into out: UnsafeMutablePointer<Float>) {
        draw(first, count) { words in
            let values = words &>> 8
            return SIMD4<Float>(Float(values[0]), Float(values[1]), Float(values[2]), Float(values[3])) * 0x1p-24
        } store: {
            out[$0] = $1
        }
    }

    /// Draws `first ..< first + count` of the standard normal distribution (Box and Muller, 1958), computed in float64.
    public func normal(first: UInt64, count: Int, into out: UnsafeMutablePointer<Float>) {
        draw(first, count) { words in
            let a = pair(words[0], words[1])
            let b = pair(words[2], words[3])
            return SIMD4(a.0, a.1, b.0, b.1)
        } store: {
            out[$0] = $1
        }
    }

    /// Draws `first ..< first + count` of 64 bits each.
    public func bits(first: UInt64, count: Int, into out: UnsafeMutablePointer<UInt64>) {
        for i in 0..<max(count, 0) {
            let index = first &+ UInt64(i)
            let words = block(index >> 1)
            let at = index & 1 == 0 ? 0 : 2
            out[i] = UInt64(words[at + 1]) << 32 | UInt64(words[at])
        }
    }

    private func pair(_ u: UInt32, _ v: UInt32) -> (Float, Float) {
        let radius = (-2 * log((Double(u) + 1) * 0x1p-32)).squareRoot()
        let angle = 2 * Double.pi * (Double(v) * 0x1p-32)
        return (Float(radius * cos(angle)), Float(radius * sin(angle)))
    }

    @inline(__always)
    private func draw(
        _ first: UInt64, _ count: Int, _ make: (SIMD4<UInt32>) -> SIMD4<Float>, store: (Int, Float) -> Void
    ) {
        var done = 0
        while done < count {
            let index = first &+ UInt64(done)
            let values = make(block(index >> 2))
            var lane = Int(index & 3)
            while lane < 4, done < count {
                store(done, values[lane])
                lane += 1
                done += 1
            }
        }
    }
}

/// FNV-1a, 64 bits, of the UTF-8 of a name: the same in every process and version.
public func stableHash(_ name: String) -> UInt64 {
    name.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
}
