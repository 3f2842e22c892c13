"""The few calls of libpare that benchmarks make directly, through ctypes and nothing else. Mirrors include/pare/*.h."""

import ctypes
from ctypes import POINTER, Structure, c_char, c_char_p, c_double, c_void_p
from ctypes import c_int32, c_int64, c_uint8, c_uint16, c_uint32, c_uint64

ELEMENT, NM = 0, 1  # PARE_GRANULARITY_…
FLOAT, BFLOAT, BOOL = 2, 4, 6  # PARE_TYPE_…


class Error(Structure):
    _fields_ = [("struct_size", c_uint32), ("code", c_int32), ("message", c_char * 512),
                ("where", c_char * 256), ("found", c_char * 192), ("expected", c_char * 192), ("hint", c_char * 256)]


class Tensor(Structure):
    _fields_ = [("data", c_void_p), ("device_type", c_int32), ("device_id", c_int32), ("ndim", c_int32),
                ("code", c_uint8), ("bits", c_uint8), ("lanes", c_uint16),
                ("shape", POINTER(c_int64)), ("strides", POINTER(c_int64)), ("byte_offset", c_uint64)]


class Pattern(Structure):
    _fields_ = [("struct_size", c_uint32), ("granularity", c_int32), ("n", c_int32), ("m", c_int32),
                ("block_rows", c_int32), ("block_cols", c_int32), ("remainder", c_int32), ("reserved", c_int32)]


def pattern(granularity, n=0, m=0):
    return Pattern(ctypes.sizeof(Pattern), granularity, n, m, 0, 0, 0, 0)


def sizes(values):
    return (c_int64 * len(values))(*values)


def tensor(address, shape, code, bits):
    """A contiguous view; the caller keeps the memory alive."""
    strides = [1] * len(shape)
    for axis in reversed(range(len(shape) - 1)):
        strides[axis] = strides[axis + 1] * shape[axis + 1]
    return Tensor(address, 1, 0, len(shape), code, bits, 1, sizes(shape), sizes(strides), 0)


class Library:
    """libpare.so; a failed call raises RuntimeError with the library's own sentence."""

    def __init__(self, path):
        self._library = ctypes.CDLL(path)
        self._error = Error(ctypes.sizeof(Error))
        take = lambda name, *types: setattr(getattr(self._library, name), "argtypes", [*types, POINTER(Error)])
        take("pare_context_create", c_void_p, POINTER(c_void_p))
        take("pare_score", c_void_p, c_char_p, POINTER(c_char_p), POINTER(Tensor), POINTER(Pattern), POINTER(Tensor),
             c_void_p)
        take("pare_mask_select", POINTER(Tensor), POINTER(c_int64), c_int32, POINTER(Pattern), c_double,
             POINTER(c_void_p))
        take("pare_select", c_void_p, c_char_p, POINTER(c_char_p), POINTER(Tensor), POINTER(Pattern), c_double,
             POINTER(c_void_p), c_void_p)
        take("pare_mask_read", c_void_p, POINTER(Tensor))
        self._library.pare_mask_destroy.argtypes = [c_void_p]
        self._library.pare_mask_destroy.restype = None

    def call(self, name, *values):
        if getattr(self._library, name)(*values, ctypes.byref(self._error)) != 0:
            raise RuntimeError(f"{name}: {self._error.message.decode(errors='replace')}")

    def context(self):
        handle = c_void_p()
        self.call("pare_context_create", None, ctypes.byref(handle))
        return handle

    def score(self, context, criterion, options, weight, scores):
        """Element scores of `weight` (a Tensor) into `scores` (a float32 Tensor)."""
        words = [word.encode() for pair in options.items() for word in pair]
        texts = (c_char_p * (len(words) + 1))(*words, None)
        self.call("pare_score", context, criterion.encode(), texts, ctypes.byref(weight), None, ctypes.byref(scores),
                  None)

    def choose(self, context, criterion, weight, wanted, sparsity):
        """Score and select in one call; a mask handle, to be freed with destroy_mask."""
        mask = c_void_p()
        self.call("pare_select", context, criterion.encode(), None, ctypes.byref(weight), ctypes.byref(wanted), sparsity,
                  ctypes.byref(mask), None)
        return mask

    def select(self, scores, shape, wanted, sparsity):
        """A mask handle; free it with destroy_mask."""
        mask = c_void_p()
        self.call("pare_mask_select", ctypes.byref(scores), sizes(shape), len(shape), ctypes.byref(wanted), sparsity,
                  ctypes.byref(mask))
        return mask

    def read_mask(self, mask, out):
        self.call("pare_mask_read", mask, ctypes.byref(out))

    def destroy_mask(self, mask):
        self._library.pare_mask_destroy(mask)
