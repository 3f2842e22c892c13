"""How ONNX and safetensors store a weight: every type, every field and external data; only what was pruned changes."""

import numpy as np
import pytest

from small_models import (
    FLOAT,
    assert_halved,
    assert_unchanged_save,
    build,
    half,
    linear,
    normal,
    onnx,
    pare,
    prune,
    pruned_names,
    raw_safetensors,
    read_raw,
    run,
    stored,
    tensor,
    value,
)

from onnx import TensorProto, helper
from safetensors.numpy import load_file, save_file


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

    @pytest.mark.parametrize(
        "kind", ["FLOAT8E4M3FN", "FLOAT8E5M2", "INT4", "UINT4", "COMPLEX64", "STRING", "FLOAT4E2M1"]
    )
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
        self.check(
            write(linear(helper.make_tensor("w", TensorProto.DOUBLE, weight.shape, weight.ravel().tolist()))), weight
        )

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
        model = build(
            [helper.make_node("MatMul", ["x", "w"], ["y"])],
            [big, near],
            [value("x", ["N", 64])],
            [value("y", ["N", 32])],
        )
        path = tmp_path / "model.onnx"
        path.write_bytes(model.SerializeToString())
        with pare.load(path) as opened:
            assert opened.parameters["big"].nbytes == 1 << 31
            report = opened.prune("magnitude", 0.5, include="w")
            assert_halved(weight, opened.parameters["w"].array)
            assert opened.parameters["big"].array[-1, -1] == 0
        assert pruned_names(report) == ["w"]
