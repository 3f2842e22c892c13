"""Files of small models made here with onnx and safetensors: whatever they hold survives, and only what was pruned changes."""

import json

import numpy as np
import pytest

import references as reference

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("safetensors")
pare = pytest.importorskip("pare", exc_type=ImportError)

from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from safetensors import safe_open  # noqa: E402
from safetensors.numpy import load_file, save_file  # noqa: E402

DRAW = np.random.default_rng(7)
FLOAT = TensorProto.FLOAT


def normal(*shape, dtype=np.float32):
    return DRAW.standard_normal(shape).astype(dtype)


def tensor(name, array, **fields):
    made = numpy_helper.from_array(np.ascontiguousarray(array), name)
    for key, value in fields.items():
        setattr(made, key, value)
    return made


def value(name, shape, kind=FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def build(nodes, initializers, inputs, outputs, opset=17, **more):
    graph = helper.make_graph(nodes, "net", inputs, outputs, initializers)
    imports = [helper.make_opsetid("", opset), *more.pop("domains", [])]
    model = helper.make_model(graph, opset_imports=imports, **more)
    model.ir_version = min(model.ir_version, 10)
    return model


def linear(weight, opset=17, **more):
    """y = x W for a weight [in, out]."""
    w = weight if isinstance(weight, onnx.TensorProto) else tensor("w", weight)
    kind = w.data_type
    nodes = [helper.make_node("MatMul", ["x", w.name], ["y"])]
    return build(nodes, [w], [value("x", ["N", w.dims[0]], kind)], [value("y", ["N", w.dims[1]], kind)], opset, **more)


def stored(path):
    model = onnx.load(str(path))
    return {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}


def run(path, **inputs):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]).run(None, inputs)


@pytest.fixture
def write(tmp_path):
    """write(model): saves a ModelProto and returns its path."""

    def save(model, name="model.onnx", check=True):
        path = tmp_path / name
        path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        if check:
            onnx.checker.check_model(str(path))
        return path

    return save


def prune(path, sparsity=0.5, target=None, provenance=False, check=True, **options):
    """Prune by magnitude into a file beside the source. Returns (report, path)."""
    target = target or path.with_name("pruned-" + path.name)
    with pare.load(path) as model:
        report = model.prune("magnitude", sparsity, **options)
        model.save(target, provenance=provenance)
    if check and target.suffix == ".onnx":
        onnx.checker.check_model(str(target), full_check=True)
    return report, target


def pruned_names(report):
    return [layer.name for layer in report.layers if layer.pruned]


def assert_halved(before, after):
    """Half of the values are zero, the smaller half; the others are the same to the bit."""
    assert before.dtype == after.dtype and before.shape == after.shape
    mask = after != 0
    assert np.count_nonzero(~mask) == before.size // 2
    assert before[mask].tobytes() == after[mask].tobytes()
    assert np.abs(before[~mask].astype(np.float64)).max() <= np.abs(before[mask].astype(np.float64)).min()


def assert_unchanged_save(path, target):
    with pare.load(path) as model:
        model.save(target)
    assert target.read_bytes() == path.read_bytes()


def half(name):
    """numpy's type for a name; bfloat16 comes from ml_dtypes."""
    return pytest.importorskip("ml_dtypes").bfloat16 if name == "bfloat16" else np.dtype(name).type


class TestElementTypes:
    @pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "float64"])
    def test_onnx_prunes_floats(self, write, name):
        weight = normal(8, 6, dtype=half(name))
        path = write(linear(weight))
        report, target = prune(path)
        assert pruned_names(report) == ["w"]
        assert_halved(weight, stored(target)["w"])

    @pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "float64"])
    def test_safetensors_prunes_floats(self, tmp_path, name):
        weight, path = normal(8, 6, dtype=half(name)), tmp_path / "m.safetensors"
        if name == "bfloat16":  # safetensors' numpy reader knows no bfloat16: write and read the bits
            raw_safetensors(path, {"fc.weight": ("BF16", weight.shape, weight.tobytes())})
        else:
            save_file({"fc.weight": weight}, path)
        report, target = prune(path)
        assert pruned_names(report) == ["fc.weight"]
        after = read_raw(target)["fc.weight"][2]
        assert_halved(weight, np.frombuffer(after, weight.dtype).reshape(weight.shape))

    @pytest.mark.parametrize("name", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool"])
    def test_others_are_carried(self, write, tmp_path, name):
        data = (np.arange(24) % 2).astype(name).reshape(4, 6)
        model = linear(normal(6, 6))
        model.graph.initializer.append(tensor("other", data))
        path = write(model)
        report, target = prune(path)
        assert pruned_names(report) == ["w"]
        assert np.array_equal(stored(target)["other"], data)
        plain = tmp_path / "m.safetensors"
        save_file({"a.weight": normal(6, 6), "other.weight": data}, plain)
        report, target = prune(plain)
        assert pruned_names(report) == ["a.weight"]
        assert np.array_equal(load_file(target)["other.weight"], data)

    @pytest.mark.parametrize("kind", ["FLOAT8E4M3FN", "FLOAT8E5M2", "INT4", "UINT4", "COMPLEX64", "STRING", "FLOAT4E2M1"])
    def test_types_without_arithmetic_are_carried(self, write, kind):
        code = getattr(TensorProto, kind, None)
        if code is None:
            pytest.skip(f"this onnx has no {kind}")
        odd = TensorProto(name="odd", data_type=code, dims=[4])
        if kind == "STRING":
            odd.string_data.extend([b"a", b"", b"\xff", "ä".encode()])
        else:
            odd.raw_data = bytes(range({"COMPLEX64": 32, "INT4": 2, "UINT4": 2, "FLOAT4E2M1": 2}.get(kind, 4)))
        model = linear(normal(6, 6))
        model.graph.initializer.append(odd)
        path = write(model, check=False)
        report, target = prune(path, check=False)
        assert pruned_names(report) == ["w"]
        assert onnx.load(str(target)).graph.initializer[1] == odd
        assert_unchanged_save(path, path.with_name("same.onnx"))

    @pytest.mark.parametrize("code, width", [("F8_E4M3", 1), ("F8_E5M2", 1)])
    def test_float8_of_safetensors_is_carried(self, tmp_path, code, width):
        path, odd = tmp_path / "m.safetensors", bytes(range(8 * width))
        weight = normal(4, 4)
        raw_safetensors(path, {"w.weight": ("F32", (4, 4), weight.tobytes()), "odd.weight": (code, (8,), odd)})
        report, target = prune(path)
        assert pruned_names(report) == ["w.weight"]
        assert read_raw(target)["odd.weight"] == (code, (8,), odd)


def raw_safetensors(path, entries, metadata=None):
    """A safetensors file from (dtype, shape, bytes) by name, for types that numpy lacks."""
    header, at = ({"__metadata__": metadata} if metadata else {}), 0
    for name, (dtype, shape, data) in entries.items():
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(data for _, _, data in entries.values()))


