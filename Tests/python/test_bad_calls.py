"""The C interface with NULL, garbage, stale handles and impossible tensors: a status, never a crash."""

import pytest

from conftest import LIBRARY, PATHS, isolated


NULLS = """
import ctypes, sys
sys.path[:0] = {paths!r}
from pare import _abi
from pare._library import lib

def zero(kind):
    return None if kind in (ctypes.c_char_p, ctypes.c_void_p) or hasattr(kind, "contents") else kind(0)

def is_pointer(kind):
    return kind in (ctypes.c_char_p, ctypes.c_void_p) or hasattr(kind, "contents")

plain = {{"pare_version", "pare_abi_version", "pare_status_name", "pare_mask_create", "pare_context_create"}}
for name, (result, kinds) in sorted(_abi.PROTOTYPES.items()):
    function = getattr(lib, name)
    print(name, flush=True)
    takes_error = bool(kinds) and kinds[-1] == ctypes.POINTER(_abi.pare_error)
    answer = function(*[zero(kind) for kind in kinds])
    if takes_error:
        assert 100 <= answer < 200, (name, answer)
        record = _abi.pare_error()
        again = function(*[zero(kind) for kind in kinds[:-1]], ctypes.byref(record))
        assert again == answer == record.code and record.message, (name, again, record.code)
    elif name not in plain:
        assert not answer or answer == -1 or answer != answer, (name, answer)

# Handles that are none: an address in this process, a small number, one that is not aligned, the highest.
block = ctypes.create_string_buffer(4096)
for bad in (ctypes.addressof(block), 1, 16, ctypes.addressof(block) + 1, 2**64 - 1):
    for name, (result, kinds) in sorted(_abi.PROTOTYPES.items()):
        if not kinds or kinds[0] is not ctypes.c_void_p:
            continue
        print(name, bad, flush=True)
        record = _abi.pare_error()
        words = [ctypes.c_void_p(bad)] + [zero(kind) for kind in kinds[1:]]
        if kinds[-1] == ctypes.POINTER(_abi.pare_error):
            words[-1] = ctypes.byref(record)
            assert getattr(lib, name)(*words) == record.code == _abi.PARE_E_ARGUMENT, name
        else:
            answer = getattr(lib, name)(*words)
            assert not answer or answer == -1 or answer != answer, (name, answer)

# Real handles of the wrong kind, with everything else NULL; then the right kind after its end.
def made(function, *words):
    out = ctypes.c_void_p()
    status = function(*words, ctypes.byref(out), None)
    assert status == 0, status
    return out

context = made(lib.pare_context_create, None)
shape = (ctypes.c_int64 * 2)(4, 4)
destroyers = {{}}
for turn in ("alive", "stale"):
    model = made(lib.pare_model_create, context)
    mask = made(lib.pare_mask_create, shape, 2)
    if turn == "stale":
        lib.pare_model_destroy(model), lib.pare_mask_destroy(mask)
    for name, (result, kinds) in sorted(_abi.PROTOTYPES.items()):
        if not kinds or kinds[0] is not ctypes.c_void_p or "destroy" in name:
            continue
        for handle in (context, model, mask):
            print(turn, name, flush=True)
            words = [handle] + [zero(kind) for kind in kinds[1:]]
            getattr(lib, name)(*words)
    # Destroying twice, or with the wrong function, does nothing.
    for destroy in (lib.pare_model_destroy, lib.pare_mask_destroy, lib.pare_report_destroy):
        destroy(model), destroy(mask), destroy(context)
        destroy(model), destroy(mask)
model = made(lib.pare_model_create, context)
lib.pare_context_destroy(context)
lib.pare_context_destroy(context)
assert lib.pare_parameter_count(model) == 0, "a model outlives its context"
record = _abi.pare_error()
request = _abi.pare_prune_request()
assert lib.pare_prune(context, model, ctypes.byref(request), None, ctypes.byref(record)) == _abi.PARE_E_ARGUMENT
assert b"context" in record.message
print("done")
"""

