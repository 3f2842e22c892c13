"""What Pare should decide, written again in numpy: quotas, scores and masks. Slow and plain on purpose.

Layers are a dict of name → weight, rows first, in the order of the model. Masks are bool, True = kept.
"""

import numpy as np


def apportion(quotas):
    """Whole numbers that add up to round(sum of quotas); the largest remainders are rounded up, first ones on ties."""
    total = int(np.floor(sum(quotas) + 0.5))
    counts = [int(np.floor(quota)) for quota in quotas]
    by_remainder = sorted(range(len(quotas)), key=lambda i: (-(quotas[i] - counts[i]), i))
    for index in by_remainder[: total - sum(counts)]:
        counts[index] += 1
    return counts


def uniform(shapes, sparsity):
    return [sparsity] * len(shapes)


def uniform_plus(shapes, sparsity, last_maximum=0.8):
    """Gale et al. 2019: the first convolution stays dense, the last layer loses at most 80 %."""
    sizes = [int(np.prod(shape)) for shape in shapes]
    total = sparsity * sum(sizes)
    quotas = [0.0] * len(shapes)
    first = 0 if len(shapes[0]) > 2 else None
    free = sum(size for i, size in enumerate(sizes) if i != first)
    quotas[-1] = min(total / free, last_maximum)
    middle = [i for i in range(len(shapes) - 1) if i != first]
    rest = (total - quotas[-1] * sizes[-1]) / sum(sizes[i] for i in middle)
    for i in middle:
        quotas[i] = rest
    return quotas


def erk(shapes, sparsity):
    """Evci et al. 2020, with layers that would be more than dense made dense and the others scaled again."""
    sizes = np.array([np.prod(shape) for shape in shapes], float)
    sums = np.array([sum(shape) for shape in shapes], float)
    dense = np.zeros(len(shapes), bool)
    while True:
        scale = ((1 - sparsity) * sizes.sum() - sizes[dense].sum()) / sums[~dense].sum()
        density = np.where(dense, 1.0, scale * sums / sizes)
        if (density <= 1).all():
            return list(1 - density)
        dense |= density > 1


def remove(scores, count):
    """Mask of one ranking without its `count` smallest scores; of equal scores the lower index is kept."""
    flat = np.asarray(scores).ravel()
    order = np.lexsort((-np.arange(flat.size), flat))
    mask = np.ones(flat.size, bool)
    mask[order[:count]] = False
    return mask.reshape(np.shape(scores))


def separately(scores, quotas):
    """Every layer ranked by itself. Returns masks of the scores' shapes."""
    counts = apportion([quota * score.size for quota, score in zip(quotas, scores.values())])
    return {name: remove(score, count) for (name, score), count in zip(scores.items(), counts)}


def together(scores, sparsity):
    """All layers in one ranking."""
    flat = np.concatenate([score.ravel() for score in scores.values()])
    mask = remove(flat, apportion([sparsity * flat.size])[0])
    ends = np.cumsum([score.size for score in scores.values()])[:-1]
    return {name: part.reshape(score.shape) for (name, score), part in zip(scores.items(), np.split(mask, ends))}


def keep_n_of_m(weight, n, m):
    """The n largest |w| of every m consecutive elements along axis 1; of equal ones the first are kept."""
    groups = np.moveaxis(np.abs(weight), 1, -1)
    shape = groups.shape
    groups = groups.reshape(-1, m)
    order = np.argsort(-groups, axis=1, kind="stable")
    mask = np.zeros(groups.shape, bool)
    np.put_along_axis(mask, order[:, :n], True, axis=1)
    return np.moveaxis(mask.reshape(shape), -1, 1)


def rows(weight):
    """Weight as the matrix that patterns speak of: output features × (input features · kernel positions)."""
    return weight.reshape(len(weight), -1)


def norms(weight, axis):
    return np.sqrt((weight.astype(np.float64) ** 2).sum(axis)).astype(np.float32)


def lamp(weight):
    """Lee et al. 2021, eq. 4: w² over the sum of all squares at least as large; the largest scores 1."""
    squares = weight.astype(np.float64).ravel() ** 2
    order = np.lexsort((-np.arange(squares.size), squares))[::-1]
    scores = np.empty(squares.size)
    scores[order] = squares[order] / np.cumsum(squares[order])
    return scores.reshape(weight.shape)


def fpgm(weight):
    """He et al. 2019: sum of a filter's distances to all filters."""
    matrix = rows(weight).astype(np.float64)
    return np.sqrt(((matrix[:, None] - matrix[None]) ** 2).sum(-1)).sum(1).astype(np.float32)


def same_bits(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def assert_pruned_as(before, after, masks):
    """Removed weights are +0.0, all others and all other tensors are the same to the bit."""
    assert before.keys() == after.keys()
    for name, old in before.items():
        expected = np.where(masks[name], old, old.dtype.type(0)) if name in masks else old
        assert same_bits(expected, after[name]), (
            f"{name}: {np.count_nonzero(expected != after[name])} of {old.size} values differ"
        )
