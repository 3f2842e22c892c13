"""Arrays cross in both directions without copying, whatever their type and strides."""

import gc
import sys

import numpy as np
import pytest
from python_support import address, load_safetensors, mappings, save_safetensors, weights

import pare
from pare import _abi, _arrays

ml_dtypes = pytest.importorskip("ml_dtypes", reason="ml_dtypes is needed to check bfloat16")

DTYPES = [np.float16, np.float32, np.float64, ml_dtypes.bfloat16, np.int8, np.int16, np.int32, np.int64, np.uint8, bool]


def sample(dtype, *shape):
    numbers = np.arange(1, 1 + int(np.prod(shape))) % 120
    return (numbers % 2 == 0 if dtype is bool else numbers).astype(dtype).reshape(shape)


@pytest.fixture
def model(tmp_path):
    arrays = {np.dtype(dtype).name: sample(dtype, 6, 8) for dtype in DTYPES}
    path = save_safetensors(tmp_path / "model.safetensors", arrays)
    return pare.load(path), arrays, path


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
def test_read(model, dtype):
    loaded, arrays, path = model
    name = np.dtype(dtype).name
    parameter = loaded.parameters[name]
    array = parameter.array
    assert (parameter.dtype, array.dtype, parameter.shape) == (name, np.dtype(dtype), (6, 8))
    assert np.array_equal(array, arrays[name])
    assert not array.flags.writeable
    with pytest.raises(ValueError):
        array.flags.writeable = True


def test_read_is_the_mapping(model):
    loaded, _, path = model
    first, second = loaded.parameters["float32"].array, loaded.parameters["float32"].array
    assert np.shares_memory(first, second)
    assert any(address(first) in pages for pages in mappings(path))
    assert any(address(loaded.parameters["bfloat16"].array) in pages for pages in mappings(path))


def test_array_outlives_the_model(model):
    loaded, arrays, path = model
    array = loaded.parameters["float32"].array[1:, ::2]
    model_gone = loaded
    del loaded, model
    model_gone.close()
    del model_gone
    gc.collect()
    assert mappings(path)
    assert np.array_equal(array, arrays["float32"][1:, ::2])


def test_mapping_ends_with_the_last_array(tmp_path):
    path = save_safetensors(tmp_path / "m.safetensors", {"w": weights(64, 64)})
    loaded = pare.load(path)
    array = loaded.parameters["w"].array
    assert mappings(path)
    del loaded
    gc.collect()
    assert mappings(path)
    del array
    gc.collect()
    assert not mappings(path)


def test_masked_array_survives_later_changes(tmp_path):
    path = save_safetensors(tmp_path / "m.safetensors", {"w": weights(64, 64)})
    loaded = pare.load(path)
    before = loaded.parameters["w"].array
    loaded.prune("magnitude", 0.5)
    half = loaded.parameters["w"].array
    kept = half.copy()
    loaded.prune("magnitude", 0.9)
    more = loaded.parameters["w"].array
    loaded.parameters["w"].values = np.zeros((64, 64), np.float32)
    zero = loaded.parameters["w"].array
    loaded.parameters["w"].values = np.ones((64, 64), np.float32)
    assert np.array_equal(half, kept) and (half == 0).mean() == 0.5
    assert abs((more == 0).mean() - 0.9) < 1e-3
    assert not zero.any() and loaded.parameters["w"].array.all()
    assert np.array_equal(before, weights(64, 64))
    assert not half.flags.writeable and not zero.flags.writeable


STRIDED = {
    "contiguous": lambda a: a,
    "transposed": lambda a: a.T,
    "reversed": lambda a: a[::-1, ::-1],
    "stepped": lambda a: a[::2, 1::3],
    "broadcast": lambda a: np.broadcast_to(a[:, :1], a.shape),
    "fortran": np.asfortranarray,
    "offset": lambda a: a[1:, 2:],
}


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: np.dtype(dtype).name)
@pytest.mark.parametrize("view", STRIDED)
def test_write(dtype, view):
    array = STRIDED[view](sample(dtype, 6, 8))
    lent = _arrays.Lent(array)
    assert lent.struct.data == address(array), "no copy on the way in"
    made = pare.Model.from_arrays({"w": array})
    assert np.array_equal(made.parameters["w"].array, array)
    made.parameters["w"].values = array[::-1]
    assert np.array_equal(made.parameters["w"].array, array[::-1])


