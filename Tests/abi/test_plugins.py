"""Every built-in plugin in a host that shares no code with Pare (harness.c), against numpy and published numbers.

    pytest Tests/abi/test_plugins.py      # after `make build` or with PARE_PLUGINS=folder of .pare/.so files
"""

import os
import pathlib
import subprocess

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
INCLUDE = os.environ.get("PARE_INCLUDE", ROOT / "include")  # a frozen copy: today's plugins in an older host
CC = os.environ.get("CC", "cc")


@pytest.fixture(scope="session")
def harness(tmp_path_factory):
    target = tmp_path_factory.mktemp("harness") / "harness"
    source = pathlib.Path(__file__).with_name("harness.c")
    flags = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{INCLUDE}"]
    subprocess.run([CC, *flags, source, "-o", target, "-ldl", "-lm"], check=True)
    return target


@pytest.fixture(scope="session")
def random_plugin(tmp_path_factory):
    target = tmp_path_factory.mktemp("plugins") / "random.pare"
    flags = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-fvisibility=hidden"]
    subprocess.run([CC, *flags, f"-I{ROOT}/include", ROOT / "plugins/random/random.c", "-o", target], check=True)
    return target


def plugin(name):
    folder = os.environ.get("PARE_PLUGINS")
    places = [pathlib.Path(folder) / f"{name}.pare"] if folder else []
    places.append(ROOT / f"build/lib/pare/{name}.pare")
    for place in places:
        if place.exists():
            return place
    pytest.skip(f"{name} is not built: run make build")


class Refused(Exception):
    pass


def call(harness, file, *words, data=""):
    done = subprocess.run([harness, file, *map(str, words)], input=data, capture_output=True, text=True)
    if done.returncode == 1:
        raise Refused(done.stdout)
    assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def score(harness, file, criterion, weight, unit_ndim=None, *words):
    weight = np.asarray(weight)
    shape = ",".join(map(str, weight.shape))
    data = " ".join(repr(float(x)) for x in weight.ravel())
    units = weight.ndim if unit_ndim is None else unit_ndim
    text = call(harness, file, "score", criterion, shape, units, *words, data=data)
    return np.array([float(x) for x in text.split()]).reshape(weight.shape[:units])


def layer(name, shape, type=2, depth=0, units=-1, macs=-1, prunable=1, values=None, mask=None):
    join = lambda a: "-" if a is None else ",".join(repr(float(x)) for x in np.ravel(a))
    shape = ",".join(map(str, shape))
    return f"{name} {type} {depth} {units} {macs} {prunable} {shape} {join(values)} {join(mask)}\n"


def allocate(harness, name, sparsity, layers, *words):
    text = call(harness, plugin(name), "allocate", name, sparsity, *words, data="".join(layers))
    rows = [line.split() for line in text.splitlines()]
    return np.array([float(r[0]) for r in rows]), [int(r[1]) for r in rows]


def measure(harness, name, layers, *words):
    text = call(harness, plugin(name), "measure", name, *words, data="".join(layers))
    return {(int(i), n): float(v) for i, n, v, *_ in (line.split(" ") for line in text.splitlines())}


LENET = [(300, 784), (100, 300), (10, 100)]
lenet = [layer(f"fc{i}", shape, depth=i) for i, shape in enumerate(LENET)]
WEIGHT = np.random.default_rng(7).standard_normal((6, 5, 3, 3)).astype(np.float32)


# ---- criteria ----


@pytest.mark.parametrize("dtype", ["f32", "f64", "bf16", "f16"])
@pytest.mark.parametrize("strides", [[], ["@strides=transposed"]])
def test_magnitude_of_elements(harness, dtype, strides):
    weight = np.round(WEIGHT * 8) / 8  # exact in every type
    found = score(harness, plugin("magnitude"), "magnitude", weight, None, f"@dtype={dtype}", *strides)
    assert np.array_equal(found, np.abs(weight))