TENSORS_OF_C = """
import ctypes, sys
sys.path[:0] = {paths!r}
from pare import _abi
from pare._library import lib

data = (ctypes.c_float * 16)(*range(16))
limit = 2**63 - 1

def view(
    data=ctypes.addressof(data), device=1, ndim=2, code=2, bits=32, lanes=1, shape=(4, 4), strides=(4, 1), offset=0
):
    keep = (ctypes.c_int64 * max(len(shape), 1))(*shape), (ctypes.c_int64 * max(len(strides), 1))(*strides)
    made = _abi.pare_tensor()
    made.data, made.ndim, made.byte_offset = data, ndim, offset
    made.device.type = device
    made.dtype.code, made.dtype.bits, made.dtype.lanes = code, bits, lanes
    made.shape, made.strides = (ctypes.cast(k, ctypes.POINTER(ctypes.c_int64)) for k in keep)
    made.keep = keep
    return made

def null(member, **more):
    made = view(**more)
    setattr(made, member, None)
    return made

bad = dict(
    no_data=view(data=None), no_shape=null("shape"), no_strides=null("strides"), ndim_negative=view(ndim=-1),
    ndim_large=view(ndim=9, shape=(1,) * 9, strides=(1,) * 9), ndim_huge=view(ndim=2**31 - 1), device=view(device=2),
    code=view(code=3), bits=view(bits=24), lanes=view(lanes=4), no_lanes=view(lanes=0), negative=view(shape=(-4, 4)),
    overflow=view(shape=(2**40, 2**40)), product=view(shape=(2**62, 2)), stride=view(strides=(limit, 1)),
    stride_min=view(strides=(-limit - 1, 1)), offset=view(offset=2**64 - 1),
)
def made(function, *words):
    out = ctypes.c_void_p()
    assert function(*words, ctypes.byref(out), None) == 0
    return out

context = made(lib.pare_context_create, None)
model = made(lib.pare_model_create, context)
good = view()
assert lib.pare_model_add(model, b"good", ctypes.byref(good), 1, None) == 0
for name, tensor in bad.items():
    print(name, flush=True)
    record = _abi.pare_error()
    out = ctypes.c_void_p(77)
    error = ctypes.byref(record)
    scores = view(shape=(4, 4))
    calls = [
        lib.pare_model_add(model, b"bad", ctypes.byref(tensor), 1, error),
        lib.pare_parameter_set(model, 0, ctypes.byref(tensor), error),
        lib.pare_mask_from(ctypes.byref(tensor), ctypes.byref(out), error),
        lib.pare_score(context, b"magnitude", None, ctypes.byref(tensor), None, ctypes.byref(scores), None, error),
        lib.pare_score(context, b"magnitude", None, ctypes.byref(good), None, ctypes.byref(tensor), None, error),
        lib.pare_select(context, b"magnitude", None, ctypes.byref(tensor), None, 0.5, ctypes.byref(out), None, error),
        lib.pare_mask_select(ctypes.byref(tensor), (ctypes.c_int64 * 2)(4, 4), 2, None, 0.5, ctypes.byref(out), error),
    ]
    assert all(100 <= status < 400 for status in calls), (name, calls)
    assert out.value == 77, "an output was changed"
    assert record.message
assert lib.pare_parameter_count(model) == 1

# Shapes and numbers of masks and patterns.
two = (ctypes.c_int64 * 2)(4, 4)
for shape, ndim in (((-1, 4), 2), ((2**40, 2**40), 2), ((4, 4), -1), ((4,) * 9, 9), ((2**62, 1), 2)):
    out = ctypes.c_void_p(77)
    status = lib.pare_mask_create((ctypes.c_int64 * len(shape))(*shape), ndim, ctypes.byref(out), None)
    assert 100 <= status < 400 and out.value == 77, (shape, ndim, status)
mask = made(lib.pare_mask_create, two, 2)
assert lib.pare_mask_dimension(mask, -1) == lib.pare_mask_dimension(mask, 2) == -1
for fields in (
    dict(granularity=-1), dict(granularity=6), dict(granularity=1, n=4, m=4), dict(granularity=1, n=0, m=4),
    dict(granularity=1, n=-1, m=4), dict(granularity=1, n=2, m=65), dict(granularity=1, n=2, m=2**31 - 1),
    dict(granularity=2), dict(granularity=2, block_rows=-1, block_cols=1), dict(granularity=1, n=2, m=3),
    dict(granularity=2, block_rows=2**31 - 1, block_cols=2**31 - 1), dict(granularity=1, n=2, m=4, remainder=3),
):
    print(fields, flush=True)
    pattern = _abi.pare_pattern(**fields)
    out = ctypes.c_void_p(77)
    words = (context, b"magnitude", None, ctypes.byref(good), ctypes.byref(pattern), 0.5, ctypes.byref(out), None, None)
    assert 100 <= lib.pare_select(*words) < 300, fields
    assert out.value == 77
for sparsity in (1.0, -0.1, float("nan"), float("inf"), 2.0):
    out = ctypes.c_void_p(77)
    words = (context, b"magnitude", None, ctypes.byref(good), None, sparsity, ctypes.byref(out), None, None)
    # Of one array all may go; a model is not to lose everything.
    assert sparsity == 1.0 or lib.pare_select(*words) == _abi.PARE_E_ARGUMENT, sparsity
    request = _abi.pare_prune_request(sparsity=sparsity)
    assert lib.pare_prune(context, model, ctypes.byref(request), ctypes.byref(out), None) == _abi.PARE_E_ARGUMENT
    assert out.value == 77
for size in (0, 4, 8):
    request = _abi.pare_prune_request(sparsity=0.5)
    request.struct_size = size
    status = lib.pare_prune(context, model, ctypes.byref(request), None, None)
    assert status == _abi.PARE_E_ARGUMENT, (size, status)
for kind, call in (
    (_abi.pare_context_config, lambda s: lib.pare_context_create(s, ctypes.byref(out), None)),
    (_abi.pare_pattern, lambda s: lib.pare_mask_complies(mask, s, ctypes.byref(ctypes.c_int32()), None, None)),
    (_abi.pare_save_options, lambda s: lib.pare_model_save(model, b"never.safetensors", s, None, None)),
    (_abi.pare_run, lambda s: lib.pare_model_save(model, b"never.safetensors", None, s, None)),
    (_abi.pare_parameter_info, lambda s: lib.pare_parameter_at(model, 0, s, None)),
    (_abi.pare_callback_criterion, lambda s: lib.pare_context_register_criterion(context, s, None)),
):
    short = kind()
    short.struct_size = 4
    assert call(ctypes.byref(short)) == _abi.PARE_E_ARGUMENT, kind
print("done")
"""


