"""Every prefix and thousands of mutations of healthy files, and hostile graphs: a status, never a crash."""

import numpy as np
import pytest

from bad_files import F32, MATMUL, make_onnx, make_tensor, make_value, text
from conftest import LIBRARY, PATHS, isolated, limited_memory


# ---- every prefix, and every byte, of healthy files


SWEEP = """
import sys
sys.path[:0] = {paths!r}
import pare
from bad_files import HEALTHY
import random, pathlib
folder = pathlib.Path({folder!r})

def attempt(name, data):
    \"\"\"Status of opening and pruning; 0 if all went well.\"\"\"
    (folder / name).write_bytes(data)
    try:
        with pare.load(folder / name) as model:
            model.prune("magnitude", 0.5, allow_nonfinite=True)
            for parameter in model.parameters.values():
                parameter.array
            graph = model.graph
            for node in graph.nodes if graph else []:
                node.inputs, node.outputs, node.attributes
            model.save(folder / ("out-" + name), overwrite=True)
            pare.load(folder / ("out-" + name)).close()
        return 0
    except pare.PareError as error:
        assert str(error) and 100 <= error.status < 400, repr(error)
        return error.status

for name, data in HEALTHY.items():
    assert attempt(name, data) == 0
    if {prefixes}:
        for length in range(len(data)):
            code = attempt(name, data[:length])
            assert 200 <= code < 300 or code == 104, f"{{name}} cut to {{length}} of {{len(data)}} bytes: {{code}}"
    else:
        draw = random.Random(5)
        for turn in range({turns}):
            spoiled = bytearray(data)
            for _ in range(draw.choice([1, 1, 1, 2, 4])):
                kind, at = draw.randrange(4), draw.randrange(len(spoiled))
                if kind == 0: spoiled[at] ^= 1 << draw.randrange(8)
                elif kind == 1: spoiled[at] = draw.choice([0, 1, 127, 128, 255])
                elif kind == 2: del spoiled[at : at + draw.randrange(1, 9)]
                else: spoiled[at:at] = spoiled[at : at + draw.randrange(1, 9)]
                if not spoiled: spoiled = bytearray(b"x")
            (folder / "last").write_bytes(spoiled)
            attempt(name, bytes(spoiled))
print("done")
"""


@pytest.mark.parametrize("prefixes", [True, False], ids=["cut", "spoiled"])
def test_cut_and_spoiled_files(tmp_path, prefixes):
    if not LIBRARY.is_file():
        pytest.skip(f"{LIBRARY} is not built: make build")
    isolated(tmp_path, SWEEP.format(paths=PATHS, folder=str(tmp_path), prefixes=prefixes, turns=3000))


# ---- hostile graphs: sizes, indices and divisions at the ends of 64 bits, and tensors that double at each step


