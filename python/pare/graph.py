"""Looking at a model's graph. Nothing here changes it."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, Dict, List, NamedTuple, Optional, Tuple, Union, overload

from . import _abi
from ._arrays import dtype_name
from ._calls import Handle, call, decode, encode, shape_tuple
from ._library import lib


class Totals(NamedTuple):
    """Sums for one sample. `unknown_nodes`: how many nodes could have MACs that are not counted."""

    macs: int
    parameters: int
    unknown_nodes: int


class Value:
    """A tensor that flows along the graph, or a parameter.

    Attributes:
        index: position in `Graph.values`.
        shape: None where not known; None for single dimensions that are not known.
        dtype: "float32" …; empty where not known.
        parameter: index of the parameter that it is, or None.
    """

    def __init__(self, graph: Graph, index: int) -> None:
        info = _abi.pare_value_info()
        call(lib.pare_graph_value, graph._handle.address, index, ctypes.byref(info))
        self._graph = graph
        self.index = index
        self.name = decode(info.name)
        self.shape: Optional[Tuple[Optional[int], ...]] = None
        if info.ndim >= 0:
            self.shape = tuple(None if size < 0 else size for size in shape_tuple(info.shape, info.ndim))
        self.dtype = dtype_name(info.dtype)
        self.parameter: Optional[int] = None if info.parameter < 0 else info.parameter
        self._producer: int = info.producer
        self._readers: int = info.readers

    @property
    def producer(self) -> Optional[Node]:
        """The node that computes it; None for an input or a parameter."""
        return None if self._producer < 0 else self._graph.nodes[self._producer]

    @property
    def readers(self) -> List[Node]:
        """The nodes that read it."""
        address = self._graph._handle.address
        found = (lib.pare_graph_value_reader(address, self.index, index) for index in range(self._readers))
        return [self._graph.nodes[node] for node in found if node >= 0]

    def __repr__(self) -> str:
        shape = "?" if self.shape is None else "×".join("?" if size is None else str(size) for size in self.shape)
        return f"<Value {self.name!r} {self.dtype or '?'} {shape or 'scalar'}>"


class Node:
    """One operation of the graph.

    Attributes:
        index: position in `Graph.nodes`, which is an order of execution.
        op: ONNX operator, "Conv".
        domain: "" for ONNX's own operators.
        macs: multiply-accumulates of one sample; None where not known.
        parameters: elements of the parameters that it reads.
        known: False for an operator that Pare does not know: kept untouched, never pruned through.
    """

    def __init__(self, graph: Graph, index: int) -> None:
        info = _abi.pare_node_info()
        call(lib.pare_graph_node, graph._handle.address, index, ctypes.byref(info))
        self._graph = graph
        self.index = index
        self.name = decode(info.name)
        self.op = decode(info.op)
        self.domain = decode(info.domain)
        self.macs: Optional[int] = None if info.macs < 0 else info.macs
        self.parameters: int = info.parameters
        self.known = bool(info.known)
        self._inputs: int = info.inputs
        self._outputs: int = info.outputs
        self._attributes: int = info.attributes

    def _values(self, function: Any, count: int) -> List[Optional[Value]]:
        found = (function(self._graph._handle.address, self.index, index) for index in range(count))
        return [None if value < 0 else self._graph.values[value] for value in found]

    @property
    def inputs(self) -> List[Optional[Value]]:
        """Its inputs in order; None for an optional one left out."""
        return self._values(lib.pare_graph_node_input, self._inputs)

    @property
    def outputs(self) -> List[Optional[Value]]:
        return self._values(lib.pare_graph_node_output, self._outputs)

    @property
    def attributes(self) -> Dict[str, str]:
        """Attributes in ONNX's text form, "[1, 1]"."""
        address = self._graph._handle.address
        names = (decode(lib.pare_graph_attribute_name(address, self.index, i)) for i in range(self._attributes))
        return {
            name: decode(lib.pare_graph_attribute_text(address, self.index, encode(name, "the name"))) for name in names
        }

    def __repr__(self) -> str:
        return f"<Node {self.index} {self.op} {self.name!r}>"


class _Nodes(Sequence[Node]):
    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def __len__(self) -> int:
        return int(lib.pare_graph_node_count(self._graph._handle.address))

    @overload
    def __getitem__(self, index: int) -> Node: ...
    @overload
    def __getitem__(self, index: slice) -> List[Node]: ...
    def __getitem__(self, index: Union[int, slice]) -> Union[Node, List[Node]]:
        chosen = range(len(self))[index]
        return Node(self._graph, chosen) if isinstance(chosen, int) else [Node(self._graph, i) for i in chosen]


class _Values(Sequence[Value]):
    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def __len__(self) -> int:
        return int(lib.pare_graph_value_count(self._graph._handle.address))

    @overload
    def __getitem__(self, index: int) -> Value: ...
    @overload
    def __getitem__(self, index: slice) -> List[Value]: ...
    def __getitem__(self, index: Union[int, slice]) -> Union[Value, List[Value]]:
        chosen = range(len(self))[index]
        return Value(self._graph, chosen) if isinstance(chosen, int) else [Value(self._graph, i) for i in chosen]


class Graph:
    """The graph of a model: `nodes` in an order of execution, `values` between them. Sequences, read on demand."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    @property
    def nodes(self) -> Sequence[Node]:
        return _Nodes(self)

    @property
    def values(self) -> Sequence[Value]:
        return _Values(self)

    @property
    def totals(self) -> Totals:
        """Multiply-accumulates and parameter elements for one sample."""
        macs, parameters, unknown = ctypes.c_int64(), ctypes.c_int64(), ctypes.c_uint32()
        call(
            lib.pare_graph_totals,
            self._handle.address,
            ctypes.byref(macs),
            ctypes.byref(parameters),
            ctypes.byref(unknown),
        )
        return Totals(macs.value, parameters.value, unknown.value)

    def __repr__(self) -> str:
        return f"<Graph: {len(self.nodes)} nodes, {len(self.values)} values>"
