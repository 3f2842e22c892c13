/// Axes of a view with neighbours merged where one stride carries over into the next, and unit axes dropped.
///
/// Reading and reducing work on these: a contiguous view is one axis, a block view four at most.
struct MergedAxes {
    var shape: [Int] = []
    var strides: [Int] = []

    init(shape: some Sequence<Int>, strides: some Sequence<Int>) {
        for (size, stride) in zip(shape, strides) where size != 1 {
            if let last = self.strides.last, last == stride &* size {
                self.shape[self.shape.count - 1] &*= size
                self.strides[self.strides.count - 1] = stride
            } else {
                self.shape.append(size)
                self.strides.append(stride)
            }
        }
    }

    var count: Int { shape.reduce(1, &*) }

    /// Offset in elements of the element at a row-major position.
    func offset(of position: Int) -> Int {
        var rest = position
        var offset = 0
        for axis in shape.indices.reversed() where shape[axis] > 0 {
            offset &+= (rest % shape[axis]) &* strides[axis]
            rest /= shape[axis]
        }
        return offset
    }

    /// Calls `body(offset, stride, count)` for runs along the innermost axis that together are elements
    /// `first ..< first + count` in row-major order.
    func forEachRun(first: Int, count: Int, _ body: (_ offset: Int, _ stride: Int, _ count: Int) -> Void) {
        guard count > 0 else { return }
        guard let inner = shape.last, let step = strides.last else { return body(0, 1, 1) }
        var index = [Int](repeating: 0, count: shape.count)
        var rest = first
        for axis in shape.indices.reversed() {
            index[axis] = rest % shape[axis]
            rest /= shape[axis]
        }
        var offset = offset(of: first)
        var left = count
        while true {
            let last = shape.count - 1
            let run = min(inner - index[last], left)
            body(offset, step, run)
            left -= run
            if left == 0 { return }
            offset &+= run &* step
            index[last] += run
            var axis = last
            while axis > 0, index[axis] == shape[axis] {
                offset &+= strides[axis - 1] &- shape[axis] &* strides[axis]
                index[axis] = 0
                axis -= 1
                index[axis] += 1
            }
        }
    }
}

extension TensorView {
    var merged: MergedAxes { MergedAxes(shape: shape, strides: strides) }

    /// Address of the element `offset` elements away from the first; nil only for views without memory.
    func address(_ offset: Int) -> UnsafeMutableRawPointer? { base?.advanced(by: offset &* dtype.size) }

    /// Checks what every reader relies on: as many strides as sizes, sizes that multiply without overflow, memory
    /// present.
    public func validate() throws {
        guard strides.count == shape.count, let count = checkedCount(shape, elementSize: dtype.size) else {
            throw PareError(
                .shape, "malformed tensor view", found: "shape \(shape), strides \(strides)",
                expected: "sizes ≥ 0 whose product fits, one stride for each")
        }
        guard base != nil || count == 0 else {
            throw PareError(.argument, "tensor view without memory", found: "NULL data for \(count) elements")
        }
    }

    func checkRange(_ first: Int, _ count: Int) throws {
        try validate()
        guard first >= 0, count >= 0, first <= self.count, count <= self.count - first else {
            throw PareError(
                .argument, "element range outside the tensor", found: "\(count) elements from \(first)",
                expected: "within 0 ..< \(self.count)")
        }
    }
}
