"""Exceptions. Each status of the library has a class; classes are grouped as the numbers are."""

from __future__ import annotations

from typing import Dict, Type

from . import _abi
from ._library import lib


class PareError(Exception):
    """Something that libpare refused or could not do. ``str()`` is one sentence that says everything.

    Attributes:
        status: number of the failure (``PARE_E_…``), stable across versions.
        name: its name, ``"PARE_E_FORMAT"``.
        where: file, tensor, node, option or plugin; may be empty.
        found: what was there; may be empty.
        expected: what should have been there; may be empty.
        hint: what to try next; may be empty.
    """

    status: int = _abi.PARE_E_INTERNAL

    def __init__(
        self, message: str, *, where: str = "", found: str = "", expected: str = "", hint: str = "", status: int = 0
    ) -> None:
        # The parts become the sentence that the library would have written.
        whole = f"{where}: {message}" if where else message
        whole += f"; found {found}" if found else ""
        whole += f"; expected {expected}" if expected else ""
        whole += f" ({hint})" if hint else ""
        super().__init__(whole)
        self.message = whole
        self.where = where
        self.found = found
        self.expected = expected
        self.hint = hint
        if status:
            self.status = status

    def __str__(self) -> str:
        return self.message

    @property
    def name(self) -> str:
        text: bytes = lib.pare_status_name(self.status)
        return text.decode()


class RequestError(PareError, ValueError):
    """The request is wrong (1xx)."""


class ArgumentError(RequestError):
    """A value is out of range or makes no sense."""

    status = _abi.PARE_E_ARGUMENT


class OptionError(RequestError):
    """An option of a plugin is unknown, of the wrong type or out of its range."""

    status = _abi.PARE_E_OPTION


class NotFoundError(RequestError, KeyError):
    """There is no plugin, parameter, file or node of that name."""

    status = _abi.PARE_E_NOT_FOUND


class UnsupportedError(RequestError):
    """A valid request that this plugin, format or library does not offer."""

    status = _abi.PARE_E_UNSUPPORTED


class StateError(RequestError):
    """The right call at the wrong moment."""

    status = _abi.PARE_E_STATE


class NothingToDoError(RequestError):
    """A strict request would have changed nothing."""

    status = _abi.PARE_E_NOTHING_TO_DO


class DataError(PareError, ValueError):
    """The data is wrong (2xx)."""


class FormatError(DataError):
    """A file is malformed, truncated or inconsistent."""

    status = _abi.PARE_E_FORMAT


class ShapeError(DataError):
    """Shapes do not fit."""

    status = _abi.PARE_E_SHAPE


class DTypeError(DataError, TypeError):
    """The element type is unknown or not usable here."""

    status = _abi.PARE_E_DTYPE


class NonFiniteError(DataError):
    """NaN or infinity where a finite number is needed."""

    status = _abi.PARE_E_NONFINITE


class MissingDataError(DataError):
    """A file names another one, such as a shard, that is not there."""

    status = _abi.PARE_E_MISSING


class ResourceError(PareError):
    """A resource is missing (3xx)."""


class OutOfMemoryError(ResourceError, MemoryError):
    """Memory could not be had."""

    status = _abi.PARE_E_MEMORY


class FileError(ResourceError):
    """Reading or writing failed: permission, full disk, a device error."""

    status = _abi.PARE_E_IO


class Cancelled(PareError):
    """A progress callback answered False. Nothing was changed."""

    status = _abi.PARE_E_CANCELLED


class PluginError(PareError):
    """A plugin is at fault (5xx)."""


class PluginLoadError(PluginError):
    """Not a loadable library, or one without the entry function."""

    status = _abi.PARE_E_PLUGIN_LOAD


class PluginVersionError(PluginError):
    """Made for another version of the plugin interface."""

    status = _abi.PARE_E_PLUGIN_VERSION


class DuplicatePluginError(PluginError):
    """A plugin of that kind and id is already there."""

    status = _abi.PARE_E_PLUGIN_DUPLICATE


class PluginFaultError(PluginError):
    """A plugin broke its contract: NaN score, wrong count, failed call."""

    status = _abi.PARE_E_PLUGIN_FAULT


class InternalError(PareError):
    """Pare itself is at fault (9xx). Please report it."""

    status = _abi.PARE_E_INTERNAL


class PluginWarning(UserWarning):
    """A plugin of the search path was left out because it could not be loaded."""


_RANGES: Dict[int, Type[PareError]] = {
    1: RequestError,
    2: DataError,
    3: ResourceError,
    4: Cancelled,
    5: PluginError,
}


def _by_status() -> Dict[int, Type[PareError]]:
    found: Dict[int, Type[PareError]] = {}
    waiting = [PareError]
    while waiting:
        parent = waiting.pop()
        for child in parent.__subclasses__():
            waiting.append(child)
            if "status" in vars(child):
                found[child.status] = child
    return found


_CLASSES = _by_status()


def error_class(status: int) -> Type[PareError]:
    """Class of a status; an unknown number falls to its range."""
    return _CLASSES.get(status) or _RANGES.get(status // 100, InternalError)


def from_record(status: int, record: _abi.pare_error) -> PareError:
    """The exception for a failed call and the error record that it filled."""

    def text(raw: bytes) -> str:
        return raw.decode("utf-8", "replace")

    error = error_class(status)(text(record.message) or f"the call failed with status {status}", status=status)
    error.where = text(record.where)
    error.found = text(record.found)
    error.expected = text(record.expected)
    error.hint = text(record.hint)
    return error