def read_raw(path):
    data = path.read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    entries = json.loads(data[8:end])
    entries.pop("__metadata__", None)
    return {
        name: (e["dtype"], tuple(e["shape"]), data[end + e["data_offsets"][0] : end + e["data_offsets"][1]])
        for name, e in entries.items()
    }


class TestOnnxStorage:
    """The same weight in every field that ONNX has for it."""

    WEIGHT = normal(8, 6)

    def check(self, path, weight=WEIGHT, provenance=False):
        report, target = prune(path, provenance=provenance)
        assert pruned_names(report) == ["w"]
        assert_halved(weight, stored(target)["w"])
        assert_unchanged_save(path, path.with_name("same.onnx"))
        return target

    def test_raw_data_changes_in_place(self, write):
        path = write(linear(self.WEIGHT))
        old, new = path.read_bytes(), self.check(path).read_bytes()
        assert len(old) == len(new)
        at = old.index(self.WEIGHT.tobytes())
        assert old[:at] == new[:at] and old[at + self.WEIGHT.nbytes :] == new[at + self.WEIGHT.nbytes :]

    def test_float_data(self, write):
        w = helper.make_tensor("w", FLOAT, self.WEIGHT.shape, self.WEIGHT.ravel().tolist())
        assert len(w.float_data) == 48 and not w.raw_data
        self.check(write(linear(w)))

    def test_double_data(self, write):
        weight = normal(8, 6, dtype=np.float64)
        self.check(write(linear(helper.make_tensor("w", TensorProto.DOUBLE, weight.shape, weight.ravel().tolist()))), weight)

    @pytest.mark.parametrize("name, code", [("float16", TensorProto.FLOAT16), ("bfloat16", TensorProto.BFLOAT16)])
    def test_int32_data_of_16_bit_floats(self, write, name, code):
        weight = normal(8, 6, dtype=half(name))
        w = TensorProto(name="w", data_type=code, dims=weight.shape)
        w.int32_data.extend(int(bits) for bits in weight.view(np.uint16).ravel())
        self.check(write(linear(w)), weight)

    def test_unpacked_float_data(self, write):
        """Old writers repeat field 4 once per number."""
        w = TensorProto(name="w", data_type=FLOAT, dims=self.WEIGHT.shape)
        packed = linear(w)
        packed.graph.initializer[0].name = "w"
        single = b"".join(b"\x25" + number.tobytes() for number in self.WEIGHT.ravel())
        path = write(splice_initializer(packed, single))
        assert np.array_equal(stored(path)["w"], self.WEIGHT)
        self.check(path)

    def test_data_in_two_packed_pieces(self, write):
        """Protobuf allows a packed field in several pieces; they add up."""
        a, b = self.WEIGHT.ravel()[:20].tobytes(), self.WEIGHT.ravel()[20:].tobytes()
        pieces = b"\x22" + varint(len(a)) + a + b"\x22" + varint(len(b)) + b
        path = write(splice_initializer(linear(TensorProto(name="w", data_type=FLOAT, dims=(8, 6))), pieces))
        assert np.array_equal(stored(path)["w"], self.WEIGHT)
        self.check(path)

    def test_raw_data_twice_is_refused(self, write):
        """Readers may differ in which one counts, so neither is believed."""
        pieces = b"".join(b"\x4a" + varint(192) + data for data in (b"\x01" * 192, self.WEIGHT.tobytes()))
        path = write(splice_initializer(linear(TensorProto(name="w", data_type=FLOAT, dims=(8, 6))), pieces))
        with pytest.raises(pare.FormatError, match="raw data twice"):
            pare.load(path)

    def test_unknown_fields_survive(self, write):
        """Fields of a future ONNX in every message on the way."""
        model = linear(self.WEIGHT)
        unknown = b"\xc2\x3e\x05hello" + b"\xc8\x3e\x07"  # fields 1000 and 1001
        for message in (model, model.graph, model.graph.node[0], model.graph.initializer[0]):
            message.MergeFromString(unknown)
        path = write(model)
        target = self.check(path)
        assert target.read_bytes().count(unknown) == path.read_bytes().count(unknown) == 4

    def test_provenance(self, write):
        model = linear(self.WEIGHT)
        helper.set_model_props(model, {"author": "someone", "ünï": "cödé"})
        target = self.check(write(model), provenance=True)
        props = {p.key: p.value for p in onnx.load(str(target)).metadata_props}
        assert props.pop("author") == "someone" and props.pop("ünï") == "cödé"
        assert props and all(key.startswith("pare") for key in props)
        again = target.with_name("again.onnx")
        with pare.load(target) as twice:
            twice.prune("magnitude", 0.75)
            twice.save(again)
        keys = [p.key for p in onnx.load(str(again)).metadata_props]
        assert len(keys) == len(set(keys)), "each entry once"


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def splice_initializer(model, fields):
    """The model's bytes with fields appended to its only initialiser."""
    data = model.SerializeToString()
    old = model.graph.initializer[0].SerializeToString()
    assert data.count(old) == 1
    graph = model.graph.SerializeToString()
    inner = graph.replace(b"\x2a" + varint(len(old)) + old, b"\x2a" + varint(len(old + fields)) + old + fields)
    assert inner != graph
    outer = b"\x3a" + varint(len(graph)) + graph
    assert outer in data
    return data.replace(outer, b"\x3a" + varint(len(inner)) + inner)


