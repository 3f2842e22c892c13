import PareTensor

public final class Mask {
    public let shape: [Int]
    public let count: Int
    public var bits: [Bool]
    public var kept: Int { bits.lazy.filter { $0 }.count }

    public init(shape: [Int]) {
        self.shape = shape
        count = shape.reduce(1, &*)
        bits = [Bool](repeating: true, count: count)
    }

    public convenience init(shape: [Int], packedBytes: UnsafeRawBufferPointer) throws {
        self.init(shape: shape)
        for index in 0..<count { bits[index] = packedBytes[index / 8] >> UInt8(index % 8) & 1 == 1 }
    }

    public func packedBytes() -> [UInt8] {
        var out = [UInt8](repeating: 0, count: (count + 7) / 8)
        for index in 0..<count where bits[index] { out[index / 8] |= 1 << UInt8(index % 8) }
        return out
    }

    public func apply(
        from source: UnsafeRawPointer, to target: UnsafeMutableRawPointer, elementSize: Int, first: Int, count: Int
    ) {
        if target != UnsafeMutableRawPointer(mutating: source) { target.copyMemory(from: source, byteCount: count * elementSize) }
        for index in 0..<count where !bits[first + index] {
            for byte in 0..<elementSize { target.storeBytes(of: 0, toByteOffset: index * elementSize + byte, as: UInt8.self) }
        }
    }
}
