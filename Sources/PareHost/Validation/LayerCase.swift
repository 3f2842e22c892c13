import CPare
import Glibc
import PareTensor

/// A made-up layer.
struct TrialLayer {
    var name: String
    var shape: [Int]
    var type = PARE_LAYER_LINEAR
    var role = PARE_ROLE_WEIGHT
    /// nil for one unit per element.
    var units: Int?
    var macs = -1
    var groups = 1

    var elements: Int { shape.reduce(1, *) }
    var unitCount: Int { units ?? elements }
}

/// A list of made-up layers as C sees it.
final class LayerCase {
    let label: String
    let layers: [TrialLayer]
    private let table: UnsafeMutablePointer<pare_layer>
    private let names: [UnsafeMutablePointer<CChar>?]
    private let shapes: [UnsafeMutablePointer<Int64>]

    init(_ label: String, _ layers: [TrialLayer]) {
        self.label = label
        self.layers = layers
        names = layers.map { strdup($0.name) }
        shapes = layers.map { layer in
            let sizes = UnsafeMutablePointer<Int64>.allocate(capacity: layer.shape.count + 1)
            sizes.initialize(repeating: 0, count: layer.shape.count + 1)
            for (axis, size) in layer.shape.enumerated() { sizes[axis] = Int64(size) }
            return sizes
        }
        table = .allocate(capacity: layers.count + 1)
        for (index, layer) in layers.enumerated() {
            var raw = pare_layer()
            raw.struct_size = UInt32(MemoryLayout<pare_layer>.size)
            raw.type = layer.type
            raw.name = names[index].map { UnsafePointer($0) }
            raw.ndim = Int32(layer.shape.count)
            raw.role = layer.role
            raw.shape = UnsafePointer(shapes[index])
            raw.elements = Int64(layer.elements)
            raw.units = Int64(layer.unitCount)
            raw.macs = Int64(layer.macs)
            raw.groups = Int64(layer.groups)
            raw.depth = Int32(index)
            (table + index).initialize(to: raw)
        }
    }

    deinit {
        names.forEach { free($0) }
        shapes.forEach { $0.deallocate() }
        table.deallocate()
    }

    func pointer(_ index: UInt32) -> UnsafePointer<pare_layer>? {
        Int(index) < layers.count ? UnsafePointer(table + Int(index)) : nil
    }

    /// LeNet-300-100, or a deep network of convolutions.
    static func network(large: Bool = false) -> LayerCase {
        guard large else {
            return LayerCase(
                "LeNet-300-100",
                [
                    TrialLayer(name: "fc1", shape: [300, 784], macs: 235_200), TrialLayer(name: "fc2", shape: [100, 300], macs: 30_000),
                    TrialLayer(name: "fc3", shape: [10, 100], macs: 1000),
                ])
        }
        let convolutions = (0..<200).map { index in
            TrialLayer(
                name: "conv\(index)", shape: [64 << (index / 80), index == 0 ? 3 : 64, 3, 3], type: PARE_LAYER_CONV,
                macs: 100_000 * (index + 1))
        }
        return LayerCase("200 convolutions", convolutions + [TrialLayer(name: "fc", shape: [10, 256])])
    }

    static var convolutional: LayerCase {
        LayerCase(
            "a small convolutional network",
            [
                TrialLayer(name: "c1", shape: [64, 3, 3, 3], type: PARE_LAYER_CONV, macs: 1_700_000),
                TrialLayer(name: "c2", shape: [64, 64, 3, 3], type: PARE_LAYER_CONV, macs: 37_000_000),
                TrialLayer(name: "fc", shape: [10, 64], macs: 640),
            ])
    }

    /// What a model may hold beside the usual.
    static var odd: [LayerCase] {
        [
            LayerCase("one layer", [TrialLayer(name: "only", shape: [16, 8])]),
            LayerCase("one unit", [TrialLayer(name: "only", shape: [1, 1])]),
            LayerCase(
                "a layer without units among others",
                [
                    TrialLayer(name: "a", shape: [16, 8]), TrialLayer(name: "empty", shape: [0, 8]), TrialLayer(name: "b", shape: [8, 16]),
                ]),
            LayerCase(
                "rows as units",
                [
                    TrialLayer(name: "a", shape: [16, 8, 3, 3], type: PARE_LAYER_CONV, units: 16),
                    TrialLayer(name: "b", shape: [32, 16, 1, 1], type: PARE_LAYER_CONV, units: 32),
                ]),
            LayerCase(
                "shapes of zero to six axes, every type",
                [
                    TrialLayer(name: "scalar", shape: [], type: PARE_LAYER_OTHER),
                    TrialLayer(name: "vector", shape: [7], type: PARE_LAYER_OTHER),
                    TrialLayer(name: "six", shape: [2, 3, 2, 2, 2, 2], type: PARE_LAYER_CONV, macs: 0, groups: 2),
                    TrialLayer(name: "embedding", shape: [5000, 64], type: PARE_LAYER_EMBEDDING, role: PARE_ROLE_EMBEDDING),
                    TrialLayer(name: "recurrent", shape: [1, 256, 64], type: PARE_LAYER_RECURRENT),
                    TrialLayer(name: "attention", shape: [64, 64], type: PARE_LAYER_ATTENTION),
                    TrialLayer(name: "later", shape: [9, 9], type: 77),
                ]),
            LayerCase(
                "layers of 10^12 elements beside small ones",
                [
                    TrialLayer(name: "vast", shape: [1_000_000, 1_000_000]), TrialLayer(name: "small", shape: [3, 3]),
                    TrialLayer(name: "vast too", shape: [1 << 20, 1 << 18, 1, 1], type: PARE_LAYER_CONV),
                ]),
        ]
    }
}
