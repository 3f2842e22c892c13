"""Write the expected shapes of single operators: operators.txt, beside this script.

    python operators.py          compare the file with what is computed now
    python operators.py --write  write it

Each case is one node. Its outputs are computed by onnxruntime, where it cannot by onnx.reference, and where that cannot
either (named dimensions, for instance) by onnx.shape_inference in strict mode with data propagation; nothing of Pare is
involved. A line of the file reads

    operator opset source | inputs | attributes | outputs

with tensors as type[sizes], known contents in braces, "-" for an omitted one. Needs numpy, onnx and onnxruntime.
"""

import pathlib
import re
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, reference, shape_inference

FILE = pathlib.Path(__file__).resolve().with_name("operators.txt")
onnxruntime.set_default_logger_severity(4)

TYPES = {"f32": TensorProto.FLOAT, "i64": TensorProto.INT64, "i32": TensorProto.INT32, "bool": TensorProto.BOOL,
         "u8": TensorProto.UINT8, "i8": TensorProto.INT8, "f64": TensorProto.DOUBLE, "f16": TensorProto.FLOAT16}
NAMES = {v: k for k, v in TYPES.items()}

# operator opset | inputs | attributes (i: int, I: ints, f: float, F: floats, s: string) | number of outputs
CASES = """
Conv 22 | f32[2,3,9,8] f32[4,3,3,3] f32[4] | pads=I:1,1,1,1 strides=I:2,2 | 1
Conv 11 | f32[1,4,10] f32[6,2,3] | group=i:2 dilations=I:2 | 1
Conv 11 | f32[1,1,7,7] f32[2,1,3,3] | auto_pad=s:SAME_UPPER strides=I:2,3 | 1
Conv 11 | f32[1,1,7,7] f32[2,1,2,2] | auto_pad=s:SAME_LOWER | 1
Conv 11 | f32[1,1,7,7] f32[2,1,3,3] | auto_pad=s:VALID strides=I:3,3 | 1
Conv 22 | f32[N,3,9,8] f32[4,3,3,3] | pads=I:0,1,2,0 | 1
Conv 22 | f32[1,2,5,5,5] f32[3,2,2,2,2] | | 1
ConvTranspose 22 | f32[1,4,5,5] f32[4,3,3,3] | strides=I:2,2 pads=I:1,1,1,1 output_padding=I:1,1 | 1
ConvTranspose 11 | f32[1,4,5,5] f32[4,2,2,2] | group=i:2 strides=I:2,2 dilations=I:2,2 | 1
ConvTranspose 11 | f32[1,4,5,5] f32[4,2,3,3] | strides=I:2,2 output_shape=I:10,10 | 1
ConvTranspose 11 | f32[1,4,5,5] f32[4,2,3,3] | strides=I:2,2 auto_pad=s:SAME_UPPER | 1
MaxPool 12 | f32[1,2,7,7] | kernel_shape=I:2,2 strides=I:2,2 ceil_mode=i:1 | 2
MaxPool 12 | f32[1,2,6,6] | kernel_shape=I:3,3 strides=I:2,2 pads=I:1,1,1,1 dilations=I:1,2 | 1
MaxPool 22 | f32[1,2,5,5] | kernel_shape=I:1,1 strides=I:3,3 pads=I:0,0,0,0 ceil_mode=i:1 | 1
MaxPool 12 | f32[1,2,7] | kernel_shape=I:3 auto_pad=s:SAME_LOWER strides=I:2 | 1
AveragePool 19 | f32[1,2,9,9] | kernel_shape=I:3,3 strides=I:2,2 ceil_mode=i:1 pads=I:1,1,1,1 | 1
AveragePool 11 | f32[N,2,8,8] | kernel_shape=I:2,2 strides=I:2,2 | 1
LpPool 18 | f32[1,2,8,8] | kernel_shape=I:3,3 | 1
GlobalAveragePool 1 | f32[2,3,5,5] | | 1
GlobalMaxPool 1 | f32[2,3,5] | | 1
Gemm 13 | f32[3,4] f32[4,5] f32[5] | | 1
Gemm 13 | f32[4,3] f32[5,4] | transA=i:1 transB=i:1 | 1
MatMul 13 | f32[2,1,3,4] f32[5,4,6] | | 1
MatMul 13 | f32[4] f32[4,6] | | 1
MatMul 13 | f32[2,3,4] f32[4] | | 1
MatMul 13 | f32[4] f32[4] | | 1
MatMul 13 | f32[N,7,4] f32[4,6] | | 1
Einsum 12 | f32[2,3,4] f32[2,4,5] | equation=s:bij,bjk->bik | 1
Einsum 12 | f32[2,3,4] | equation=s:bij | 1
Einsum 12 | f32[2,3,4] f32[4,5] | equation=s:...j,jk->...k | 1
Einsum 12 | f32[3,3] | equation=s:ii->i | 1
Det 22 | f32[2,3,3] | | 1
MatMulInteger 10 | u8[2,3] u8[3,4] | | 1
Add 14 | f32[2,1,3] f32[4,1] | | 1
Add 14 | f32[N,4,3] f32[4,1] | | 1
Sum 13 | f32[3] f32[2,3] f32[1,1] | | 1
Mean 13 | f32[3] f32[2,3] | | 1
Max 13 | i64[2,1] i64[1,3] | | 1
Pow 15 | f32[2,3] i64[] | | 1
Mod 13 | i64[4]{7,-7,7,-7} i64[4]{3,3,-3,-3} | | 1
Mod 13 | i64[4]{7,-7,7,-7} i64[4]{3,3,-3,-3} | fmod=i:1 | 1
Div 14 | i64[4]{7,-7,7,-7} i64[4]{2,2,-2,-2} | | 1
Equal 19 | f32[2,3] f32[3] | | 1
Less 13 | i64[3]{1,2,3} i64[1]{2} | | 1
And 7 | bool[2,1] bool[3] | | 1
Not 1 | bool[2] | | 1
Where 16 | bool[2,1] f32[3] f32[4,1,1] | | 1
Where 16 | bool[3]{1,0,1} i64[3]{1,2,3} i64[1]{9} | | 1
Cast 13 | f32[2] | to=i:7 | 1
Cast 13 | f32[3]{1.5,-2.7,3} | to=i:7 | 1
CastLike 15 | f32[2] i32[5] | | 1
Erf 13 | f32[2,3] | | 1
Gelu 20 | f32[2,3] | | 1
PRelu 16 | f32[2,3,4] f32[3,1] | | 1
IsNaN 13 | f32[2,3] | | 1
HardSwish 14 | f32[2,3] | | 1
Clip 13 | i64[3]{1,5,9} i64[]{2} i64[]{7} | | 1
Softmax 13 | f32[2,3] | axis=i:1 | 1
Dropout 13 | f32[2,3] | | 2
BatchNormalization 15 | f32[2,3,4] f32[3] f32[3] f32[3] f32[3] | | 1
LayerNormalization 17 | f32[2,3,4] f32[4] f32[4] | axis=i:-1 | 3
RMSNormalization 23 | f32[2,3,4] f32[4] | | 1
GroupNormalization 21 | f32[2,4,3] f32[4] f32[4] | num_groups=i:2 | 1
InstanceNormalization 6 | f32[2,3,4] f32[3] f32[3] | | 1
LRN 13 | f32[2,3,4,4] | size=i:3 | 1
ReduceMean 18 | f32[2,3,4] i64[2]{1,-1} | | 1
ReduceMean 13 | f32[2,3,4] | axes=I:1 keepdims=i:0 | 1
ReduceSum 13 | f32[2,3,4] | keepdims=i:0 | 1
ReduceSum 13 | f32[2,3,4] | noop_with_empty_axes=i:1 | 1
ReduceProd 18 | i64[3]{2,3,4} | | 1
ReduceMax 18 | f32[N,3] i64[1]{0} | keepdims=i:0 | 1
ArgMax 13 | f32[2,3,4] | axis=i:-1 | 1
ArgMin 13 | f32[2,3,4] | axis=i:0 keepdims=i:0 | 1
TopK 11 | f32[2,9] i64[1]{4} | | 2
TopK 11 | f32[9,2] i64[1]{4} | axis=i:0 | 2
CumSum 14 | i64[4]{1,2,3,4} i64[]{0} | | 1
Reshape 14 | f32[2,3,4] i64[2]{0,-1} | | 1
Reshape 14 | f32[2,3,4] i64[3]{4,-1,2} | | 1
Reshape 14 | f32[0,3] i64[2]{3,0} | allowzero=i:1 | 1
Reshape 14 | f32[N,8,7,7,96] i64[3]{-1,49,96} | | 1
Flatten 13 | f32[2,3,4,5] | axis=i:2 | 1
Flatten 13 | f32[2,3,4,5] | axis=i:-1 | 1
Flatten 13 | f32[2,3] | axis=i:0 | 1
Squeeze 13 | f32[1,3,1,5] | | 1
Squeeze 13 | f32[1,3,1,5] i64[1]{-2} | | 1
Squeeze 11 | f32[1,3,1,5] | axes=I:0,2 | 1
Unsqueeze 13 | f32[3,4] i64[2]{0,-1} | | 1
Unsqueeze 11 | f32[3,4] | axes=I:1 | 1
Transpose 13 | f32[2,3,4] | | 1
Transpose 13 | f32[2,3,4] | perm=I:1,2,0 | 1
Transpose 13 | i64[2,3]{1,2,3,4,5,6} | | 1
DepthToSpace 13 | f32[1,8,2,3] | blocksize=i:2 | 1
SpaceToDepth 13 | f32[1,2,4,6] | blocksize=i:2 | 1
Concat 13 | f32[2,3] f32[2,5] | axis=i:1 | 1
Concat 13 | f32[N,3] f32[N,5] | axis=i:-1 | 1
Concat 13 | i64[2,1]{1,2} i64[2,2]{3,4,5,6} | axis=i:1 | 1
Split 13 | f32[7,2] i64[2]{3,4} | | 2
Split 18 | f32[7,2] | num_outputs=i:3 | 3
Split 11 | f32[2,6] | axis=i:1 split=I:1,5 | 2
Split 13 | f32[2,6] | axis=i:-1 | 3
Split 13 | i64[4]{1,2,3,4} i64[2]{1,3} | | 2
Slice 13 | f32[10,9] i64[2]{1,-3} i64[2]{8,99} i64[2]{0,1} i64[2]{2,1} | | 1
Slice 13 | f32[10,9] i64[1]{-1} i64[1]{-9223372036854775807} i64[1]{0} i64[1]{-3} | | 1
Slice 13 | f32[10,9] i64[1]{7} i64[1]{3} | | 1
Slice 13 | f32[5,0] i64[1]{-1} i64[1]{-99} i64[1]{1} i64[1]{-1} | | 1
Slice 9 | f32[10,9] | starts=I:1 ends=I:-1 axes=I:1 | 1
Slice 13 | i64[6]{1,2,3,4,5,6} i64[1]{4} i64[1]{0} i64[1]{0} i64[1]{-2} | | 1
Gather 13 | f32[5,6,7] i64[2,3] | axis=i:1 | 1
Gather 13 | i64[4]{10,20,30,40} i64[2]{-1,1} | | 1
Gather 13 | i64[4]{10,20,30,40} i64[]{2} | | 1
GatherElements 13 | f32[5,6] i64[2,6] | | 1
GatherND 13 | f32[2,3,4] i64[2,2,1] | batch_dims=i:1 | 1
GatherND 13 | f32[2,3,4] i64[5,2] | | 1
ScatterND 18 | f32[8,2] i64[3,1] f32[3,2] | | 1
ScatterElements 18 | f32[3,3] i64[2,3] f32[2,3] | | 1
Expand 13 | f32[3,1] i64[3]{2,1,6} | | 1
Expand 13 | i64[3,1]{1,2,3} i64[2]{3,2} | | 1
Tile 13 | f32[2,3] i64[2]{2,1} | | 1
Tile 13 | i64[2,2]{1,2,3,4} i64[2]{1,2} | | 1
Pad 13 | f32[2,3] i64[4]{0,1,2,-1} | | 1
Pad 18 | f32[2,3,4] i64[2]{1,2} - i64[1]{-2} | | 1
Pad 2 | f32[2,3] | pads=I:0,1,0,1 | 1
Resize 13 | f32[1,1,4,5] - f32[4]{1,1,2.5,2} | mode=s:nearest | 1
Resize 13 | f32[1,1,4,5] - - i64[4]{1,1,7,3} | mode=s:linear | 1
Resize 18 | f32[1,1,4,6] - - i64[2]{8,9} | axes=I:2,3 keep_aspect_ratio_policy=s:not_larger | 1
Resize 18 | f32[1,1,4,6] - - i64[2]{8,9} | axes=I:2,3 keep_aspect_ratio_policy=s:not_smaller | 1
Resize 10 | f32[1,1,4,5] f32[4]{1,1,2,2} | mode=s:nearest | 1
Upsample 9 | f32[1,1,4,5] f32[4]{1,1,2,2} | mode=s:nearest | 1
GridSample 16 | f32[1,2,4,4] f32[1,6,5,2] | | 1
Shape 15 | f32[2,3,4] | | 1
Shape 15 | f32[2,3,4] | start=i:-2 end=i:9 | 1
Size 13 | f32[2,3,4] | | 1
Range 11 | i64[]{3} i64[]{10} i64[]{3} | | 1
Range 11 | i64[]{5} i64[]{-2} i64[]{-2} | | 1
Range 11 | i64[]{5} i64[]{2} i64[]{1} | | 1
Range 11 | f32[]{0} f32[]{1} f32[]{0.25} | | 1
ConstantOfShape 9 | i64[2]{2,3} | | 1
OneHot 11 | i64[2,3] i64[]{5} f32[2] | axis=i:1 | 1
NonZero 13 | i64[2,2]{1,0,0,1} | | 1
Trilu 14 | f32[3,3] | | 1
EyeLike 9 | f32[3,4] | dtype=i:7 | 1
LSTM 14 | f32[5,2,3] f32[1,16,3] f32[1,16,4] | hidden_size=i:4 | 3
LSTM 14 | f32[5,2,3] f32[2,16,3] f32[2,16,4] | hidden_size=i:4 direction=s:bidirectional | 3
GRU 14 | f32[5,2,3] f32[1,12,3] f32[1,12,4] | hidden_size=i:4 | 2
RNN 14 | f32[5,2,3] f32[1,4,3] f32[1,4,4] | hidden_size=i:4 | 2
QuantizeLinear 13 | f32[2,3] f32[] i8[] | | 1
DequantizeLinear 13 | i8[2,3] f32[] | | 1
DynamicQuantizeLinear 11 | f32[2,3] | | 3
Attention 23 | f32[2,4,5,8] f32[2,2,6,8] f32[2,2,6,10] | | 1
Attention 23 | f32[2,5,32] f32[2,6,16] f32[2,6,20] | q_num_heads=i:4 kv_num_heads=i:2 | 1
Attention 24 | f32[2,4,5,8] f32[2,4,6,8] f32[2,4,6,8] - f32[2,4,3,8] f32[2,4,3,8] | | 3
NonMaxSuppression 11 | f32[1,4,4] f32[1,1,4] | | 1
"""


