"""Ends calls of the user's code at a deadline.

Owns the thread that watches the clock. An exception from another thread may arrive between any two
instructions, so it is raised only while the user's own code runs: a library finishes its work, such
as a query or the use of a lock. Calls into C are waited for.
"""

from __future__ import annotations

import _thread
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

from .._core import own_files
from .._reload.user_paths import is_user_file

# The interval between attempts to end a late call.
_RETRY_S = 0.005
# Calls that end late do not use up the time of the others, up to this number.
MAX_LATE = 2
# Libraries that may be interrupted, too: their reprs only call other reprs. By name: importing them
# costs memory, and an unloaded module runs no code.
_INTERRUPTIBLE = ("collections", "dataclasses", "enum", "reprlib")


_T = TypeVar("_T")


class DeadlineExceeded(BaseException):
    """Raised in a call that takes too long."""


class Deadline:
    """One deadline for several calls of a thread. Close it after the last call."""

    def __init__(
        self, seconds: float, own_files: tuple[str, ...] = (), call_seconds: float | None = None
    ) -> None:
        """Code of `own_files` may be interrupted like the user's.

        `call_seconds` bounds each call, too.
        """
        self._own_files = own_files
        self._deadline = time.monotonic() + seconds
        self._call_seconds = seconds if call_seconds is None else call_seconds
        self._late = 0
        # The deadline of the call that runs.
        self._call_deadline = self._deadline
        self._ident = threading.get_ident()
        # Locked while a call is checked and ended, and while one returns.
        self._lock = _thread.allocate_lock()
        # The frame that called, while a call runs.
        self._caller: FrameType | None = None
        # Locked until the deadline is closed; None before the first call.
        self._end: _thread.LockType | None = None

    def is_exceeded(self) -> bool:
        """Report whether the time is up."""
        return time.monotonic() > self._deadline

    def call(self, function: Callable[[object], _T], value: object) -> _T:
        """Return `function(value)`, or raise DeadlineExceeded at the deadline."""
        if self._end is None:
            self._end, begun = _thread.allocate_lock(), _thread.allocate_lock()
            self._end.acquire()
            begun.acquire()
            # Not from `threading`: the reload would attribute the thread to a loading module.
            _thread.start_new_thread(self._watch, (self._end, begun))
            # Before Python 3.12 a new thread has the id of its parent until it runs, and would get
            # the exception that is raised there.
            begun.acquire()
        begun_at = time.monotonic()
        try:
            self._call_deadline = min(self._deadline, begun_at + self._call_seconds)
            self._caller = sys._getframe()
            return function(value)
        finally:
            # An exception that was raised as the call returned arrives here, and none later.
            while self._caller is not None:
                try:
                    with self._lock:
                        self._caller = None
                except DeadlineExceeded:
                    pass
            took = time.monotonic() - begun_at
            if took > self._call_seconds and self._late < MAX_LATE:
                self._late += 1
                self._deadline += took

    def close(self) -> None:
        """Stop the thread that watches the clock."""
        end, self._end = self._end, None
        if end is not None:
            end.release()

    def _watch(self, end: _thread.LockType, begun: _thread.LockType) -> None:
        begun.release()
        first = min(self._call_seconds, self._deadline - time.monotonic())
        if end.acquire(timeout=max(0.0, first)):
            return
        try:
            import ctypes  # large, and rarely needed
        except ImportError:
            return  # calls are waited for
        raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
        thread, error = ctypes.c_ulong(self._ident), ctypes.py_object(DeadlineExceeded)
        while not end.acquire(timeout=_RETRY_S):
            with self._lock:
                if time.monotonic() > self._call_deadline and self._can_interrupt():
                    raise_in(thread, error)

    def _can_interrupt(self) -> bool:
        frame = sys._current_frames().get(self._ident)
        if self._caller is None or frame is self._caller:
            return False
        while frame is not None and frame is not self._caller:
            file = frame.f_code.co_filename
            if file not in self._own_files and not _is_interruptible(file):
                return False
            frame = frame.f_back
        return frame is not None


def _is_interruptible(filename: str) -> bool:
    if filename.startswith("<"):  # generated by a dataclass or a named tuple
        return not filename.startswith((own_files.LABEL, "<frozen "))
    modules = (sys.modules.get(name) for name in _INTERRUPTIBLE)
    if any(getattr(module, "__file__", None) == filename for module in modules):
        return True
    return is_user_file(filename)
