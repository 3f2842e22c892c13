"""Accuracy of a digits model on the 360 test images:  python evaluate.py MODEL.onnx"""

import pathlib
import sys

import numpy as np
import onnxruntime


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: evaluate.py MODEL.onnx")
    with np.load(pathlib.Path(__file__).resolve().parent / "digits_test.npz") as test:
        images, labels = test["images"], test["labels"]
    session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
    batch = images[:, None].astype(np.float32) / 16  # grey levels 0 … 16 to [0, 1]
    (logits,) = session.run(None, {session.get_inputs()[0].name: batch})
    right = int((logits.argmax(axis=1) == labels).sum())
    print(f"accuracy {100 * right / len(labels):.2f} % ({right} of {len(labels)})")


if __name__ == "__main__":
    main()