def tensor(text):
    """(type, sizes, contents or None), or None for "-"."""
    if text == "-":
        return None
    kind, sizes, _, values = re.fullmatch(r"(\w+)\[(.*?)\](\{(.*)\})?", text).groups()
    sizes = [int(s) if s.isdigit() else s for s in sizes.split(",")] if sizes else []
    return kind, sizes, [float(v) if "." in v else int(v) for v in values.split(",")] if values is not None else None


def attribute(text):
    name, value = text.split("=", 1)
    kind, value = value.split(":", 1)
    read = {"i": int, "f": float, "s": str, "I": lambda v: [int(x) for x in v.split(",")],
            "F": lambda v: [float(x) for x in v.split(",")]}
    return name, read[kind](value)


def build(op, opset, inputs, attributes, count):
    names = [f"x{i}" if t else "" for i, t in enumerate(inputs)]
    outputs = [f"y{i}" for i in range(count)]
    node = helper.make_node(op, names, outputs, **dict(attributes))
    given, constants = [], []
    for name, item in zip(names, inputs):
        if not item:
            continue
        kind, sizes, values = item
        if values is None:
            given.append(helper.make_tensor_value_info(name, TYPES[kind], sizes))
        else:
            constants.append(helper.make_tensor(name, TYPES[kind], sizes, values))
    graph = helper.make_graph([node], "case", given, [onnx.ValueInfoProto(name=name) for name in outputs], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def typed(model):
    return shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)


