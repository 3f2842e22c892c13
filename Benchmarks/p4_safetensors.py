"""Magnitude pruning of a large safetensors checkpoint, half of the weights.

Peers are the ways it is done today: torch with a threshold per tensor (whole file, or tensor by tensor), torch with
one threshold for all, numpy. A peer's CPU time is that of load, prune and save without its imports; ours is the whole
process. Every output is checked afterwards: zeros counted, kept values compared bit by bit, no kept value smaller
than a removed one.
"""

import json
import math
import os
import sys
import time

import bench

SPARSITY = 0.5
LAYER = {"q": (2048, 2048), "k": (256, 2048), "v": (256, 2048), "o": (2048, 2048),
         "gate": (5632, 2048), "up": (5632, 2048), "down": (2048, 5632)}
BYTES = {"bf16": 2, "f32": 4}
PEERS = {  # name: (scope, dtypes)
    "torch load_file + kthvalue": ("uniform", ("bf16", "f32")),
    "torch tensor by tensor": ("uniform", ("bf16", "f32")),
    "numpy partition": ("uniform", ("f32",)),
    "torch one threshold": ("global", ("bf16", "f32")),
}


# Children: each runs in a process of its own.

def generate(path, gigabytes, dtype):
    """Random weights with the shapes of a 1-billion-parameter decoder, written tensor by tensor."""
    import numpy as np

    layer_bytes = sum(math.prod(shape) for shape in LAYER.values()) * BYTES[dtype]
    layers = math.ceil(float(gigabytes) * 1e9 / layer_bytes)
    header, offset = {}, 0
    for layer in range(layers):
        for name, shape in LAYER.items():
            size = math.prod(shape) * BYTES[dtype]
            header[f"model.layers.{layer}.{name}_proj.weight"] = {
                "dtype": dtype.upper(), "shape": list(shape), "data_offsets": [offset, offset + size]}
            offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    generator = np.random.default_rng(0)
    with open(path + ".part", "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for entry in header.values():
            values = generator.standard_normal(entry["shape"], dtype=np.float32) * np.float32(0.02)
            if dtype == "bf16":
                bits = values.view(np.uint32)
                values = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)  # nearest, ties to even
            file.write(values.tobytes())
    os.replace(path + ".part", path)


def peer(name, source, target):
    """Load, prune and save with another tool; reports the CPU time of that alone."""
    if name == "numpy partition":
        import numpy as np
        from safetensors.numpy import load_file, save_file
    else:
        import torch
        from safetensors import safe_open
        from safetensors.torch import load_file, save_file

        torch.set_num_threads(1)
    begin = time.process_time()

    def prune_torch(weight):
        magnitude = weight.abs()
        threshold = magnitude.flatten().kthvalue(int(weight.numel() * SPARSITY)).values
        weight[magnitude <= threshold] = 0

    if name == "torch tensor by tensor":
        state = {}
        with safe_open(source, "pt") as file:
            for key in file.keys():
                state[key] = file.get_tensor(key)
                prune_torch(state[key])
    else:
        state = load_file(source)
        if name == "torch load_file + kthvalue":
            for weight in state.values():
                prune_torch(weight)
        elif name == "torch one threshold":
            everything = torch.cat([weight.abs().flatten() for weight in state.values()])
            threshold = everything.kthvalue(int(everything.numel() * SPARSITY)).values
            del everything
            for weight in state.values():
                weight[weight.abs() <= threshold] = 0
        elif name == "numpy partition":
            for weight in state.values():
                magnitude = np.abs(weight)
                last = int(weight.size * SPARSITY) - 1
                weight[magnitude <= np.partition(magnitude, last, axis=None)[last]] = 0
    save_file(state, target)
    print(json.dumps({"work": time.process_time() - begin}))


