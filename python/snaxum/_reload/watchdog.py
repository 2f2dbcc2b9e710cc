"""Interrupts a load that takes too long.

Owns a thread that logs the stack of a slow load, and interrupts it at the time limit. Never
interrupts a handler.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
import traceback
from types import FrameType, TracebackType

from .._core import own_files
from .._debug.traceback import mask_printed

_log = logging.getLogger("snaxum")

_NOT_USER = (*own_files.PREFIXES, "<frozen ")
# No program sends it for another purpose, and the default is to ignore it.
_WAKE = signal.SIGURG
# A load that swallows the exception is interrupted again after this time.
_AGAIN_S = 1.0


class LoadInterrupted(BaseException):
    """Raised in a module that takes too long to load."""


class Watchdog:
    """Watches loads in the thread that constructs it; use it as a context manager."""

    def __init__(self, show_after_s: float, interrupt_after_s: float) -> None:
        self._show_after_s = show_after_s
        self._interrupt_after_s = interrupt_after_s
        self._thread = threading.get_ident()
        self._native = threading.current_thread() is threading.main_thread()
        self._condition = threading.Condition()
        self._watched = 0
        self._is_watching = False
        # The stack that was logged, for the report of the reload.
        self.stack: str | None = None
        threading.Thread(target=self._run, name="load-watchdog", daemon=True).start()

    def __enter__(self) -> Watchdog:
        self.stack = None
        if self._native:
            signal.signal(_WAKE, self._on_wake)
        with self._condition:
            self._is_watching = True
            self._watched += 1
            self._condition.notify()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._condition:
            self._is_watching = False
            self._condition.notify()

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._is_watching)
                load = self._watched
                if self._ends_within(load, self._show_after_s):
                    continue
            self._log_stack()
            with self._condition:
                if self._ends_within(load, self._interrupt_after_s - self._show_after_s):
                    continue
                while self._is_watching and load == self._watched:
                    self._interrupt()
                    self._ends_within(load, _AGAIN_S)

    def _ends_within(self, load: int, seconds: float) -> bool:
        return self._condition.wait_for(
            lambda: not self._is_watching or load != self._watched, max(0.0, seconds)
        )

    def _log_stack(self) -> None:
        frame = sys._current_frames().get(self._thread)
        stack = traceback.extract_stack(frame) if frame is not None else []
        user = [each for each in stack if not each.filename.startswith(_NOT_USER)]
        self.stack = mask_printed("".join(traceback.format_list(user)))
        _log.warning(
            "a module has been loading for %g s; the last good code is still serving\n%s",
            self._show_after_s,
            self.stack.rstrip(),
        )

    def _interrupt(self) -> None:
        if self._native:
            # A signal also ends a blocking system call, such as a sleep or a read.
            signal.pthread_kill(self._thread, _WAKE)
            return
        import ctypes  # large, and rarely needed

        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(self._thread), ctypes.py_object(LoadInterrupted)
        )

    def _on_wake(self, number: int, frame: FrameType | None) -> None:
        if self._is_watching:
            raise LoadInterrupted(
                f"loading was interrupted after {self._interrupt_after_s:g} s; move slow work "
                "into a function, or raise `load-timeout`"
            )
