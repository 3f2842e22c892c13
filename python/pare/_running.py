"""Long calls: progress, cancelling, Ctrl-C."""

from __future__ import annotations

import contextvars
import ctypes
import sys
import threading
import time
from typing import Any, Callable, List, Optional, Union

from . import _abi
from ._calls import call, failure, in_callback

#: What ``progress=`` takes: True for a bar, or a function of (fraction, text) that may return False to cancel.
Progress = Union[bool, None, Callable[[float, str], Optional[bool]]]


class _Bar:
    """A progress bar on standard error: tqdm's where it is installed, else one line of text."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.drawn = 0.0
        self.width = 0
        self.bar: Any = None
        try:
            from tqdm.auto import tqdm
        except ImportError:
            return
        self.bar = tqdm(total=100.0, bar_format="{l_bar}{bar}| {elapsed}<{remaining}")

    def __call__(self, fraction: float, text: str) -> None:
        if self.bar is not None:
            self.bar.set_description(text, refresh=False)
            self.bar.update(100.0 * fraction - self.bar.n)
            return
        now = time.monotonic()
        if now - self.drawn < 0.1 and fraction < 1:
            return
        self.drawn = now
        done = int(30 * fraction)
        line = f"[{'#' * done}{'.' * (30 - done)}] {100 * fraction:3.0f} % {now - self.started:.1f} s {text}"[:100]
        sys.stderr.write("\r" + line.ljust(self.width))
        sys.stderr.flush()
        self.width = len(line)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()
        elif self.width:
            sys.stderr.write("\n")


class Run:
    """The ``pare_run`` of one call. Exceptions of the progress function stop the call and come out of it unchanged."""

    def __init__(self, progress: Progress = None) -> None:
        self._stop = False
        self._error: Optional[BaseException] = None
        self._bar = _Bar() if progress is True else None
        self._report: Optional[Callable[[float, str], Optional[bool]]] = None
        if self._bar is not None:
            self._report = self._bar
        elif callable(progress):
            self._report = progress
        elif progress not in (None, False):
            raise TypeError(f"progress is True, a function or None, not {progress!r}")
        # The functions are kept here for as long as C may call them.
        self._progress = _abi.PROGRESS_FUNCTION(self._on_progress)
        self._keep_going = _abi.KEEP_GOING_FUNCTION(lambda _: 0 if self._stop else 1)
        self.struct = _abi.pare_run(keep_going=self._keep_going)
        if self._report is not None:
            self.struct.progress = self._progress

    def _on_progress(self, _: Any, fraction: float, text: Optional[bytes]) -> None:
        if self._stop or self._report is None:
            return
        try:
            with in_callback():
                if self._report(fraction, (text or b"").decode("utf-8", "replace")) is False:
                    self._stop = True
        except BaseException as error:
            self.interrupt(error)

    def interrupt(self, error: BaseException) -> None:
        """Stop at the next poll; the call then raises `error`. The first one counts."""
        self._error = self._error or error
        self._stop = True

    def __call__(self, function: Callable[..., int], *arguments: Any) -> None:
        """Call `function(*arguments, error)` and raise what it failed with."""
        try:
            if threading.current_thread() is threading.main_thread():
                self._call_interruptibly(function, arguments)
            else:
                call(function, *arguments)
        except BaseException:
            if self._error is not None:
                raise self._error from None
            raise
        finally:
            if self._bar is not None:
                self._bar.close()
        if self._error is not None:
            raise self._error

    def _call_interruptibly(self, function: Callable[..., int], arguments: Any) -> None:
        """Call on a helper thread while this one waits.

        Python handles signals on its main thread only, and only between byte codes: inside a C call Ctrl-C would go
        unnoticed until the end. Nor may it strike inside a callback, whose status would then be garbage.
        """
        record = _abi.pare_error()
        status: List[int] = []
        done = threading.Event()
        context = contextvars.copy_context()

        def work() -> None:
            try:
                status.append(context.run(function, *arguments, ctypes.byref(record)))
            except BaseException as error:
                self.interrupt(error)
            finally:
                done.set()

        worker = threading.Thread(target=work, name="pare", daemon=True)
        worker.start()
        # C still uses the arguments: whatever comes in, this waits until the call has ended.
        while not done.is_set():
            try:
                done.wait()
            except BaseException as error:
                self.interrupt(error)
        if status and status[0] != _abi.PARE_OK:
            raise failure(status[0], record)
