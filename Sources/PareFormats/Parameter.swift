import PareGraph
import PareMask
import PareTensor

/// Where the original bytes of a tensor are: row-major, little-endian.
public enum StoredBytes {
    /// In the mapped file itself.
    case mapped(MappedFile, Range<Int>)
    /// Decoded, because the file keeps them in another form.
    case owned(OwnedBuffer)

    public var bytes: UnsafeRawBufferPointer {
        switch self {
        case .mapped(let file, let range): UnsafeRawBufferPointer(rebasing: file.bytes[range])
        case .owned(let buffer): buffer.bytes
        }
    }

    /// What keeps `bytes` valid.
    public var owner: AnyObject {
        switch self {
        case .mapped(let file, _): file
        case .owned(let buffer): buffer
        }
    }

    /// Copy from byte `offset` on into `target`, without leaving pages of a mapped file in memory.
    func read(_ offset: Int, into target: UnsafeMutableRawBufferPointer) throws {
        switch self {
        case .mapped(let file, let range): try file.read(range.lowerBound + offset, into: target)
        case .owned(let buffer):
            target.copyMemory(from: UnsafeRawBufferPointer(rebasing: buffer.bytes[offset..<offset + target.count]))
        }
    }
}

/// A named array of a model. Its mask and new values lie beside the original, which never changes.
public final class Parameter {
    public let name: String
    public let dtype: DType
    public let shape: [Int]
    public var role: ParameterRole
    public let stored: StoredBytes
    /// New values, contiguous; same dtype and shape as the original.
    public private(set) var replacement: OwnedBuffer?
    /// Which elements stay; nil: all. Applied when values are looked at or saved.
    public var mask: Mask? {
        get { lock.withLock { attached } }
        set {
            lock.withLock {
                attached = newValue
                masked = nil
            }
        }
    }
    /// The mask may be asked about on one thread while another attaches one.
    private let lock = Lock()
    private var attached: Mask?
    /// Index in `graph.values`, where there is a graph.
    public var valueIndex: Int?
    /// Where its container keeps it.
    var storageIndex: Int?
    /// Whether a prune request considers it by default, and if not, why.
    public var prunable: Bool
    public var reason: String
    public var layout: WeightLayout
    private var masked: OwnedBuffer?

    /// `stored` must hold exactly the bytes that dtype and shape ask for.
    public init(
        name: String, dtype: DType, shape: [Int], role: ParameterRole = .other, stored: StoredBytes
    ) {
        self.name = name
        self.dtype = dtype
        self.shape = shape
        self.role = role
        self.stored = stored
        prunable = false
        reason = ""
        layout = .outFirst
    }

    public var count: Int { shape.reduce(1, &*) }
    public var byteCount: Int { count * dtype.size }
    /// Something differs from what was opened.
    public var isChanged: Bool { mask != nil || replacement != nil }

    /// Values without the mask; no copy. Valid while the parameter lives and until `setValues`.
    public var originalView: TensorView { view(replacement?.bytes ?? stored.bytes) }

    /// Values with the mask applied. No copy without a mask; with one, the result is kept until mask or values change.
    public func currentView() throws -> TensorView {
        guard mask != nil else { return originalView }
        if masked == nil {
            let buffer = try OwnedBuffer(count: byteCount)
            try readCurrent(at: 0, into: buffer.mutableBytes)
            masked = buffer
        }
        return view(masked?.bytes ?? UnsafeRawBufferPointer(start: nil, count: 0))
    }

    /// The values lie unchanged in a file so large that it should not fill memory when it is read.
    public var isLargeFile: Bool {
        if replacement == nil, case .mapped(let file, _) = stored { return file.count >= 1 << 25 }
        return false
    }

    /// Copies the values of some elements, without the mask and without leaving pages of a mapped file in memory.
    public func read(elements: Range<Int>, into target: UnsafeMutableRawPointer) throws {
        let (start, bytes) = (elements.lowerBound * dtype.size, elements.count * dtype.size)
        let buffer = UnsafeMutableRawBufferPointer(start: target, count: bytes)
        if let replacement {
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: replacement.bytes[start..<start + bytes]))
        } else {
            try stored.read(start, into: buffer)
        }
    }

    /// Let the mapped pages of some elements go from this process, so that reading a large model does not keep it in memory.
    /// They come back when touched. Small files are left alone: taking pages back costs more than they do.
    public func releasePages(_ elements: Range<Int>) {
        guard isLargeFile, case .mapped(let file, let range) = stored else { return }
        let size = dtype.size
        file.releasePages(range.lowerBound + elements.lowerBound * size..<range.lowerBound + elements.upperBound * size)
    }

    /// Forget the copy that `currentView` made, to save memory; views of it end.
    public func dropCopies() { masked = nil }

    /// Tell about a mask that was changed in place.
    public func maskDidChange() { masked = nil }

    /// New values of the same shape, of any strides and type: converted to the parameter's. Detaches the mask.
    public func setValues(_ values: TensorView) throws {
        guard values.shape == shape else {
            throw PareError(
                .shape, "new values have another shape", at: name, found: "\(values.shape)", expected: "\(shape)")
        }
        let buffer = try OwnedBuffer(count: byteCount)
        try copyElements(values, to: buffer.base, as: dtype)
        replacement = buffer
        mask = nil
    }

    /// Back to what was opened.
    public func restore() {
        replacement = nil
        mask = nil
    }

    private func view(_ bytes: UnsafeRawBufferPointer) -> TensorView {
        TensorView(base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), dtype: dtype, shape: shape)
    }

    /// Part of the current values, from byte `offset` on (a multiple of the element size).
    func readCurrent(at offset: Int, into target: UnsafeMutableRawBufferPointer) throws {
        if let replacement {
            target.copyMemory(
                from: UnsafeRawBufferPointer(rebasing: replacement.bytes[offset..<offset + target.count]))
        } else {
            try stored.read(offset, into: target)
        }
        guard let mask, let base = target.baseAddress else { return }
        let size = dtype.size
        try mask.apply(from: base, to: base, elementSize: size, first: offset / size, count: target.count / size)
    }
}