@pytest.mark.parametrize("norm, order", [("l1", 1), ("l2", 2)])
@pytest.mark.parametrize("unit_ndim", [1, 2, 4, 0])
def test_magnitude_of_units(harness, norm, order, unit_ndim):
    found = score(harness, plugin("magnitude"), "magnitude", WEIGHT, unit_ndim, f"norm={norm}")
    wide = WEIGHT.astype(np.float64).reshape(*WEIGHT.shape[:unit_ndim], -1)
    assert np.allclose(found, np.linalg.norm(wide, order, axis=-1), rtol=1e-6)


def test_empty_requests_succeed(harness, random_plugin):
    for name in ["magnitude", "lamp", "fpgm", "norm-scale"]:
        assert score(harness, plugin(name), name, np.zeros((0, 3)), 1).size == 0
    assert score(harness, random_plugin, "random", np.zeros((0, 3))).size == 0


def test_random_is_counted(harness, random_plugin):
    whole = score(harness, random_plugin, "random", np.zeros(1000))
    part = score(harness, random_plugin, "random", np.zeros(100), None, "@first=300")
    assert np.array_equal(whole[300:400], part)
    assert 0 <= whole.min() and whole.max() < 1 and abs(whole.mean() - 0.5) < 0.05
    assert not np.array_equal(whole, score(harness, random_plugin, "random", np.zeros(1000), None, "seed=1"))
    assert not np.array_equal(whole, score(harness, random_plugin, "random", np.zeros(1000), None, "@key=43"))


def test_norm_scale(harness):
    gamma = [0.5, -2, 0, 1, -0.25, 3]
    word = "@norm-scale=" + ",".join(map(str, gamma))
    assert np.array_equal(score(harness, plugin("norm-scale"), "norm-scale", WEIGHT, 1, word), np.abs(gamma))


def test_norm_scale_says_what_is_missing(harness):
    with pytest.raises(Refused, match=r"104 layer\.weight: no normalisation .* follows this layer"):
        score(harness, plugin("norm-scale"), "norm-scale", WEIGHT, 1)
    with pytest.raises(Refused, match=r"204 layer\.weight, row 1: γ is not finite"):
        score(harness, plugin("norm-scale"), "norm-scale", WEIGHT, 1, "@norm-scale=1,nan,1,1,1,1")


@pytest.mark.parametrize("distance, order", [("l2", 2), ("l1", 1)])
@pytest.mark.parametrize("rows, length", [(1, 7), (2, 1), (9, 17), (300, 4), (20, 8)])
def test_fpgm(harness, distance, order, rows, length):
    weight = np.random.default_rng(rows).standard_normal((rows, length)).astype(np.float32)
    found = score(harness, plugin("fpgm"), "fpgm", weight, 1, f"distance={distance}")
    wide = weight.astype(np.float64)
    expected = np.linalg.norm(wide[:, None] - wide[None], order, axis=-1).sum(axis=1)
    assert np.allclose(found, expected, rtol=1e-6)


def test_fpgm_prefers_to_lose_the_middle(harness):
    weight = np.array([[0, 0], [10, 0], [0, 10], [-10, -10]])
    assert score(harness, plugin("fpgm"), "fpgm", weight, 1).argmin() == 0


def test_lamp_golden(harness):
    file = plugin("lamp")
    first = score(harness, file, "lamp", [[0.5, -1.0], [1.5, 0.25], [-0.75, 0.8]], None, "@dtype=f64")
    second = score(harness, file, "lamp", [[1.0, -0.5, 0.3], [-0.2, 0.7, 0.9]], None, "@dtype=f64")
    golden = [[0.05316321, 0.30769231], [1, 0.01311647], [0.12633352, 0.16452442]]
    assert np.abs(first - golden).max() < 1e-8
    golden = [[1, 0.09803922, 0.03409091], [0.01492537, 0.21304348, 0.44751381]]
    assert np.abs(second - golden).max() < 1e-8


def lamp(squares):
    """The definition, ties to the lower index."""
    order = sorted(range(len(squares)), key=lambda i: (squares[i], -i))
    out, total = np.zeros(len(squares)), 0.0
    for i in reversed(order):
        total += squares[i]
        out[i] = squares[i] / total if total > 0 else 0
    return out