LOW, HIGH = -(1 << 63), (1 << 63) - 1
DOUBLING = [("Concat", [f"c{i}", f"c{i}"], [f"c{i + 1}"], {"axis": 0}) for i in range(60)]
SQUARING = [("Mul", [f"c{i}", f"c{i}"], [f"c{i + 1}"], {}) for i in range(70)]
SLICE = ("Slice", ["three", "start", "end", "axes", "steps"], ["c"], {})
HOSTILE = {
    "constant": ({"s": [1 << 40]}, [("ConstantOfShape", ["s"], ["c"], {}), ("Add", ["c", "c"], ["d"], {})]),
    "constant-negative": ({"s": [-5, 3]}, [("ConstantOfShape", ["s"], ["c"], {})]),
    "range": ({"a": 0, "b": 1 << 62, "d": 1}, [("Range", ["a", "b", "d"], ["c"], {}), ("Add", ["c", "c"], ["e"], {})]),
    "range-step-0": ({"a": 0, "b": 10, "d": 0}, [("Range", ["a", "b", "d"], ["c"], {})]),
    "range-of-all": ({"a": LOW, "b": HIGH, "d": 1}, [("Range", ["a", "b", "d"], ["c"], {})]),
    "doubling": ({"c0": [1, 2, 3, 4]}, DOUBLING),
    "squaring": ({"c0": [3]}, [*SQUARING, ("Reshape", ["x", "c70"], ["r"], {})]),
    "division": (
        {"a": [LOW], "b": [-1], "z": [0]},
        [(op, ["a", other], [op + other], {}) for op in ("Div", "Mod", "Pow", "Sub", "Mul", "Add") for other in "bz"]
        + [("Neg", ["a"], ["n"], {}), ("Abs", ["a"], ["p"], {}), ("Reshape", ["x", "Divb"], ["r"], {})],
    ),
    "expand": ({"a": [1], "b": [1 << 50]}, [("Expand", ["a", "b"], ["c"], {}), ("Tile", ["a", "b"], ["d"], {})]),
    "slice": ({"three": [1, 2, 3], "start": [HIGH], "end": [LOW], "axes": [0], "steps": [LOW]}, [SLICE]),
    "slice-axis": ({"three": [1, 2, 3], "start": [0], "end": [3], "axes": [LOW], "steps": [1]}, [SLICE]),
    "slice-step-0": ({"three": [1, 2, 3], "start": [0], "end": [3], "axes": [0], "steps": [0]}, [SLICE]),
    "gather": (
        {"a": [1, 2], "i": [LOW, 5]},
        [("Gather", ["a", "i"], ["c"], {}), ("Gather", ["a", "i"], ["d"], {"axis": LOW})],
    ),
    "pad": ({"p": [HIGH] * 4}, [("Pad", ["x", "p"], ["c"], {})]),
    "reshape": ({"p": [1 << 40, 1 << 40, -1]}, [("Reshape", ["x", "p"], ["c"], {})]),
    "reshape-two-unknown": ({"p": [-1, -1, 0, 0, 0]}, [("Reshape", ["x", "p"], ["c"], {})]),
    "transpose": (
        {},
        [("Transpose", ["x"], ["c"], {"perm": [5, -1, 3, 3]}), ("Transpose", ["k"], ["d"], {"perm": [1, 1]})],
    ),
    "window": (
        {},
        [
            ("Conv", ["big", "k"], ["b"], {"pads": [HIGH] * 4, "dilations": [1 << 62] * 2}),
            ("Conv", ["big", "k"], ["c"], {"strides": [0, -1], "group": 0}),
            ("MaxPool", ["big"], ["d"], {"kernel_shape": [0, -3], "strides": [0, 0]}),
            ("ConvTranspose", ["big", "k"], ["e"], {"strides": [1 << 62] * 2, "group": LOW}),
            ("AveragePool", ["big"], ["f"], {"kernel_shape": [1 << 62, 2], "pads": [1]}),
            ("Flatten", ["big"], ["g"], {"axis": 99}),
            ("Concat", ["big", "big"], ["h"], {"axis": HIGH}),
            ("Split", ["big"], ["i", "j"], {"axis": -9}),
            ("DepthToSpace", ["big"], ["m"], {"blocksize": 0}),
            ("SpaceToDepth", ["big"], ["n"], {"blocksize": LOW}),
            ("LSTM", ["big", "k", "k"], ["o"], {"hidden_size": -1}),
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_graphs(command, tmp_path, name):
    """Shapes that cannot be are not known; the weight beside them is pruned all the same, in little time and memory."""
    helper = pytest.importorskip("onnx").helper
    constants, nodes = HOSTILE[name]
    numpy_helper = pytest.importorskip("onnx").numpy_helper
    tensors = [numpy_helper.from_array(np.array(v, np.int64), k).SerializeToString() for k, v in constants.items()]
    tensors += [make_tensor(), make_tensor("k", (4, 4, 1, 1), data=text(9, F32[::-1]))]
    made = [helper.make_node(op, i, o, **more).SerializeToString() for op, i, o, more in nodes]
    big = text(11, make_value("big", (1, 4, 1 << 62, 8)))
    (tmp_path / "m.onnx").write_bytes(make_onnx(tensors, [*made, MATMUL], graph=big))
    for words in (["inspect", "m.onnx"], ["prune", "m.onnx", "-o", "out.onnx", "--sparsity", "0.5"]):
        done = command(*words, cwd=tmp_path, timeout=10, preexec_fn=limited_memory(2 << 30))
        assert done.returncode == 0 and done.stderr == "", done
    assert F32 not in (tmp_path / "out.onnx").read_bytes()