def shown(array):
    kind = NAMES[helper.np_dtype_to_tensor_dtype(array.dtype)]
    return f"{kind}[{','.join(map(str, array.shape))}]", array


def expected(model):
    """(source, list of texts): what the outputs of the only node are."""
    feeds = {}
    for value in model.graph.input:
        sizes = [d.dim_value if d.HasField("dim_value") else d.dim_param for d in value.type.tensor_type.shape.dim]
        if any(isinstance(s, str) for s in sizes):
            feeds = None
            break
        feeds[value.name] = np.zeros(sizes, helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))
    folded = not model.graph.input
    if feeds is not None:
        full = typed(model)
        for name, run in (("onnxruntime", lambda: onnxruntime.InferenceSession(full.SerializeToString()).run(None, feeds)),
                          ("reference", lambda: reference.ReferenceEvaluator(model).run(None, feeds))):
            try:
                arrays = run()
            except Exception:
                continue
            texts = []
            for array in arrays:
                text, array = shown(np.asarray(array))
                if (folded or model.graph.node[0].op_type in ("Shape", "Size")) and array.dtype.kind in "ib":
                    text += "{" + ",".join(str(int(v)) for v in array.flatten()) + "}"
                texts.append(text)
            return name, texts
    texts = []
    for value in typed(model).graph.output:
        kind = value.type.tensor_type
        sizes = [str(d.dim_value) if d.HasField("dim_value") else d.dim_param or "?" for d in kind.shape.dim]
        texts.append(f"{NAMES[kind.elem_type]}[{','.join(sizes)}]")
    return "inference", texts


def lines():
    for line in CASES.strip().splitlines():
        head, inputs, attributes, count = (part.strip() for part in line.split("|"))
        op, opset = head.split()
        model = build(op, int(opset), [tensor(t) for t in inputs.split()], [attribute(a) for a in attributes.split()], int(count))
        source, texts = expected(model)
        yield f"{op} {opset} {source} | {inputs} | {attributes} | {' '.join(texts)}"


def main() -> int:
    text = "\n".join(lines()) + "\n"
    if "--write" in sys.argv:
        FILE.write_text(text)
        return 0
    same = FILE.read_text() == text
    print("operators.txt is up to date" if same else "operators.txt differs")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