def test_lamp_ties_zeros_and_units(harness):
    file = plugin("lamp")
    weight = np.array([0, 1, -1, 0, 2, 1, 0, -2], dtype=float)
    assert np.allclose(score(harness, file, "lamp", weight), lamp(weight**2), rtol=1e-8)
    assert score(harness, file, "lamp", weight)[4] == 1
    assert np.array_equal(score(harness, file, "lamp", np.zeros(5)), np.zeros(5))
    rows = (WEIGHT.astype(np.float64) ** 2).reshape(6, -1).sum(axis=1)
    assert np.allclose(score(harness, file, "lamp", WEIGHT, 1), lamp(rows), rtol=1e-8)
    close = np.array([1 + 2e-9, 1.0, 1 + 1e-9, 0.5])  # equal as float32, not as float64
    found = score(harness, file, "lamp", close, None, "@dtype=f64")
    assert list(np.argsort(found)) == [3, 1, 2, 0] and found[0] == 1


def test_missing_services_are_named(harness, random_plugin):
    for name, service in [("magnitude", "vector"), ("lamp", "memory"), ("fpgm", "vector")]:
        with pytest.raises(Refused, match=f"104 pare.{service}/1"):
            score(harness, plugin(name), name, WEIGHT, 1, f"@deny=pare.{service}/1")
    with pytest.raises(Refused, match="104 pare.random/1"):
        score(harness, random_plugin, "random", WEIGHT, 1, "@deny=pare.random/1")
    without = score(harness, plugin("fpgm"), "fpgm", WEIGHT, 1, "@deny=pare.parallel/1")
    assert np.array_equal(without, score(harness, plugin("fpgm"), "fpgm", WEIGHT, 1))


# ---- allocators ----


def test_uniform_and_global(harness):
    assert np.array_equal(allocate(harness, "uniform", 0.9, lenet)[0], [0.9] * 3)
    assert allocate(harness, "uniform", 0.9, lenet)[1] == [0, 1, 2]
    sparsity, pools = allocate(harness, "global", 0.9, lenet)
    assert np.array_equal(sparsity, [0.9] * 3) and pools == [0, 0, 0]
    assert allocate(harness, "uniform", 0.9, [])[1] == []


@pytest.mark.parametrize("repair", ["rescale", "es"])
def test_erk_lenet_at_100(harness, repair):
    found, pools = allocate(harness, "erk", 0.99, lenet, f"repair={repair}")
    assert np.abs(found - [0.992303, 0.977733, 0.816299]).max() < 1e-6 and pools == [0, 1, 2]


def test_erk_es_lenet_at_10(harness):
    found, _ = allocate(harness, "erk", 0.9, lenet, "repair=es")
    assert np.abs(found - [0.923032, 0.749431, 0]).max() < 1e-6


def rescaled_erk(shapes, sparsity):
    """The same quotas by another road: bisect the scale k of min(1, k · raw)."""
    size = np.array([np.prod(s) for s in shapes], dtype=float)
    raw = np.array([sum(s) / np.prod(s) for s in shapes])
    low, high = 0.0, 1 / raw.min()
    for _ in range(200):
        k = (low + high) / 2
        low, high = (low, k) if (np.minimum(1, k * raw) * size).sum() > (1 - sparsity) * size.sum() else (k, high)
    return 1 - np.minimum(1, k * raw)


VGG19 = [
    (64, 3), (64, 64), (128, 64), (128, 128), (256, 128), (256, 256), (256, 256), (256, 256), (512, 256),
    *[(512, 512)] * 7,
]  # fmt: skip
VGG19 = [(*s, 3, 3) for s in VGG19] + [(100, 512)]


@pytest.mark.parametrize("sparsity", [0, 0.3, 0.5, 0.9, 0.99, 0.999])
@pytest.mark.parametrize("shapes", [LENET, VGG19])
def test_erk_rescale_hits_the_target(harness, sparsity, shapes):
    layers = [layer(f"l{i}", s, depth=i) for i, s in enumerate(shapes)]
    found, _ = allocate(harness, "erk", sparsity, layers)
    size = np.array([np.prod(s) for s in shapes], dtype=float)
    assert abs((found * size).sum() - sparsity * size.sum()) < 1e-6 * size.sum()
    assert np.abs(found - rescaled_erk(shapes, sparsity)).max() < 1e-7


