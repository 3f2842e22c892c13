"""Train the digits network that this folder carries, and export it.

    python3 -m venv build/train-venv && build/train-venv/bin/pip install torch scikit-learn onnx safetensors
    build/train-venv/bin/python examples/digits/train.py

Writes digits.onnx, digits.safetensors and digits_test.npz beside itself. The quick start does not run this file: it
uses the three files as they are in the repository. They were made with torch 2.13.0 (CPU, one thread), scikit-learn
1.9.1, onnx 1.23.2, safetensors 0.8.0, numpy 2.4.6 and Python 3.11. Other versions give other weights and the same
story.

Measured how: 1437 images train and 360 test, split once, stratified by digit; the accuracy printed is that of the
weights after the last epoch. L1 was picked among 2e-5, 5e-5 and 1e-4 by what is left of the test accuracy after
pruning, so the figures of the quick start show what each way of pruning does to this network. They are no estimate of
generalisation.
"""

import pathlib
import warnings

import numpy as np
import onnx
import torch
from safetensors.torch import save_file
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional

FOLDER = pathlib.Path(__file__).resolve().parent
SEED = 7
EPOCHS = 80
BATCH = 64
L1 = 1e-4  # on every convolution and the linear layer: a network that needs few of its weights


def convolution(inputs, outputs, kernel=3, groups=1):
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=False)


class Unit(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, inputs, outputs, kernel=3, groups=1):
        super().__init__()
        self.conv = convolution(inputs, outputs, kernel, groups)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x):
        return functional.relu(self.norm(self.conv(x)))


class Block(nn.Module):
    """Residual block: two convolutions and a shortcut, so its output channels belong to one group with its input's."""

    def __init__(self, width):
        super().__init__()
        self.conv1, self.norm1 = convolution(width, width), nn.BatchNorm2d(width)
        self.conv2, self.norm2 = convolution(width, width), nn.BatchNorm2d(width)

    def forward(self, x):
        y = functional.relu(self.norm1(self.conv1(x)))
        return functional.relu(x + self.norm2(self.conv2(y)))


class Digits(nn.Module):
    """[batch, 1, 8, 8] in [0, 1] to [batch, 10] logits."""

    def __init__(self):
        super().__init__()
        self.stem = Unit(1, 32)
        self.block1 = Block(32)
        self.widen = Unit(32, 64)
        self.pool = nn.MaxPool2d(2)
        self.block2 = Block(64)
        self.depthwise = Unit(64, 64, groups=64)
        self.pointwise = Unit(64, 96, kernel=1)
        self.average = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(96, 10)

    def forward(self, x):
        x = self.pool(self.widen(self.block1(self.stem(x))))
        x = self.pointwise(self.depthwise(self.block2(x)))
        return self.classifier(torch.flatten(self.average(x), 1))


def data():
    """uint8 images [n, 8, 8] with values 0 … 16, and labels."""
    digits = load_digits()
    images, labels = digits.images.astype(np.uint8), digits.target.astype(np.uint8)
    return train_test_split(images, labels, test_size=360, random_state=SEED, stratify=labels)


def tensor(images):
    return torch.from_numpy(images).float().div(16).unsqueeze(1)


def shifted(batch):
    """Each image moved by up to one pixel in each direction."""
    padded = functional.pad(batch, (1, 1, 1, 1))
    rows, columns = torch.randint(0, 3, (2, len(batch))).tolist()
    return torch.stack([p[:, r : r + 8, c : c + 8] for p, r, c in zip(padded, rows, columns)])


def train(network, images, labels):
    weights = [p for p in network.parameters() if p.ndim > 1]
    optimizer = torch.optim.AdamW(network.parameters(), lr=4e-3, weight_decay=1e-3)
    steps = EPOCHS * -(-len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=4e-3, total_steps=steps)
    network.train()
    for epoch in range(EPOCHS):
        for batch in torch.randperm(len(images)).split(BATCH):
            loss = functional.cross_entropy(network(shifted(images[batch])), labels[batch], label_smoothing=0.05)
            loss = loss + L1 * sum(w.abs().sum() for w in weights)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        if epoch % 10 == 9:
            print(f"epoch {epoch + 1:3d}  loss {loss.item():.3f}", flush=True)
    network.eval()


def export(network, path):
    """ONNX with the parameters under the names they have here, batch normalisation not folded into the convolutions."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter that keeps the names is announced as the older one
        torch.onnx.export(
            network, torch.zeros(1, 1, 8, 8), str(path), dynamo=False, opset_version=18,
            training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False,
            input_names=["image"], output_names=["logits"],
            dynamic_axes={"image": {0: "batch"}, "logits": {0: "batch"}})
    model = onnx.load(path)
    for node in model.graph.node:
        node.ClearField("doc_string")
        node.ClearField("metadata_props")
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def main():
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    train_images, test_images, train_labels, test_labels = data()
    network = Digits()
    print(f"{sum(p.numel() for p in network.parameters())} parameters")
    train(network, tensor(train_images), torch.from_numpy(train_labels).long())
    with torch.no_grad():
        right = int((network(tensor(test_images)).argmax(1).numpy() == test_labels).sum())
    print(f"accuracy {100 * right / len(test_labels):.2f} % ({right} of {len(test_labels)})")

    export(network, FOLDER / "digits.onnx")
    state = {name: value for name, value in network.state_dict().items() if not name.endswith("num_batches_tracked")}
    save_file(state, FOLDER / "digits.safetensors")
    np.savez_compressed(FOLDER / "digits_test.npz", images=test_images, labels=test_labels)


if __name__ == "__main__":
    main()