@pytest.mark.parametrize("script", [NULLS, TENSORS_OF_C], ids=["handles", "tensors"])
def test_c_interface(tmp_path, script):
    if not LIBRARY.is_file():
        pytest.skip(f"{LIBRARY} is not built: make build")
    isolated(tmp_path, script.format(paths=PATHS))


LARGE = """
import sys
sys.path[:0] = {paths!r}
import numpy as np
import pare
from pare import _abi
from pare._library import lib
import ctypes

def shaped(*sizes):
    out, error = ctypes.c_void_p(), _abi.pare_error()
    axes = (ctypes.c_int64 * len(sizes))(*sizes)
    return lib.pare_mask_create(axes, len(sizes), ctypes.byref(out), ctypes.byref(error)), out

for exponent in (45, 50, 59):
    assert shaped(1 << exponent)[0] == 301, exponent
for shape, granularities in (((1 << 45, 0), (3,)), ((0, 1 << 45), (4, 5))):
    status, mask = shaped(*shape)
    assert status == 0
    for granularity in granularities:
        pattern, error = _abi.pare_pattern(granularity=granularity), _abi.pare_error()
        answer = ctypes.c_int32()
        call = ctypes.byref(pattern), ctypes.byref(answer), None, ctypes.byref(error)
        assert lib.pare_mask_complies(mask, *call) == 301
        other = ctypes.c_void_p()
        assert lib.pare_mask_coarsen(mask, ctypes.byref(pattern), 1, ctypes.byref(other), ctypes.byref(error)) == 301
small = np.arange(80, dtype=np.float32).reshape(8, 10)
for size in ((1 << 30, 1), (1, 1 << 30), (100000, 100000), (2**31 - 1, 2**31 - 1)):
    scores = pare.score("magnitude", small, pattern=pare.Pattern("block", block=size, remainder="pad"))
    assert scores.shape == (-(-8 // size[0]), -(-10 // size[1]))
    assert np.isclose(np.square(scores).sum(), np.square(small).sum())
print("done")
"""


def test_sizes_past_memory(tmp_path):
    """Arrays of nothing with endless axes, masks of petabytes, blocks far larger than the weight."""
    if not LIBRARY.is_file():
        pytest.skip(f"{LIBRARY} is not built: make build")
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))\n"
    isolated(tmp_path, limit + LARGE.format(paths=PATHS))