def test_erk_es_refuses_with_the_limit(harness):
    layers = [layer(f"l{i}", s, depth=i) for i, s in enumerate(VGG19)]
    with pytest.raises(Refused, match="density above 1") as refused:
        allocate(harness, "erk", 0.9, layers, "repair=es")
    limit = float(str(refused.value).split("expected: at least ")[1].split(";")[0])
    allocate(harness, "erk", limit + 1e-9, layers, "repair=es")
    with pytest.raises(Refused):
        allocate(harness, "erk", limit - 1e-6, layers, "repair=es")


def test_uniform_plus(harness):
    conv = [layer("c1", (64, 3, 3, 3), 1, 0), layer("c2", (64, 64, 3, 3), 1, 1), layer("fc", (10, 64), 2, 2)]
    size = np.array([1728, 36864, 640])
    found, _ = allocate(harness, "uniform-plus", 0.9, conv)
    assert found[0] == 0 and found[2] == 0.8
    assert abs((found * size).sum() - 0.9 * size.sum()) < 1e-6 * size.sum()
    found, _ = allocate(harness, "uniform-plus", 0.5, conv)
    base = 0.5 * size.sum() / (size.sum() - 1728)
    assert np.allclose(found, [0, base, base], rtol=1e-8)
    found, _ = allocate(harness, "uniform-plus", 0.95, lenet)  # no convolution: only the cap of the last layer
    assert found[0] == found[1] > 0.95 and found[2] == 0.8
    shuffled, _ = allocate(harness, "uniform-plus", 0.9, [conv[2], conv[0], conv[1]])
    assert shuffled[0] == 0.8 and shuffled[1] == 0
    limit = (0.8 * 640 + 36864) / size.sum()
    with pytest.raises(Refused, match=f"101 .*at most {limit:.9}"):
        allocate(harness, "uniform-plus", 0.99, conv)
    assert allocate(harness, "uniform-plus", 0.99, conv[:1])[0] == [0.99]


# ---- metrics ----


def test_sparsity(harness):
    values = np.where(np.arange(24) % 3 == 0, 0, 1.5).reshape(4, 6)
    layers = [layer("a", (4, 6), values=values), layer("b", (5,), prunable=0, values=[0, 0, 0, 0, 1]), layer("c", (3,))]
    found = measure(harness, "sparsity", layers)
    assert found[0, "zeros"] == 8 and found[0, "elements"] == 24 and abs(found[0, "sparsity"] - 1 / 3) < 1e-9
    assert found[-1, "zeros"] == 8 and found[-1, "zeros-all"] == 12 and found[-1, "elements-all"] == 29
    assert (2, "zeros") not in found


def test_nm_groups_run_along_the_inputs(harness):
    values = np.ones((2, 8, 2))
    values[:, [0, 1, 4, 6]] = 0  # two of each four inputs, at both kernel positions
    found = measure(harness, "sparsity", [layer("c", values.shape, 1, values=values)], "@pattern=2:4")
    assert found[-1, "nm-groups"] == 8 and found[-1, "nm-violations"] == 0
    values[1, 0, 1] = 3
    found = measure(harness, "sparsity", [layer("c", values.shape, 1, values=values)], "@pattern=2:4")
    assert found[0, "nm-violations"] == 1
    found = measure(harness, "sparsity", [layer("c", (1, 6), values=[1, 1, 0, 0, 1, 1])], "@pattern=1:4")
    assert found[0, "nm-groups"] == 2 and found[0, "nm-violations"] == 2


def test_size(harness):
    values = np.array([0, 1, 0, 2, 0, 0, 3, 0, 0])
    layers = [layer("a", (3, 3), macs=90, values=values), layer("b", (2,), values=[1, 1])]
    found = measure(harness, "size", layers, "@dtype=bf16")
    assert found[0, "params"] == 9 and found[0, "params-nonzero"] == 3
    assert found[0, "macs"] == 90 and found[0, "macs-sparse"] == 30 and (1, "macs") not in found
    assert found[0, "bytes"] == 18 and found[0, "bytes-sparse"] == 2 + 6
    assert found[-1, "params"] == 11 and found[-1, "macs"] == 90 and found[-1, "bytes-sparse"] == 8 + 5
