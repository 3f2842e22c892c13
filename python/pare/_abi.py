"""The C interface as ctypes sees it: constants, structs and prototypes, in the order of the headers in include/pare.

Names are those of the headers, so that a reader can look them up there. ``Tests/python/test_layout.py`` compares every
size, offset and symbol with the golden files that the C and Swift tests use.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char, c_char_p, c_double, c_float, c_int32, c_int64, c_uint8, c_uint16, c_uint32, c_uint64
from ctypes import c_void_p
from typing import Any, Dict, List, Tuple

# base.h

PARE_ABI_MAJOR = 1
PARE_ABI_MINOR = 0

PARE_OK = 0
PARE_E_ARGUMENT = 101
PARE_E_OPTION = 102
PARE_E_NOT_FOUND = 103
PARE_E_UNSUPPORTED = 104
PARE_E_STATE = 105
PARE_E_NOTHING_TO_DO = 106
PARE_E_FORMAT = 201
PARE_E_SHAPE = 202
PARE_E_DTYPE = 203
PARE_E_NONFINITE = 204
PARE_E_MISSING = 205
PARE_E_MEMORY = 301
PARE_E_IO = 302
PARE_E_CANCELLED = 401
PARE_E_PLUGIN_LOAD = 501
PARE_E_PLUGIN_VERSION = 502
PARE_E_PLUGIN_DUPLICATE = 503
PARE_E_PLUGIN_FAULT = 504
PARE_E_INTERNAL = 901


class Growing(ctypes.Structure):
    """A struct that begins with its own size, which is filled in here."""

    def __init__(self, **members: Any) -> None:
        super().__init__(**members)
        self.struct_size = ctypes.sizeof(type(self))


class pare_error(Growing):
    _fields_ = [
        ("struct_size", c_uint32),
        ("code", c_int32),
        ("message", c_char * 512),
        ("where", c_char * 256),
        ("found", c_char * 192),
        ("expected", c_char * 192),
        ("hint", c_char * 256),
    ]


PROGRESS_FUNCTION = ctypes.CFUNCTYPE(None, c_void_p, c_double, c_char_p)
KEEP_GOING_FUNCTION = ctypes.CFUNCTYPE(c_int32, c_void_p)


class pare_run(Growing):
    _fields_ = [
        ("struct_size", c_uint32),
        ("reserved", c_uint32),
        ("user", c_void_p),
        ("progress", PROGRESS_FUNCTION),
        ("keep_going", KEEP_GOING_FUNCTION),
    ]


# tensor.h

PARE_TYPE_INT = 0
PARE_TYPE_UINT = 1
PARE_TYPE_FLOAT = 2
PARE_TYPE_BFLOAT = 4
PARE_TYPE_BOOL = 6

PARE_DEVICE_CPU = 1
PARE_MAX_NDIM = 8

ROLES = (
    "other",
    "weight",
    "bias",
    "norm-scale",
    "norm-shift",
    "norm-mean",
    "norm-variance",
    "embedding",
    "architecture",
    "constant",
)


class pare_dtype(ctypes.Structure):
    _fields_ = [("code", c_uint8), ("bits", c_uint8), ("lanes", c_uint16)]


class pare_device(ctypes.Structure):
    _fields_ = [("type", c_int32), ("id", c_int32)]


class pare_tensor(ctypes.Structure):
    _fields_ = [
        ("data", c_void_p),
        ("device", pare_device),
        ("ndim", c_int32),
        ("dtype", pare_dtype),
        ("shape", POINTER(c_int64)),
        ("strides", POINTER(c_int64)),
        ("byte_offset", c_uint64),
    ]


# options.h

OPTION_TYPES = {1: "bool", 2: "int", 3: "float", 4: "string", 5: "choice", 6: "int list", 7: "float list"}

PARE_OPTION_REQUIRED = 1
PARE_OPTION_ADVANCED = 2
PARE_OPTION_DEPRECATED = 4
PARE_OPTION_MIN_EXCLUSIVE = 8
PARE_OPTION_MAX_EXCLUSIVE = 16


class pare_option_info(Growing):
    _fields_ = [
        ("struct_size", c_uint32),
        ("type", c_int32),
        ("flags", c_uint32),
        ("reserved", c_uint32),
        ("key", c_char_p),
        ("help", c_char_p),
        ("unit", c_char_p),
        ("default_text", c_char_p),
        ("minimum", c_double),
        ("maximum", c_double),
        ("choices", POINTER(c_char_p)),
    ]


class pare_value(ctypes.Structure):
    _fields_ = [
        ("key", c_char_p),
        ("type", c_int32),
        ("count", c_int32),
        ("integer", c_int64),
        ("number", c_double),
        ("text", c_char_p),
        ("integers", POINTER(c_int64)),
        ("numbers", POINTER(c_double)),
    ]


# pattern.h

GRANULARITIES = ("element", "nm", "block", "row", "column", "channel")
REMAINDERS = ("refuse", "skip", "pad")


class pare_pattern(Growing):
    _fields_ = [
        ("struct_size", c_uint32),
        ("granularity", c_int32),
        ("n", c_int32),
        ("m", c_int32),
        ("block_rows", c_int32),
        ("block_cols", c_int32),
        ("remainder", c_int32),
        ("reserved", c_int32),
    ]


# plugin.h: the parts that a caller meets

KINDS = ("criterion", "allocator", "penalty", "solver", "recipe", "metric", "estimator")

NEEDS = (
    "weight",
    "gradient",
    "input-norm",
    "gram",
    "hessian-gradient",
    "twin-gradient",
    "norm-scale",
    "output-norm",
    "graph",
    "data",
    "mask",
)

FLAGS = ("deterministic", "local", "scale-invariant", "writes-weights", "thread-safe", "convex", "scores-f64")

# context.h


class pare_context_config(Growing):
    _fields_ = [
        ("struct_size", c_uint32),
        ("threads", c_uint32),
        ("plugin_path", c_char_p),
        ("reserved", c_void_p),
    ]


# The message is an address, not a c_char_p, because it is written to.
SCORE_FUNCTION = ctypes.CFUNCTYPE(
    c_int32, c_void_p, c_char_p, POINTER(c_float), c_int64, c_int64, POINTER(c_float), c_void_p, c_uint64
)
DESTROY_FUNCTION = ctypes.CFUNCTYPE(None, c_void_p)


class pare_callback_criterion(Growing):
    _fields_ = [
        ("struct_size", c_uint32),
        ("flags", c_uint32),
        ("id", c_char_p),
        ("summary", c_char_p),
        ("user", c_void_p),
        ("score", SCORE_FUNCTION),
        ("destroy", DESTROY_FUNCTION),
    ]


class pare_plugin_info(Growing):
    _fields_ = [
        ("struct_size", c_uint32),
        ("flags", c_uint32),
        ("needs", c_uint32),
        ("granularities", c_uint32),
        ("option_count", c_uint32),
        ("reserved", c_uint32),
        ("kind", c_char_p),
        ("id", c_char_p),
        ("version", c_char_p),
        ("summary", c_char_p),
        ("source", c_char_p),
        ("license", c_char_p),
        ("module_id", c_char_p),
        ("path", c_char_p),
    ]


# model.h

FORMATS = {0: "memory", 1: "onnx", 2: "safetensors", 3: "sharded", 4: "hugging-face", 5: "npy"}


class pare_parameter_info(Growing):
    _fields_ = [
        ("struct_size", c_uint32),
        ("role", c_int32),
        ("name", c_char_p),
        ("dtype", pare_dtype),
        ("ndim", c_int32),
        ("shape", POINTER(c_int64)),
        ("elements", c_int64),
        ("bytes", c_int64),
        ("readers", c_uint32),
        ("prunable", c_int32),
        ("masked", c_int32),
        ("reserved", c_int32),
        ("reason", c_char_p),
    ]


class pare_save_options(Growing):
    _fields_ = [
        ("struct_size", c_uint32),
        ("format", c_int32),
        ("overwrite", c_int32),
        ("no_provenance", c_int32),
    ]


# mask.h

PARE_MASK_AND = 1
PARE_MASK_OR = 2
PARE_MASK_XOR = 3
PARE_MASK_WITHOUT = 4

# prune.h


class pare_prune_request(Growing):
    _fields_ = [
        ("struct_size", c_uint32),
        ("strict", c_int32),
        ("criterion", c_char_p),
        ("allocation", c_char_p),
        ("pattern", POINTER(pare_pattern)),
        ("sparsity", c_double),
        ("options", POINTER(c_char_p)),
        ("include", POINTER(c_char_p)),
        ("exclude", POINTER(c_char_p)),
        ("allow_nonfinite", c_int32),
        ("dry_run", c_int32),
        ("keep_masks", c_int32),
        ("reserved", c_int32),
        ("seed", c_uint64),
        ("run", POINTER(pare_run)),
    ]


class pare_report_layer(Growing):
    _fields_ = [
        ("struct_size", c_uint32),
        ("pruned", c_int32),
        ("name", c_char_p),
        ("note", c_char_p),
        ("elements", c_int64),
        ("kept", c_int64),
        ("zeros", c_int64),
        ("target", c_double),
    ]


# graph.h


class pare_node_info(Growing):
    _fields_ = [
        ("struct_size", c_uint32),
        ("inputs", c_uint32),
        ("outputs", c_uint32),
        ("attributes", c_uint32),
        ("name", c_char_p),
        ("op", c_char_p),
        ("domain", c_char_p),
        ("macs", c_int64),
        ("parameters", c_int64),
        ("known", c_int32),
        ("reserved", c_int32),
    ]


class pare_value_info(Growing):
    _fields_ = [
        ("struct_size", c_uint32),
        ("ndim", c_int32),
        ("name", c_char_p),
        ("shape", POINTER(c_int64)),
        ("dtype", pare_dtype),
        ("parameter", c_int32),
        ("producer", c_int32),
        ("readers", c_uint32),
    ]


# Prototypes: result, then arguments. Handles are plain addresses.

_handle = c_void_p
_out_handle = POINTER(c_void_p)
_texts = POINTER(c_char_p)
_tensor = POINTER(pare_tensor)
_pattern = POINTER(pare_pattern)
_run = POINTER(pare_run)
_error = POINTER(pare_error)

PROTOTYPES: Dict[str, Tuple[Any, List[Any]]] = {
    # context.h
    "pare_version": (c_char_p, []),
    "pare_abi_version": (None, [POINTER(c_uint32), POINTER(c_uint32)]),
    "pare_status_name": (c_char_p, [c_int32]),
    "pare_context_create": (c_int32, [POINTER(pare_context_config), _out_handle, _error]),
    "pare_context_destroy": (None, [_handle]),
    "pare_context_problem": (c_char_p, [_handle, c_uint32]),
    "pare_context_load": (c_int32, [_handle, c_char_p, _error]),
    "pare_context_register_module": (c_int32, [_handle, c_void_p, _error]),
    "pare_context_register_function": (c_int32, [_handle, c_char_p, _error]),
    "pare_context_register_criterion": (c_int32, [_handle, POINTER(pare_callback_criterion), _error]),
    "pare_plugin_count": (c_uint32, [_handle, c_char_p]),
    "pare_plugin_at": (c_int32, [_handle, c_char_p, c_uint32, POINTER(pare_plugin_info), _error]),
    "pare_plugin_find": (c_int32, [_handle, c_char_p, c_char_p, POINTER(pare_plugin_info), _error]),
    "pare_plugin_option": (POINTER(pare_option_info), [_handle, c_char_p, c_char_p, c_uint32]),
    "pare_score": (c_int32, [_handle, c_char_p, _texts, _tensor, _pattern, _tensor, _run, _error]),
    # model.h
    "pare_model_open": (c_int32, [_handle, c_char_p, _out_handle, _error]),
    "pare_model_create": (c_int32, [_handle, _out_handle, _error]),
    "pare_model_add": (c_int32, [_handle, c_char_p, _tensor, c_int32, _error]),
    "pare_model_destroy": (None, [_handle]),
    "pare_model_format": (c_int32, [_handle]),
    "pare_parameter_count": (c_uint32, [_handle]),
    "pare_parameter_at": (c_int32, [_handle, c_uint32, POINTER(pare_parameter_info), _error]),
    "pare_parameter_find": (c_int32, [_handle, c_char_p, POINTER(c_uint32), _error]),
    "pare_parameter_view": (c_int32, [_handle, c_uint32, _tensor, _error]),
    "pare_parameter_set": (c_int32, [_handle, c_uint32, _tensor, _error]),
    "pare_model_metadata_key": (c_char_p, [_handle, c_uint32]),
    "pare_model_metadata_value": (c_char_p, [_handle, c_uint32]),
    "pare_model_save": (c_int32, [_handle, c_char_p, POINTER(pare_save_options), _run, _error]),
    # mask.h
    "pare_mask_create": (c_int32, [POINTER(c_int64), c_int32, _out_handle, _error]),
    "pare_mask_from": (c_int32, [_tensor, _out_handle, _error]),
    "pare_mask_copy": (c_int32, [_handle, _out_handle, _error]),
    "pare_mask_destroy": (None, [_handle]),
    "pare_mask_ndim": (c_int32, [_handle]),
    "pare_mask_dimension": (c_int64, [_handle, c_int32]),
    "pare_mask_elements": (c_int64, [_handle]),
    "pare_mask_kept": (c_int64, [_handle]),
    "pare_mask_read": (c_int32, [_handle, _tensor, _error]),
    "pare_mask_combine": (c_int32, [_handle, _handle, c_int32, _error]),
    "pare_mask_invert": (c_int32, [_handle, _error]),
    "pare_mask_complies": (c_int32, [_handle, _pattern, POINTER(c_int32), POINTER(c_int64), _error]),
    "pare_mask_coarsen": (c_int32, [_handle, _pattern, c_int32, _out_handle, _error]),
    "pare_mask_select": (c_int32, [_tensor, POINTER(c_int64), c_int32, _pattern, c_double, _out_handle, _error]),
    "pare_select": (c_int32, [_handle, c_char_p, _texts, _tensor, _pattern, c_double, _out_handle, _run, _error]),
    "pare_model_get_mask": (c_int32, [_handle, c_uint32, _out_handle, _error]),
    "pare_model_set_mask": (c_int32, [_handle, c_uint32, _handle, _error]),
    "pare_model_clear_mask": (c_int32, [_handle, c_uint32, _error]),
    "pare_model_save_masks": (c_int32, [_handle, c_char_p, c_int32, _error]),
    "pare_model_load_masks": (c_int32, [_handle, c_char_p, _error]),
    # prune.h
    "pare_prune": (c_int32, [_handle, _handle, POINTER(pare_prune_request), _out_handle, _error]),
    "pare_report_destroy": (None, [_handle]),
    "pare_report_json": (c_char_p, [_handle]),
    "pare_report_layer_count": (c_uint32, [_handle]),
    "pare_report_layer_at": (c_int32, [_handle, c_uint32, POINTER(pare_report_layer), _error]),
    "pare_report_sparsity": (c_double, [_handle]),
    "pare_measure": (c_int32, [_handle, _handle, c_char_p, _texts, _out_handle, _error]),
    # graph.h
    "pare_graph_node_count": (c_uint32, [_handle]),
    "pare_graph_value_count": (c_uint32, [_handle]),
    "pare_graph_node": (c_int32, [_handle, c_uint32, POINTER(pare_node_info), _error]),
    "pare_graph_value": (c_int32, [_handle, c_uint32, POINTER(pare_value_info), _error]),
    "pare_graph_node_input": (c_int32, [_handle, c_uint32, c_uint32]),
    "pare_graph_node_output": (c_int32, [_handle, c_uint32, c_uint32]),
    "pare_graph_value_reader": (c_int32, [_handle, c_uint32, c_uint32]),
    "pare_graph_attribute_name": (c_char_p, [_handle, c_uint32, c_uint32]),
    "pare_graph_attribute_text": (c_char_p, [_handle, c_uint32, c_char_p]),
    "pare_graph_totals": (c_int32, [_handle, POINTER(c_int64), POINTER(c_int64), POINTER(c_uint32), _error]),
}
