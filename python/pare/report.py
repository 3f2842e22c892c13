"""What a prune request did, and what a metric measured."""

from __future__ import annotations

import ctypes
import json
import math
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple, Union

from . import _abi
from ._calls import Handle, call, decode
from ._library import lib


@dataclass(frozen=True)
class LayerReport:
    """One layer of a report.

    Attributes:
        pruned: a mask was made.
        note: why not, or what was padded or skipped; may be empty.
        kept: elements that the mask keeps.
        zeros: elements that are zero now, by the mask or by themselves.
        target: sparsity that the allocator asked for; None if it was not asked.
    """

    name: str
    pruned: bool
    note: str
    elements: int
    kept: int
    zeros: int
    target: Optional[float]

    @property
    def sparsity(self) -> float:
        """Zeros over elements; 0 for an empty layer."""
        return self.zeros / self.elements if self.elements else 0.0


class Report:
    """What a prune request did, or would do.

    Attributes:
        layers: one `LayerReport` per parameter that was considered, in file order.
        sparsity: zeros over elements of the layers that were pruned.
        notes: messages of plugins and things worth knowing.
        gain: what these zeros are good for, in words.
    """

    def __init__(self, handle: Handle) -> None:
        with handle as address:
            self._data: Dict[str, Any] = json.loads(decode(lib.pare_report_json(address)))
            self.sparsity = float(lib.pare_report_sparsity(address))
            self.layers = [_layer(address, index) for index in range(lib.pare_report_layer_count(address))]
        self.notes: List[str] = list(self._data.get("notes", []))
        self.gain = str(self._data.get("gain", ""))

    def to_dict(self) -> Dict[str, Any]:
        """Everything as plain data, ready for JSON; docs/report.md lists the members."""
        copy: Dict[str, Any] = json.loads(json.dumps(self._data))
        return copy

    def __repr__(self) -> str:
        pruned = [layer for layer in self.layers if layer.pruned]
        head = f"<Report: {100 * self.sparsity:.2f} % sparsity in {len(pruned)} of {len(self.layers)} layers>"
        width = max((len(layer.name) for layer in pruned), default=0)
        rows = [f"  {one.name:<{width}}  {one.elements:>12,}  {100 * one.sparsity:6.2f} %" for one in pruned[:40]]
        rows += [f"  … and {len(pruned) - 40} more"] if len(pruned) > 40 else []
        return "\n".join([head, *rows, *([f"  {self.gain}"] if self.gain else [])])


def _layer(address: Optional[int], index: int) -> LayerReport:
    info = _abi.pare_report_layer()
    call(lib.pare_report_layer_at, address, index, ctypes.byref(info))
    return LayerReport(
        name=decode(info.name),
        pruned=bool(info.pruned),
        note=decode(info.note),
        elements=info.elements,
        kept=info.kept,
        zeros=info.zeros,
        target=None if math.isnan(info.target) else info.target,
    )


Number = Union[float, int, None, List[float]]


class Measurement:
    """What a metric said about a model. ``measurement["name"]`` is its number, or series, for the whole model.

    Attributes:
        values: number or series by name, for the whole model.
        layers: the same by layer name, then by name.
        units: unit by name, where there is one: "elements", "bytes", "MACs", "1" for ratios.
    """

    def __init__(self, handle: Handle) -> None:
        with handle as address:
            self._data: Dict[str, Any] = json.loads(decode(lib.pare_report_json(address)))
        self.values: Dict[str, Number] = {}
        self.layers: Dict[str, Dict[str, Number]] = {}
        self.units: Dict[str, str] = {}
        for entry in self._data.get("values", []):
            layer, name = entry["layer"], entry["name"]
            place = self.values if layer is None else self.layers.setdefault(layer, {})
            place[name] = entry["value"]
            if entry.get("unit"):
                self.units[name] = entry["unit"]

    def __getitem__(self, name: str) -> Number:
        return self.values[name]

    def to_dict(self) -> Dict[str, Any]:
        """Everything as plain data, ready for JSON."""
        copy: Dict[str, Any] = json.loads(json.dumps(self._data))
        return copy

    def __repr__(self) -> str:
        parts: List[Tuple[str, Number]] = list(self.values.items())
        inside = ", ".join(f"{name}={value!r}" for name, value in parts[:8])
        return f"<Measurement: {inside}{' …' if len(parts) > 8 else ''}>"