def check(source, target, scope):
    """Compare an output with its input, tensor by tensor."""
    import numpy as np

    def tensors(path):
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length))
        header.pop("__metadata__", None)
        for name in sorted(header):
            begin, end = header[name]["data_offsets"]
            kind = {"BF16": np.uint16, "F32": np.uint32}[header[name]["dtype"]]
            bits = np.memmap(path, np.uint8, "r", 8 + length + begin, end - begin).view(kind)
            yield (name, header[name]["dtype"], header[name]["shape"]), bits

    zeros = elements = 0
    unchanged = exact = ordered = True
    largest_removed, smallest_kept = 0, 1 << 32
    for (key, before), (other, after) in zip(tensors(source), tensors(target), strict=True):
        if key != other:
            sys.exit(f"{target}: {other} where {key} was expected")
        magnitude = before & before.dtype.type(0x7FFF if before.dtype == np.uint16 else 0x7FFFFFFF)
        removed = (after << 1) == 0  # both zeros
        count = int(removed.sum())
        unchanged &= bool((before[~removed] == after[~removed]).all())
        if scope == "uniform":
            exact &= count == round(SPARSITY * before.size)
            largest_removed, smallest_kept = 0, 1 << 32
        if count:  # bits of a magnitude order like the magnitude
            largest_removed = max(largest_removed, int(magnitude[removed].max()))
        if count < before.size:
            smallest_kept = min(smallest_kept, int(magnitude[~removed].min()))
        ordered &= scope == "global" or largest_removed <= smallest_kept
        zeros, elements = zeros + count, elements + before.size
    if scope == "global":
        exact, ordered = zeros == round(SPARSITY * elements), largest_removed <= smallest_kept
    print(json.dumps(dict(zeros=zeros, elements=elements, exact=exact, unchanged=unchanged, ordered=ordered)))


# The benchmark.

def measure(options, dtype, scope, pare):
    gigabytes = 0.08 if options.quick else 1
    source = bench.DATA / f"p4-{dtype}-{gigabytes}.safetensors"
    target = bench.DATA / "p4-output.safetensors"
    if not source.exists():
        bench.run(bench.itself(__file__, "generate", source, gigabytes, dtype))

    contestants = {}
    if pare:
        contestants["pare"] = [pare, "prune", source, "-o", target, "--criterion", "magnitude",
                               "--sparsity", SPARSITY, "--allocation", scope]
    for name, (peer_scope, dtypes) in PEERS.items():
        if peer_scope == scope and dtype in dtypes:
            contestants[name] = bench.itself(__file__, "peer", name, source, target)
    samples, verdicts = {}, {}

    # The first round apart: each output is checked before the next contestant overwrites it.
    for name, command in contestants.items():
        target.unlink(missing_ok=True)
        try:
            samples[name] = [bench.run(command)[0]]
            verdicts[name] = json.loads(bench.run(bench.itself(__file__, "check", source, target, scope))[1])
        except bench.Failed as failure:
            print(f"failed: {name}: {failure}", file=sys.stderr)
            samples.pop(name, None)
    working = {name: contestants[name] for name in samples}
    more = bench.contest(working, options.runs - 1, before=lambda _: target.unlink(missing_ok=True))
    for name in more:
        samples[name] += more[name]
    target.unlink(missing_ok=True)

    size = source.stat().st_size / 1e9
    cost = {name: bench.median(runs, "work") or bench.median(runs, "cpu") for name, runs in samples.items()}
    rows = []
    for name, runs in samples.items():
        verdict = verdicts[name]
        rows.append([name, bench.number(cost[name]), bench.number(bench.median(runs, "wall")),
                     f"{size / cost[name]:.3f}", f"{bench.median(runs, 'rss'):.0f}",
                     f"{verdict['zeros'] / verdict['elements']:.6f}",
                     *("yes" if verdict[key] else "NO" for key in ("exact", "unchanged", "ordered"))])
    best = bench.ratio(cost.get("pare"), [cost[name] for name in cost if name != "pare"])
    bench.table(f"Magnitude 50 % of a {size:.2f} GB checkpoint, {dtype}, {scope}",
                ["contestant", "CPU s", "wall s", "GB per CPU s", "peak RSS MB", "sparsity", "exactly k",
                 "kept as they were", "smallest removed"], rows, [f"Best peer's CPU time over pare's: {best}"])
    bench.keep("p4", dtype=dtype, scope=scope, gigabytes=size, samples=samples, verdicts=verdicts, ratio=best)
    ours = verdicts.get("pare")
    return ours is None or all(ours[key] for key in ("exact", "unchanged", "ordered"))


def main():
    options = bench.arguments(__doc__)
    pare = bench.pare_command()
    right = [measure(options, dtype, scope, pare) for dtype in BYTES for scope in ("uniform", "global")]
    if not all(right):
        sys.exit("pare's output is wrong, see NO above")


if __name__ == "__main__":
    if bench.is_child():
        {"generate": generate, "peer": peer, "check": check}[sys.argv[1]](*sys.argv[2:])
    else:
        main()