def test_view_keeps_strides():
    """What the library hands out may be strided too."""
    array = weights(4, 6)[::-1, ::2]
    shown = _arrays.view(_arrays.Lent(array).struct, array)
    assert np.shares_memory(shown, array) and shown.strides == array.strides and np.array_equal(shown, array)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (1,) * 8, (2, 1, 2, 1, 2, 1, 2, 1)])
def test_shapes(shape):
    array = weights(*shape)
    made = pare.Model.from_arrays({"w": array})
    assert made.parameters["w"].shape == shape
    assert np.array_equal(made.parameters["w"].array, array)


def test_odd_memory():
    record = np.zeros(5, np.dtype([("tag", "u1"), ("x", "<f4")]))
    record["x"] = np.arange(5)
    swapped = np.arange(6, dtype=">f4")
    crooked = np.frombuffer(bytearray(b"\0" + np.arange(7, dtype="<f8").tobytes()), np.uint8)[1:].view("<f8")
    made = pare.Model.from_arrays({"field": record["x"], "swapped": swapped, "crooked": crooked, "list": [[1.0, 2.0]]})
    assert np.array_equal(made.parameters["field"].array, record["x"])
    assert np.array_equal(made.parameters["swapped"].array, swapped)
    assert np.array_equal(made.parameters["crooked"].array, crooked)
    assert np.array_equal(made.parameters["list"].array, [[1.0, 2.0]])


@pytest.mark.parametrize(
    "array, error",
    [
        (np.zeros(3, np.complex64), pare.DTypeError),
        (np.array(["a"]), pare.DTypeError),
        (np.array([object()]), pare.DTypeError),
        (np.zeros(3, np.uint32), pare.DTypeError),
        (np.zeros((1,) * 9, np.float32), pare.ShapeError),
    ],
)
def test_refused(array, error):
    with pytest.raises(error):
        pare.Model.from_arrays({"w": array})


def test_bfloat16_without_ml_dtypes(model, monkeypatch):
    loaded, arrays, _ = model
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    bits = loaded.parameters["bfloat16"].array
    assert bits.dtype == np.uint16
    assert np.array_equal(bits, arrays["bfloat16"].view(np.uint16))
    loaded.parameters["bfloat16"].values = bits[::-1]
    assert np.array_equal(loaded.parameters["bfloat16"].array, bits[::-1])


def test_torch_tensors():
    torch = pytest.importorskip("torch", reason="PyTorch is needed to check its tensors")
    made = pare.Model.from_arrays(
        {
            "f32": torch.arange(6.0).reshape(2, 3).t(),
            "bf16": torch.arange(6.0).bfloat16(),
            "grad": torch.ones(2, requires_grad=True),
        }
    )
    assert np.array_equal(made.parameters["f32"].array, np.arange(6.0).reshape(2, 3).T)
    assert np.array_equal(made.parameters["bf16"].array.astype(np.float32), np.arange(6))
    assert made.parameters["bf16"].dtype == "bfloat16"
    assert np.array_equal(made.parameters["grad"].array, [1, 1])


def test_values_are_converted_to_the_stored_type(model, tmp_path):
    loaded, arrays, _ = model
    for name in ("float16", "bfloat16", "float32"):
        loaded.parameters[name].values = np.full((6, 8), 0.5)
        assert loaded.parameters[name].array.dtype == arrays[name].dtype
        assert (loaded.parameters[name].array == 0.5).all()
    with pytest.raises(pare.ShapeError):
        loaded.parameters["float32"].values = np.zeros((8, 6))
    target = tmp_path / "out.safetensors"
    loaded.save(target)
    saved = load_safetensors(target)
    assert (saved["float32"] == 0.5).all() and np.array_equal(saved["int8"], arrays["int8"])


def test_array_protocol(model):
    parameter = model[0].parameters["float32"]
    assert np.asarray(parameter).dtype == np.float32
    assert np.asarray(parameter, dtype=np.float64).sum() == parameter.array.sum()
    copy = np.array(parameter)
    copy[:] = 0
    assert parameter.array.any()


def test_every_dtype_is_covered():
    assert {np.dtype(dtype).name for dtype in DTYPES} == set(_arrays._CODES)
    assert _abi.PARE_MAX_NDIM == 8
