import CPare
import PareTensor
import Testing

@testable import PareHost

@Suite struct TensorBridgeTests {
    private let numbers = Numbers<Float>((0..<24).map(Float.init))

    private func view(
        _ shape: [Int64], _ strides: [Int64]?, data: Bool = true, _ change: (inout pare_tensor) -> Void = { _ in }
    ) throws -> TensorView {
        var shape = shape, ours = strides ?? []
        return try shape.withUnsafeMutableBufferPointer { sizes in
            try ours.withUnsafeMutableBufferPointer { steps in
                var raw = pare_tensor()
                raw.data = data ? UnsafeMutableRawPointer(numbers.base) : nil
                raw.device = pare_device(type: 1, id: 0)
                raw.ndim = Int32(sizes.count)
                raw.dtype = pare_dtype(code: 2, bits: 32, lanes: 1)
                raw.shape = sizes.baseAddress
                raw.strides = strides == nil ? nil : steps.baseAddress
                change(&raw)
                return try TensorView(&raw, "x")
            }
        }
    }

    private func refusal(
        _ shape: [Int64], _ strides: [Int64]?, data: Bool = true, _ change: (inout pare_tensor) -> Void = { _ in }
    ) -> PareError? {
        error { _ = try view(shape, strides, data: data, change) }
    }

    @Test func usableViews() throws {
        let plain = try view([4, 6], [6, 1])
        #expect(plain.shape == [4, 6] && plain.strides == [6, 1] && plain.isContiguous)
        #expect(try view([4, 6], [0, -1]) { $0.byte_offset = 20 }.base == UnsafeMutableRawPointer(numbers.base + 5))
        #expect(try view([], []).count == 1)
        #expect(try view([3, 0], [0, 0], data: false).count == 0)
        #expect(try view([0], [Int64.max]) { $0.byte_offset = .max }.count == 0, "nothing is reached in an empty view")
        #expect(try view([1, 24], [Int64.max, 1]).count == 24, "the stride of a single index is never used")
    }

    @Test func impossibleViews() {
        #expect(error { _ = try TensorView(nil as UnsafePointer<pare_tensor>?, "x") }?.what == "x is NULL")
        #expect(refusal([2], [1]) { $0.device.type = 2 }?.found == "device type 2")
        for rank in [-1, 9, Int32.min, Int32.max] { #expect(refusal([2], [1]) { $0.ndim = rank }?.status == .shape, "rank \(rank)") }
        #expect(refusal([2], nil)?.what == "x has no shape or no strides")
        #expect(refusal([2], [1]) { $0.shape = nil }?.status == .argument)
        #expect(refusal([2], [1], data: false)?.found == "NULL for 2 elements")
        for dtype in [(2, 8, 1), (2, 32, 4), (3, 64, 1), (5, 64, 1), (255, 255, 1), (2, 32, 0)] {
            let refused = refusal([2], [1]) { $0.dtype = pare_dtype(code: UInt8(dtype.0), bits: UInt8(dtype.1), lanes: UInt16(dtype.2)) }
            #expect(refused?.status == .dtype, "\(dtype)")
        }
    }

    @Test func impossibleSizes() {
        for shape in [[-1], [2, -3], [.min, 0], [.max, 2], [1 << 32, 1 << 32], [.max / 2]] as [[Int64]] {
            #expect(refusal(shape, shape.map { _ in 1 })?.what == "x has a negative or an overflowing size", "\(shape)")
        }
        for strides in [[.max, 1], [.min, 1], [1, .max / 4], [.max / 8, .min / 8]] as [[Int64]] {
            #expect(refusal([3, 5], strides)?.what == "x reaches beyond the address space", "\(strides)")
        }
        #expect(refusal([2], [1]) { $0.byte_offset = .max }?.status == .shape)
    }

    @Test func everyTypeOfTheHeader() throws {
        for dtype in DType.allCases {
            #expect(try view([1], [1]) { $0.dtype = pare_dtype(code: dtype.code, bits: dtype.bits, lanes: 1) }.dtype == dtype)
        }
    }

    @Test func viewsCrossBackAndForth() throws {
        let shown = BorderTensor(numbers.view([2, 3, 4], strides: [-12, 4, 0]))
        #expect(shown.pointer.pointee.ndim == 3 && shown.pointer.pointee.byte_offset == 0)
        let back = try TensorView(shown.pointer, "x")
        #expect(back.shape == [2, 3, 4] && back.strides == [-12, 4, 0] && back.base == UnsafeMutableRawPointer(numbers.base))
        shown.set(numbers.view([5]))
        #expect(try TensorView(shown.pointer, "x").shape == [5])
    }
}
