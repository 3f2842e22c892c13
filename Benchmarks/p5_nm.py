"""N:M selection on one 4096 × 4096 matrix: 2:4 and 4:8, float32 and bfloat16.

Peers: one torch.topk for each group of columns (as in the published LLM scripts), one torch.topk over all groups,
numpy argpartition. All go from weights to a mask, in this process, on one thread; so does `pare select`, through the
magnitude plugin. `pare select from scores` starts from scores. The mask is compared with a stable sort in numpy: exactly n kept, ties to the lower
index.
"""

import sys

import bench
import libpare

try:
    import numpy as np
    import torch
except ImportError as missing:
    sys.exit(f"p5: {missing}; see Benchmarks/README.md")


def peers(weight, n, m):
    """{name: function that returns the mask of what stays}. n of m are kept."""
    removed = m - n

    def columns():
        magnitude, mask = weight.abs(), torch.ones(weight.shape, dtype=torch.bool)
        for first in range(0, weight.shape[1], m):
            group = magnitude[:, first : first + m].float()
            mask.scatter_(1, first + torch.topk(group, removed, dim=1, largest=False).indices, False)
        return mask

    def topk():
        groups = weight.abs().view(-1, m)
        mask = torch.ones(groups.shape, dtype=torch.bool)
        return mask.scatter_(1, torch.topk(groups, removed, dim=1, largest=False).indices, False).view(weight.shape)

    def argpartition():
        groups = np.abs(weight.float().numpy()).reshape(-1, m)
        mask = np.ones(groups.shape, bool)
        np.put_along_axis(mask, np.argpartition(groups, removed - 1, axis=1)[:, :removed], False, axis=1)
        return mask.reshape(weight.shape)

    return {"torch column loop": columns, "torch topk": topk, "numpy argpartition": argpartition}


def reference(weight, n, m):
    """Best n of each m by a stable sort: among equals the lower index stays."""
    groups = np.abs(weight.float().numpy()).reshape(-1, m)
    mask = np.zeros(groups.shape, bool)
    np.put_along_axis(mask, np.argsort(-groups, axis=1, kind="stable")[:, :n], True, axis=1)
    return mask.reshape(weight.shape)


class Ours:
    """Two ways through libpare over one weight."""

    def __init__(self, library, context, weight, n, m):
        self.library, self.context, self.shape = library, context, tuple(weight.shape)
        self.pattern, self.sparsity = libpare.pattern(libpare.NM, n, m), 1 - n / m
        kind = (libpare.FLOAT, 32) if weight.dtype == torch.float32 else (libpare.BFLOAT, 16)
        self.buffers = [weight, weight.abs()]
        self.weight = libpare.tensor(weight.data_ptr(), self.shape, *kind)
        self.magnitude = libpare.tensor(self.buffers[1].data_ptr(), (weight.numel(),), *kind)

    def select(self, scores):
        return self.library.select(scores, self.shape, self.pattern, self.sparsity)

    def choose(self):
        return self.library.choose(self.context, "magnitude", self.weight, self.pattern, self.sparsity)

    def from_weights(self):
        self.library.destroy_mask(self.choose())

    def select_only(self):
        self.library.destroy_mask(self.select(self.magnitude))

    def mask(self):
        handle = self.choose()
        out = np.empty(self.shape, np.uint8)
        self.library.read_mask(handle, libpare.tensor(out.ctypes.data, self.shape, libpare.BOOL, 8))
        self.library.destroy_mask(handle)
        return out.astype(bool)


def measure(options, library, context, dtype, n, m):
    side = 512 if options.quick else 4096
    weight = (torch.randn(side, side) * 0.02).to(dtype)
    functions, right = peers(weight, n, m), None
    if library:
        ours = Ours(library, context, weight, n, m)
        functions = {"pare select": ours.from_weights, "pare select from scores": ours.select_only, **functions}
        right = bool((ours.mask() == reference(weight, n, m)).all())
    times = bench.interleave(functions, options.runs)
    name = f"{n}:{m} of {side} × {side}, {str(dtype).removeprefix('torch.')}"
    best = bench.ratio(times.get("pare select"), [t for k, t in times.items() if not k.startswith("pare")])
    rows = [[key, bench.number(1e3 * t), f"{side * side / t / 1e6:.0f}"] for key, t in times.items()]
    mask = {None: "", True: "; mask equal to the reference", False: "; MASK DIFFERS from the reference"}[right]
    bench.table(f"Selecting {name}", ["contestant", "CPU ms", "million elements a CPU s"], rows,
                [f"Best peer's CPU time over pare's (select, from weights): {best}{mask}"])
    bench.keep("p5", pattern=f"{n}:{m}", dtype=str(dtype), side=side, seconds=times, ratio=best, right=right)
    return right is not False


def main():
    options = bench.arguments(__doc__)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    path = bench.pare_library()
    library = libpare.Library(path) if path else None
    context = library.context() if library else None
    cases = [(dtype, n, m) for dtype in (torch.float32, torch.bfloat16) for n, m in ((2, 4), (4, 8))]
    if not all([measure(options, library, context, *case) for case in cases]):
        sys.exit("pare's mask differs from the reference")


if __name__ == "__main__":
    main()