class TestExternalData:
    def make(self, folder, shapes=((32, 16), (16, 8)), location="weights.bin"):
        folder.mkdir(parents=True, exist_ok=True)
        weights = [normal(*shape) for shape in shapes]
        tensors = [tensor(f"w{i}", w) for i, w in enumerate(weights)]
        nodes, last = [], "x"
        for i in range(len(weights)):
            nodes.append(helper.make_node("MatMul", [last, f"w{i}"], [f"y{i}"]))
            last = f"y{i}"
        model = build(nodes, tensors, [value("x", ["N", shapes[0][0]])], [value(last, ["N", shapes[-1][1]])])
        path = folder / "model.onnx"
        (folder / location).parent.mkdir(parents=True, exist_ok=True)
        onnx.save(model, str(path), save_as_external_data=True, location=location, size_threshold=0)
        return path, weights

    def test_into_another_folder(self, tmp_path):
        path, weights = self.make(tmp_path / "in")
        (tmp_path / "out").mkdir()
        report, target = prune(path, target=tmp_path / "out/small.onnx")
        assert sorted(p.name for p in target.parent.iterdir()) == ["small.onnx", "weights.bin"]
        for name, before in zip(("w0", "w1"), weights):
            assert_halved(before, stored(target)[name])
        x = normal(3, 32)
        found = run(target, x=x)[0]
        assert np.allclose(found, x @ stored(target)["w0"] @ stored(target)["w1"], atol=1e-4)
        assert np.array_equal(stored(path)["w0"], weights[0]), "the original stays"

    def test_into_the_same_folder(self, tmp_path):
        path, weights = self.make(tmp_path)
        before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
        report, target = prune(path, target=tmp_path / "small.onnx")
        assert {name: (tmp_path / name).read_bytes() for name in before} == before
        for name, dense in zip(("w0", "w1"), weights):
            assert_halved(dense, stored(target)[name])

    def test_only_one_layer_of_two(self, tmp_path):
        path, weights = self.make(tmp_path)
        _, target = prune(path, include="w0")
        assert_halved(weights[0], stored(target)["w0"])
        assert stored(target)["w1"].tobytes() == weights[1].tobytes()

    def test_in_a_subfolder_with_gaps(self, tmp_path):
        """Alignment gaps and what else lies in the data file are copied."""
        path, weights = self.make(tmp_path / "in", location="data/w.bin")
        model = onnx.load(str(path), load_external_data=False)
        data = (path.parent / "data/w.bin").read_bytes()
        parts, at = [], 0
        for t in model.graph.initializer:
            entries = {e.key: e for e in t.external_data}
            offset, length = int(entries["offset"].value) if "offset" in entries else 0, int(entries["length"].value)
            parts.append(b"gap!" * 1024 + data[offset : offset + length])
            entries["offset"].value = str(at + 4096)
            at += len(parts[-1])
        (path.parent / "data/w.bin").write_bytes(b"".join(parts) + b"tail")
        path.write_bytes(model.SerializeToString())
        (tmp_path / "out").mkdir()
        _, target = prune(path, target=tmp_path / "out/model.onnx")
        after = (tmp_path / "out/data/w.bin").read_bytes()
        assert len(after) == at + 4 and after.endswith(b"tail") and after.count(b"gap!" * 1024) == 2
        for name, dense in zip(("w0", "w1"), weights):
            assert_halved(dense, stored(target)[name])

    def test_unchanged(self, tmp_path):
        path, _ = self.make(tmp_path / "in")
        (tmp_path / "out").mkdir()
        assert_unchanged_save(path, tmp_path / "out/model.onnx")
        assert (tmp_path / "out/weights.bin").read_bytes() == (path.parent / "weights.bin").read_bytes()

    def test_more_than_two_gigabytes(self, tmp_path):
        """A sparse data file of 3 GiB; the weight that is pruned lies behind 2 GiB."""
        far = (1 << 31) + 4096
        weight = normal(64, 32)
        with open(tmp_path / "big.bin", "wb") as file:
            file.seek(far)
            file.write(weight.tobytes())
            file.truncate(3 << 30)  # holes: takes no space
        big = TensorProto(name="big", data_type=FLOAT, dims=[1 << 19, 1 << 10], data_location=TensorProto.EXTERNAL)
        near = TensorProto(name="w", data_type=FLOAT, dims=[64, 32], data_location=TensorProto.EXTERNAL)
        for t, offset, length in ((big, 0, 1 << 31), (near, far, weight.nbytes)):
            for key, text in (("location", "big.bin"), ("offset", str(offset)), ("length", str(length))):
                t.external_data.add(key=key, value=text)
        model = build([helper.make_node("MatMul", ["x", "w"], ["y"])], [big, near], [value("x", ["N", 64])], [value("y", ["N", 32])])
        path = tmp_path / "model.onnx"
        path.write_bytes(model.SerializeToString())
        with pare.load(path) as opened:
            assert opened.parameters["big"].nbytes == 1 << 31
            report = opened.prune("magnitude", 0.5, include="w")
            assert_halved(weight, opened.parameters["w"].array)
            assert opened.parameters["big"].array[-1, -1] == 0
        assert pruned_names(report) == ["w"]


