"""Interrupts a load that takes too long.

Owns a thread that logs the stack of a slow load, and interrupts it at the time limit. Never
interrupts a handler.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
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
        # The number of loads, and when the last one began.
        self._watched = 0
        self._since = 0.0
        self._is_watching = False
        # Whether the thread waits for a load without a time limit. A notification would compete
        # with the load for the interpreter.
        self._is_idle = False
        # The stack that was logged, for the report of the reload.
        self.stack: str | None = None
        threading.Thread(target=self._run, name="load-watchdog", daemon=True).start()

    def __enter__(self) -> Watchdog:
        self.stack = None
        if self._native and signal.getsignal(_WAKE) != self._on_wake:
            signal.signal(_WAKE, self._on_wake)
        with self._condition:
            self._watched += 1
            self._since = time.monotonic()
            self._is_watching = True
            if self._is_idle:
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

    def _run(self) -> None:
        while True:
            with self._condition:
                self._is_idle = True
                self._condition.wait_for(lambda: self._is_watching)
                self._is_idle = False
            self._watch()

    def _watch(self) -> None:
        """Watch loads until there has been none for as long as a quick one may take."""
        while True:
            with self._condition:
                load = self._watched
                if not self._is_watching:
                    self._condition.wait(self._show_after_s)
                    if load == self._watched:
                        return
                    continue
                if self._wait_until(load, self._show_after_s):
                    continue
            self._log_stack()
            with self._condition:
                if self._wait_until(load, self._interrupt_after_s):
                    continue
                while self._is_current(load):
                    self._interrupt()
                    self._condition.wait(_AGAIN_S)

    def _wait_until(self, load: int, age_s: float) -> bool:
        """Wait until a load has taken `age_s` seconds; report whether it has ended before."""
        self._condition.wait(max(0.0, self._since + age_s - time.monotonic()))
        return not self._is_current(load)

    def _is_current(self, load: int) -> bool:
        return self._is_watching and load == self._watched

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
