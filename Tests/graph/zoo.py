"""Export torchvision's classifiers with random weights, both exporters, fixed and dynamic batch.

    python zoo.py FOLDER [model ...]

Writes FOLDER/<model>.<exporter>.<batch>.onnx with exporter = dynamo | script and batch = fixed | dynamic.
Needs torch, torchvision, onnx and onnxscript. Files that are there already are kept.
"""

import pathlib
import sys
import time
import warnings

import torch

# A CPU build of torchvision may lack its compiled operators; the classifiers do not need them, the import does.
_library = torch.library.Library("torchvision", "DEF")
for _operator in ("nms", "qnms"):
    try:
        _library.define(f"{_operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    except RuntimeError:
        pass
import torchvision  # noqa: E402

warnings.filterwarnings("ignore")

MODELS = [
    "resnet18", "resnet50", "resnext50_32x4d", "vgg11_bn", "densenet121", "googlenet", "inception_v3", "mobilenet_v2",
    "mobilenet_v3_small", "efficientnet_b0", "regnet_y_400mf", "shufflenet_v2_x1_0", "mnasnet0_5", "squeezenet1_0",
    "convnext_tiny", "vit_b_16", "swin_t", "swin_v2_t", "maxvit_t", "alexnet",
]
SIDE = {"inception_v3": 299}


def export(name: str, exporter: str, batch: str, path: pathlib.Path) -> None:
    torch.manual_seed(0)
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    model = torchvision.models.get_model(name, weights=None, **options).eval()
    side = SIDE.get(name, 224)
    example = torch.randn(2, 3, side, side)
    if exporter == "dynamo":
        shapes = ({0: torch.export.Dim("batch")},) if batch == "dynamic" else None
        torch.onnx.export(model, (example,), path, dynamo=True, external_data=False, dynamic_shapes=shapes, verbose=False)
    else:
        axes = {"input": {0: "batch"}, "output": {0: "batch"}} if batch == "dynamic" else None
        torch.onnx.export(
            model, (example,), path, dynamo=False, opset_version=17, input_names=["input"], output_names=["output"],
            dynamic_axes=axes)


def main() -> int:
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    failed = 0
    for name in sys.argv[2:] or MODELS:
        for exporter in ("script", "dynamo"):
            for batch in ("fixed", "dynamic"):
                path = folder / f"{name}.{exporter}.{batch}.onnx"
                if path.exists():
                    continue
                started = time.time()
                try:
                    export(name, exporter, batch, path)
                    print(f"{path.name}: {time.time() - started:.1f} s", flush=True)
                except Exception as error:  # an exporter's limits are its own; say so and go on
                    failed += 1
                    print(f"{path.name}: not exported: {type(error).__name__}: {str(error)[:160]!r}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
