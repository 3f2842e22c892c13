"""Compare Pare's shapes of every value with those that onnxruntime really computes.

    python compare.py DUMP MODEL.onnx ...

DUMP is a program that takes a model's path and prints a line "VALUE name type [sizes] c" per value ("none" for an unknown
rank, "?" for an unknown size, a name or product of names for a symbolic one, "c" if Pare folded a constant). Each model
runs once with all intermediate values as outputs, named dimensions of its inputs set to 3. Prints one line per model:
values, those with all sizes known, mismatches. Needs numpy, onnx and onnxruntime.
"""

import pathlib
import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

BATCH = 3
NAMES = {TensorProto.FLOAT: "f32", TensorProto.INT64: "i64", TensorProto.INT32: "i32", TensorProto.BOOL: "bool",
         TensorProto.DOUBLE: "f64", TensorProto.FLOAT16: "f16", TensorProto.UINT8: "u8", TensorProto.INT8: "i8"}
onnxruntime.set_default_logger_severity(4)


def run(path):
    """Arrays of all node outputs by name."""
    model = onnx.load(path)
    for node in model.graph.node:  # random weights overflow nowhere, but Dropout's mask must not be asked for
        assert node.op_type not in ("Loop", "Scan"), "values inside loops are not compared"
    names = [o for node in model.graph.node for o in node.output if o]
    feeds = {}
    initializers = {t.name for t in model.graph.initializer}
    rng = np.random.default_rng(0)
    for value in model.graph.input:
        if value.name in initializers:
            continue
        kind = value.type.tensor_type
        sizes = [d.dim_value if d.HasField("dim_value") else BATCH for d in kind.shape.dim]
        dtype = helper.tensor_dtype_to_np_dtype(kind.elem_type)
        feeds[value.name] = rng.standard_normal(sizes).astype(dtype) if dtype.kind == "f" else np.ones(sizes, dtype)
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return dict(zip(names, session.run(names, feeds)))


def number(size):
    """A printed size with every name set to BATCH; None if it is unknown."""
    if size == "?":
        return None
    product = 1
    for factor in size.split("*"):
        product *= int(factor) if factor.lstrip("-").isdigit() else BATCH
    return product


def compare(dump, path):
    found = {}
    notes = 0
    for line in subprocess.run([dump, path], capture_output=True, text=True, check=True).stdout.splitlines():
        if line.startswith("NOTE "):
            notes += 1
            print("   ", line)
        if line.startswith("VALUE "):
            _, name, kind, sizes, *rest = line.split(" ")
            found[name] = kind, sizes, rest
    known = wrong = 0
    actual = run(path)
    for name, array in actual.items():
        array = np.asarray(array)
        kind, sizes, _ = found[name]
        if sizes == "none":
            print(f"    {name}: rank unknown, is {array.shape}")
            continue
        guess = [number(s) for s in sizes[1:-1].split(",") if s]
        known += None not in guess
        if None in guess:
            print(f"    {name}: {sizes}, is {array.shape}")
        expected = NAMES[helper.np_dtype_to_tensor_dtype(array.dtype)]
        if len(guess) != array.ndim or any(g not in (None, s) for g, s in zip(guess, array.shape)) or kind != expected:
            wrong += 1
            print(f"    {name}: {kind} {sizes}, is {expected} {array.shape}")
    print(f"{pathlib.Path(path).name}: {len(actual)} values, {known} known, {wrong} wrong, {notes} notes", flush=True)
    return known == len(actual) and not wrong and not notes


def main() -> int:
    return 0 if all([compare(sys.argv[1], path) for path in sys.argv[2:]]) else 1


if __name__ == "__main__":
    sys.exit(main())