class TestGraphs:
    def test_subgraphs_keep_their_weights(self, write):
        """If with a weight inside each branch and one captured from outside, which Loop and both branches share."""
        inside, outside = normal(6, 6), normal(6, 6)
        branches = {}
        for name in ("then", "else"):
            nodes = [
                helper.make_node("MatMul", ["x", "shared"], [f"{name}_a"]),
                helper.make_node("MatMul", [f"{name}_a", f"{name}_w"], [f"{name}_y"]),
            ]
            branches[f"{name}_branch"] = helper.make_graph(
                nodes, name, [], [value(f"{name}_y", None)], [tensor(f"{name}_w", inside)]
            )
        nodes = [
            helper.make_node("If", ["condition"], ["picked"], **branches),
            helper.make_node("MatMul", ["picked", "last"], ["y"]),
        ]
        model = build(
            nodes,
            [tensor("shared", outside), tensor("last", normal(6, 6))],
            [value("x", ["N", 6]), value("condition", [], TensorProto.BOOL)],
            [value("y", ["N", 6])],
        )
        path = write(model)
        report, target = prune(path)
        assert "last" in pruned_names(report)
        after = onnx.load(str(target))
        for attribute in after.graph.node[0].attribute:
            (t,) = attribute.g.initializer
            assert numpy_helper.to_array(t).tobytes() == inside.tobytes(), "weights inside are left alone"
        x = normal(2, 6)
        for condition in (True, False):
            s = stored(target)
            expected = x @ s["shared"] @ inside @ s["last"]
            assert np.allclose(run(target, x=x, condition=np.array(condition))[0], expected, atol=1e-4)
        assert_unchanged_save(path, path.with_name("same.onnx"))

    def test_a_loop_that_shadows_a_name(self, write):
        """The body's own "w" hides the outer one: pruning the outer must not touch it."""
        inner, outer = normal(4, 4), normal(4, 4)
        body = helper.make_graph(
            [helper.make_node("Identity", ["c"], ["c2"]), helper.make_node("MatMul", ["v", "inner"], ["v2"])],
            "body",
            [value("i", [], TensorProto.INT64), value("c", [], TensorProto.BOOL), value("v", None)],
            [value("c2", [], TensorProto.BOOL), value("v2", None)],
            [tensor("inner", inner)],
        )
        nodes = [
            helper.make_node("Loop", ["count", "", "x"], ["turned"], body=body),
            helper.make_node("MatMul", ["turned", "w"], ["y"]),
        ]
        path = write(
            build(nodes, [tensor("count", np.array(2)), tensor("w", outer)], [value("x", ["N", 4])], [value("y", ["N", 4])])
        )
        report, target = prune(path)
        assert pruned_names(report) == ["w"]
        assert_halved(outer, stored(target)["w"])
        x = normal(3, 4)
        assert np.allclose(run(target, x=x)[0], x @ inner @ inner @ stored(target)["w"], atol=1e-4)

    def test_unknown_operators_and_domains_survive(self, write):
        node = helper.make_node("Frobnicate", ["h", "table"], ["y"], domain="com.example", strength=3, label="ü")
        model = build(
            [helper.make_node("MatMul", ["x", "w"], ["h"]), node],
            [tensor("w", normal(6, 6)), tensor("table", normal(6, 6))],
            [value("x", ["N", 6])],
            [value("y", None)],
            domains=[helper.make_opsetid("com.example", 42)],
        )
        path = write(model, check=False)
        report, target = prune(path, check=False)
        assert pruned_names(report) == ["w"], "what an unknown operator reads is left alone"
        after = onnx.load(str(target))
        assert after.graph.node[1].SerializeToString() == node.SerializeToString()
        assert stored(target)["table"].tobytes() == stored(path)["table"].tobytes()
        del after.graph.initializer[:], model.graph.initializer[:]
        assert after == model

    def test_one_weight_of_two_convolutions(self, write):
        weight = normal(4, 4, 3, 3)
        nodes = [
            helper.make_node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1]),
            helper.make_node("Conv", ["a", "w"], ["y"], pads=[1, 1, 1, 1]),
        ]
        shape = ["N", 4, 5, 5]
        path = write(build(nodes, [tensor("w", weight)], [value("x", shape)], [value("y", shape)]))
        report, target = prune(path)
        after = stored(target)["w"]
        if pruned_names(report):
            assert_halved(weight, after)
        else:
            assert after.tobytes() == weight.tobytes()
            assert report.layers[0].note

    def test_tied_embedding_is_left_alone(self, write):
        """Rows of the table are looked up, and its transpose is the output layer."""
        table = normal(10, 6)
        nodes = [
            helper.make_node("Gather", ["table", "ids"], ["h"]),
            helper.make_node("MatMul", ["h", "w"], ["g"]),
            helper.make_node("Transpose", ["table"], ["out"], perm=[1, 0]),
            helper.make_node("MatMul", ["g", "out"], ["y"]),
        ]
        path = write(
            build(
                nodes,
                [tensor("table", table), tensor("w", normal(6, 6))],
                [value("ids", ["N"], TensorProto.INT64)],
                [value("y", ["N", 10])],
            )
        )
        report, target = prune(path)
        assert pruned_names(report) == ["w"]
        assert stored(target)["table"].tobytes() == table.tobytes()
        note = next(layer.note for layer in report.layers if layer.name == "table")
        assert note, "the report says why"
        with pare.load(path) as model:
            model.prune("magnitude", 0.5, include="table")
            assert not len(model.masks), "asking for it by name does not break the tie"

    @pytest.mark.parametrize("other_use", ["a Gather in a branch", "a graph output", "an Add", "a Loop's state"])
    def test_other_uses_of_a_weight_protect_it(self, write, other_use):
        """A MatMul's weight that something else reads too is not a mere weight."""
        nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
        inputs, outputs, tensors = [value("x", ["N", 6])], [value("y", ["N", 6])], [tensor("w", normal(6, 6))]
        if other_use == "a Gather in a branch":
            inputs += [value("condition", [], TensorProto.BOOL), value("i", [], TensorProto.INT64)]
            branches = {
                f"{name}_branch": helper.make_graph([helper.make_node(*words)], name, [], [value(words[2][0], None)])
                for name, words in (
                    ("then", ("Gather", ["w", "i"], ["t"])),
                    ("else", ("Gather", ["x", "i"], ["e"])),
                )
            }
            nodes.append(helper.make_node("If", ["condition"], ["z"], **branches))
            outputs.append(value("z", ["K"]))
        elif other_use == "a graph output":
            outputs.append(value("w", [6, 6]))
        elif other_use == "an Add":
            nodes += [helper.make_node("Add", ["y", "w"], ["z"])]
            outputs.append(value("z", [6, 6]))
        else:
            body = helper.make_graph(
                [helper.make_node("Identity", ["c"], ["c2"]), helper.make_node("Relu", ["v"], ["v2"])],
                "body",
                [value("n", [], TensorProto.INT64), value("c", [], TensorProto.BOOL), value("v", None)],
                [value("c2", [], TensorProto.BOOL), value("v2", None)],
            )
            tensors.append(tensor("count", np.array(2)))
            nodes.append(helper.make_node("Loop", ["count", "", "w"], ["z"], body=body))
            outputs.append(value("z", [6, 6]))
        path = write(build(nodes, tensors, inputs, outputs))
        report, target = prune(path)
        assert pruned_names(report) == [], f"read by {other_use} too"
        assert report.layers[0].note
        assert target.read_bytes() == path.read_bytes()

    def test_weight_behind_a_transpose(self, write):
        """Rows of a pattern are output features even where the file stores them behind a Transpose."""
        weight = normal(8, 12)  # [out, in], used transposed
        nodes = [
            helper.make_node("Transpose", ["w"], ["wt"], perm=[1, 0]),
            helper.make_node("MatMul", ["x", "wt"], ["y"]),
        ]
        path = write(build(nodes, [tensor("w", weight)], [value("x", ["N", 12])], [value("y", ["N", 8])]))
        with pare.load(path) as model:
            report = model.prune("magnitude", pattern="2:4")
            if "w" in model.masks:
                mask = model.masks["w"].numpy()
                assert (mask.reshape(8, 3, 4).sum(-1) == 2).all()
            else:
                assert report.layers[0].note

    @pytest.mark.parametrize("transposed", [0, 1])
    def test_patterns_follow_the_input_dimension_of_gemm(self, write, transposed):
        weight = normal(8, 12) if transposed else normal(12, 8)
        nodes = [helper.make_node("Gemm", ["x", "w"], ["y"], transB=transposed)]
        path = write(build(nodes, [tensor("w", weight)], [value("x", ["N", 12])], [value("y", ["N", 8])]))
        with pare.load(path) as model:
            model.prune("magnitude", pattern="2:4")
            mask = model.masks["w"].numpy()
        groups = (mask if transposed else mask.T).reshape(8, 3, 4)
        assert (groups.sum(-1) == 2).all()

    def test_functions_are_kept(self, write):
        """A model-local function whose body holds a constant weight of its own."""
        constant = helper.make_node("Constant", [], ["k"], value=tensor("k", normal(6, 6)))
        function = helper.make_function(
            "local", "Twice", ["a"], ["b"],
            [constant, helper.make_node("MatMul", ["a", "k"], ["b"])],
            [helper.make_opsetid("", 17)],
        )  # fmt: skip
        model = build(
            [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Twice", ["h"], ["y"], domain="local")],
            [tensor("w", normal(6, 6))],
            [value("x", ["N", 6])],
            [value("y", ["N", 6])],
            domains=[helper.make_opsetid("local", 1)],
            functions=[function],
        )
        path = write(model)
        report, target = prune(path)
        assert pruned_names(report) == ["w"]
        assert onnx.load(str(target)).functions[0] == function
        x = normal(2, 6)
        expected = x @ stored(target)["w"] @ numpy_helper.to_array(constant.attribute[0].t)
        assert np.allclose(run(target, x=x)[0], expected, atol=1e-4)

    def test_sparse_initializers_are_kept(self, write):
        sparse = onnx.SparseTensorProto(dims=[6, 6])
        sparse.values.CopyFrom(tensor("s", normal(3)))
        sparse.indices.CopyFrom(tensor("", np.array([1, 8, 30])))
        model = build(
            [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Add", ["h", "s"], ["y"])],
            [tensor("w", normal(6, 6))],
            [value("x", [6, 6])],
            [value("y", [6, 6])],
        )
        model.graph.sparse_initializer.append(sparse)
        path = write(model)
        report, target = prune(path, check=False)  # onnx's own shape inference does not know sparse tensors
        assert pruned_names(report) == ["w"]
        assert onnx.load(str(target)).graph.sparse_initializer[0] == sparse
        x, dense = normal(6, 6), np.zeros(36, np.float32)
        dense[[1, 8, 30]] = numpy_helper.to_array(sparse.values)
        assert np.allclose(run(target, x=x)[0], x @ stored(target)["w"] + dense.reshape(6, 6), atol=1e-5)

    def test_initializers_that_are_inputs_too(self, write):
        """IR version 3 lists initialisers among the inputs; the caller may replace them."""
        weight = normal(6, 6)
        model = linear(weight)
        model.graph.input.append(value("w", [6, 6]))
        model.ir_version = 3
        path = write(model)
        report, target = prune(path)
        assert_halved(weight, stored(target)["w"])
        assert len(onnx.load(str(target)).graph.input) == 2

    def test_odd_shapes(self, write):
        """Empty tensors, scalars and rank 1 lie beside the weight and stay."""
        model = linear(normal(6, 6))
        extra = [tensor("empty", np.zeros((0, 4), np.float32)), tensor("scalar", np.float32(3).reshape(()))]
        extra += [tensor("vector", normal(5)), tensor("deep", normal(*[1] * 8))]
        model.graph.initializer.extend(extra)
        path = write(model)
        report, target = prune(path)
        assert pruned_names(report) == ["w"]
        assert list(onnx.load(str(target)).graph.initializer[1:]) == extra

    def test_empty_weights_are_no_layers(self, write):
        path = write(linear(np.zeros((4, 0), np.float32)))
        report, target = prune(path)
        assert pruned_names(report) == [] and report.layers[0].note == "empty"
        assert target.read_bytes() == path.read_bytes()

    def test_unicode_names(self, write):
        names = ["слой.вес", "层/权重", "a b\tc", "🙂", "ä" * 300, 'quo"te\\']
        nodes, tensors, last = [], [], "x"
        for i, name in enumerate(names):
            tensors.append(tensor(name, normal(4, 4)))
            nodes.append(helper.make_node("MatMul", [last, name], [f"y{i}"], name=f"узел{i}"))
            last = f"y{i}"
        path = write(build(nodes, tensors, [value("x", ["N", 4])], [value(last, ["N", 4])]), "модель.onnx")
        masks = path.with_name("маски.safetensors")
        with pare.load(path) as model:
            assert list(model.parameters) == names
            model.prune("magnitude", 0.5)
            model.masks.save(masks)
            model.save(path.with_name("итог.onnx"))
        after = stored(path.with_name("итог.onnx"))
        assert list(after) == names
        for name, old in stored(path).items():
            assert_halved(old, after[name])
        with pare.load(path) as model:
            model.masks.load(masks)
            assert list(model.masks) == names

    @pytest.mark.parametrize("opset", range(13, onnx.defs.onnx_opset_version() + 1))
    def test_opsets(self, write, opset):
        """Every operator set that this onnxruntime runs."""
        conv, matrix = normal(4, 3, 3, 3), normal(4, 5)
        nodes = [
            helper.make_node("Conv", ["x", "conv"], ["a"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["a"], ["b"]),
            helper.make_node("GlobalAveragePool", ["b"], ["c"]),
            helper.make_node("Flatten", ["c"], ["d"]),
            helper.make_node("MatMul", ["d", "matrix"], ["y"]),
        ]
        model = build(
            nodes, [tensor("conv", conv), tensor("matrix", matrix)], [value("x", ["N", 3, 6, 6])], [value("y", ["N", 5])], opset
        )
        path, x = write(model), normal(2, 3, 6, 6)
        try:
            dense = run(path, x=x)[0]
        except Exception as problem:  # onnxruntime has its own exception types per cause
            pytest.skip(f"onnxruntime {onnxruntime.__version__} does not run opset {opset}: {str(problem)[:80]}")
        report, target = prune(path)
        assert pruned_names(report) == ["conv", "matrix"]
        assert_halved(conv, stored(target)["conv"])
        sparse = run(target, x=x)[0]
        assert sparse.shape == dense.shape and not np.array_equal(sparse, dense)


class TestSafetensors:
    def test_metadata_and_order(self, tmp_path):
        path = tmp_path / "m.safetensors"
        arrays = {"z.weight": normal(8, 8), "a.weight": normal(8, 4), "a.bias": normal(8), "n": np.array(3)}
        save_file(arrays, path, metadata={"format": "pt", "ünï": "cödé", "pare": "mine"})
        report, target = prune(path, provenance=True)
        assert sorted(pruned_names(report)) == ["a.weight", "z.weight"]
        with safe_open(path, "np") as old, safe_open(target, "np") as new:
            assert list(old.keys()) == list(new.keys())
            metadata = dict(new.metadata())
            assert metadata["format"] == "pt" and metadata["ünï"] == "cödé"
            assert any(key.startswith("pare.") for key in metadata)
        for name in ("a.bias", "n"):
            assert load_file(target)[name].tobytes() == arrays[name].tobytes()

    def test_unchanged(self, tmp_path):
        path = tmp_path / "m.safetensors"
        save_file({"a.weight": normal(3, 3), "e": np.zeros((0, 2), np.float32)}, path, metadata={"k": "v"})
        assert_unchanged_save(path, tmp_path / "same.safetensors")

    def test_empty_file_of_no_tensors(self, tmp_path):
        path = tmp_path / "m.safetensors"
        save_file({}, path)
        with pare.load(path) as model:
            assert len(model.parameters) == 0
            report = model.prune("magnitude", 0.5)
            assert report.notes
        assert_unchanged_save(path, tmp_path / "same.safetensors")

    def shards(self, folder):
        """Three shards, one of them in a subfolder, and an index as transformers writes it."""
        arrays = {f"layer{i}.weight": normal(16, 8) for i in range(6)}
        names = [f"model-0000{k + 1}-of-00003.safetensors" for k in range(3)]
        where = {}
        for k, shard in enumerate(names):
            part = {name: arrays[name] for name in list(arrays)[2 * k : 2 * k + 2]}
            save_file(part, folder / shard, metadata={"format": "pt"})
            where |= {name: shard for name in part}
        index = folder / "model.safetensors.index.json"
        index.write_text(json.dumps({"metadata": {"total_size": 3072}, "weight_map": where}, indent=2))
        return index, arrays, names

    def test_three_shards(self, tmp_path):
        source, target = tmp_path / "in", tmp_path / "out"
        source.mkdir(), target.mkdir()
        index, arrays, names = self.shards(source)
        with pare.load(index) as model:
            assert model.format == "sharded" and set(model.parameters) == set(arrays)
            report = model.prune("magnitude", 0.5, include=["layer0.*", "layer5.*"])
            model.save(target / index.name, provenance=False)
        assert pruned_names(report) == ["layer0.weight", "layer5.weight"]
        assert sorted(p.name for p in target.iterdir()) == sorted([*names, index.name])
        assert (target / index.name).read_bytes() == index.read_bytes()
        assert (target / names[1]).read_bytes() == (source / names[1]).read_bytes()
        after = {name: array for shard in names for name, array in load_file(target / shard).items()}
        for name, old in arrays.items():
            if name in pruned_names(report):
                assert_halved(old, after[name])
            else:
                assert old.tobytes() == after[name].tobytes()

    def test_a_folder_of_shards(self, tmp_path):
        source = tmp_path / "in"
        source.mkdir()
        index, arrays, names = self.shards(source)
        (source / "config.json").write_text('{"model_type": "llama"}')
        (source / "tokenizer.json").write_text("{}")
        (source / "notes").mkdir()
        (source / "notes" / "README.md").write_text("hello")
        with pare.load(source) as model:
            assert model.format == "hugging-face"
            model.prune("magnitude", 0.5)
            model.save(tmp_path / "out")
        old = {p.relative_to(source): p.read_bytes() for p in source.rglob("*") if p.is_file()}
        new = {p.relative_to(tmp_path / "out"): p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()}
        assert old.keys() == new.keys()
        assert all(new[name] == data for name, data in old.items() if "safetensors" not in name.name)
        meta = json.loads(new[index.relative_to(source)])
        assert meta["metadata"]["total_size"] == 3072, "a number stays a number"
        for shard in names:
            for name, array in load_file(tmp_path / "out" / shard).items():
                assert_halved(arrays[name], array)

    def test_one_file_of_shards(self, tmp_path):
        index, arrays, _ = self.shards(tmp_path)
        with pare.load(index) as model:
            model.prune("magnitude", 0.5)
            model.save(tmp_path / "one.safetensors", format="safetensors")
        after = load_file(tmp_path / "one.safetensors")
        assert set(after) == set(arrays)
        for name, old in arrays.items():
            assert_halved(old, after[name])


class TestNpy:
    @pytest.mark.parametrize("order", "CF")
    @pytest.mark.parametrize("dtype", ["<f4", "<f8", "<f2"])
    def test_prune(self, tmp_path, order, dtype):
        weight = np.asarray(normal(8, 6), dtype=dtype, order=order)
        path = tmp_path / "w.npy"
        np.save(path, weight)
        report, target = prune(path)
        assert pruned_names(report) == ["w"]
        assert_halved(np.ascontiguousarray(weight), np.load(target))

    def test_big_endian_is_refused(self, tmp_path):
        np.save(tmp_path / "w.npy", normal(8, 6).astype(">f4"))
        with pytest.raises(pare.DTypeError, match=">f4"):
            pare.load(tmp_path / "w.npy")

    def test_unchanged(self, tmp_path):
        for version in ((1, 0), (2, 0), (3, 0)):
            path = tmp_path / f"w{version[0]}.npy"
            with open(path, "wb") as file:
                np.lib.format.write_array(file, normal(5, 4), version=version)
            assert_unchanged_save(path, tmp_path / f"same{version[0]}.npy")

    def test_converts_to_safetensors(self, tmp_path):
        weight = normal(5, 4)
        np.save(tmp_path / "w.npy", weight)
        with pare.load(tmp_path / "w.npy") as model:
            (name,) = model.parameters
            model.save(tmp_path / "w.safetensors", format="safetensors")
        assert load_file(tmp_path / "w.safetensors")[name].tobytes() == weight.tobytes()


class TestMasks:
    def test_save_load_apply(self, write):
        path = write(TestMasks.network())
        masks, direct, applied = (path.with_name(name) for name in ("m.safetensors", "direct.onnx", "applied.onnx"))
        with pare.load(path) as model:
            model.prune("magnitude", 0.6, allocation="global")
            kept = {name: model.masks[name].numpy() for name in model.masks}
            model.masks.save(masks)
            model.save(direct, provenance=False)
        with pare.load(path) as model:
            model.masks.load(masks)
            assert {name: model.masks[name].kept for name in model.masks} == {k: m.sum() for k, m in kept.items()}
            model.save(applied, provenance=False)
        assert direct.read_bytes() == applied.read_bytes()
        # Any safetensors reader opens the file (docs/mask-file.md).
        with safe_open(masks, "np") as file:
            assert sorted(file.keys()) == sorted(kept)
            for name, mask in kept.items():
                assert json.loads(file.metadata()["shape:" + name]) == list(mask.shape)
                bits = np.unpackbits(file.get_tensor(name), bitorder="little")
                assert np.array_equal(bits[: mask.size].reshape(mask.shape).astype(bool), mask)
                assert not bits[mask.size :].any()

    @staticmethod
    def network():
        nodes = [
            helper.make_node("Conv", ["x", "c"], ["a"]),
            helper.make_node("Flatten", ["a"], ["f"]),
            helper.make_node("Gemm", ["f", "g", "b"], ["y"], transB=1),
        ]
        tensors = [tensor("c", normal(5, 3, 3, 3)), tensor("g", normal(7, 20)), tensor("b", normal(7))]
        return build(nodes, tensors, [value("x", ["N", 3, 4, 4])], [value("y", ["N", 7])])

    def test_masks_of_another_model_are_refused_whole(self, write, tmp_path):
        path = write(self.network())
        other = write(linear(normal(6, 6)), "other.onnx")
        with pare.load(path) as model:
            model.prune("magnitude", 0.5)
            model.masks.save(tmp_path / "m.safetensors")
        with pare.load(other) as model:
            with pytest.raises(pare.PareError):
                model.masks.load(tmp_path / "m.safetensors")
            assert not len(model.masks)

    def test_kept_masks_only_grow(self, write):
        path = write(self.network())
        with pare.load(path) as model:
            model.prune("magnitude", 0.5)
            first = {name: model.masks[name].numpy() for name in model.masks}
            model.prune("random", 0.8, keep_masks=True)
            for name, mask in first.items():
                assert not (model.masks[name].numpy() & ~mask).any()
                assert model.masks[name].sparsity == pytest.approx(0.8, abs=0.02)

    def test_detaching_shows_the_original(self, write):
        path = write(self.network())
        with pare.load(path) as model:
            before = model.parameters["g"].array.copy()
            model.prune("magnitude", 0.9)
            assert np.count_nonzero(model.parameters["g"].array) < before.size
            del model.masks["g"]
            assert model.parameters["g"].array.tobytes() == before.tobytes()


class TestTies:
    """Of equal scores the lower flat index of the stored array is kept, whatever the type."""

    @pytest.mark.parametrize("name", ["float16", "bfloat16", "float32", "float64"])
    @pytest.mark.parametrize("sparsity", [0.1, 0.5, 0.77])
    def test_element(self, write, name, sparsity):
        weight = DRAW.choice([-2, -1, 1, 2], (24, 20)).astype(half(name))
        path = write(linear(weight))
        _, target = prune(path, sparsity)
        mask = reference.remove(np.abs(weight).astype(np.float64), round(sparsity * weight.size))
        assert np.array_equal(stored(target)["w"] != 0, mask)

    def test_across_layers(self, write):
        """In one ranking of all layers the earlier layer counts as lower."""
        a, b = np.ones((6, 6), np.float32), np.ones((6, 4), np.float32)
        nodes = [helper.make_node("MatMul", ["x", "a"], ["h"]), helper.make_node("MatMul", ["h", "b"], ["y"])]
        path = write(build(nodes, [tensor("a", a), tensor("b", b)], [value("x", ["N", 6])], [value("y", ["N", 4])]))
        _, target = prune(path, 0.5, allocation="global")
        flat = np.concatenate([stored(target)[name].ravel() for name in "ab"])
        assert flat.tolist() == [1] * 30 + [0] * 30

    def test_n_of_m(self, write):
        _, target = prune(write(linear(np.ones((8, 3), np.float32))), None, pattern="2:4")
        assert stored(target)["w"].T.tolist() == [[1, 1, 0, 0, 1, 1, 0, 0]] * 3

    def test_close_doubles(self, write):
        """Scores of magnitude are float32 (plugins/magnitude/README.md): doubles that are equal there tie."""
        weight = np.full((4, 4), 1.0) + np.arange(16).reshape(4, 4)[::-1] * 1e-12
        _, target = prune(write(linear(weight)), 0.5)
        assert (stored(target)["w"] != 0).ravel().tolist() == [True] * 8 + [False] * 8


class TestNegativeZero:
    def test_bits_of_kept_values_survive(self, tmp_path):
        """-0.0 that is kept stays -0.0; what is removed becomes +0.0; denormals stay."""
        weight = np.array([[-0.0, 1e-45, -2.0, 3.0], [-4.0, 5.0, -6.0, 7.0]], np.float32)
        np.save(tmp_path / "w.npy", weight)
        _, target = prune(tmp_path / "w.npy", 0.25)
        after = np.load(target)
        assert after.view(np.uint32)[0, 0] == 0 and after.view(np.uint32)[0, 1] == 0
        assert after.ravel()[2:].tobytes() == weight.ravel()[2:].tobytes()
        _, target = prune(tmp_path / "w.npy", 1 / 8, target=tmp_path / "less.npy")
        after = np.load(target)
        assert after.view(np.uint32)[0, 0] == 0 and after[0, 1] == np.float32(1e-45)
