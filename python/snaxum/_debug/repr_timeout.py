"""Ends calls of the user's code that take longer than what is left of a time.

Owns the thread that looks at the clock. An exception from outside may come between any two
instructions, so it is raised only while nothing but the user's own code runs: what a library has
begun, such as a query or the use of a lock, it also ends. What runs in C is waited for.
"""

from __future__ import annotations

import _thread
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

from .._reload.user_paths import is_user_file

# How often a call is looked at whose time is over.
_AGAIN_S = 0.005
# They do nothing but describe, by calling back. By name: to import them costs memory, and what is
# not loaded describes nothing.
_DESCRIBING = ("collections", "dataclasses", "enum", "reprlib")


class OutOfTime(BaseException):
    """Raised in a call that takes too long."""


class TimeBox:
    """The time that several calls of one thread have together. Close it when it is done with."""

    def __init__(self, seconds: float, own_file: str = "") -> None:
        """`own_file` may be left as the user's code may."""
        self._own_file = own_file
        self._deadline = time.monotonic() + seconds
        self._ident = threading.get_ident()
        # Held while a call is looked at and ended, and while one returns.
        self._lock = _thread.allocate_lock()
        # The frame that a call was made from, while one runs.
        self._caller: FrameType | None = None
        # Free once the box is closed; nobody waits for it before the first call.
        self._end: _thread.LockType | None = None

    def is_over(self) -> bool:
        """Tell whether the time is up."""
        return time.monotonic() > self._deadline

    def call(self, function: Callable[[object], str], value: object) -> str:
        """Return `function(value)`, or raise OutOfTime if the time ends first."""
        if self._end is None:
            self._end, begun = _thread.allocate_lock(), _thread.allocate_lock()
            self._end.acquire()
            begun.acquire()
            # Not from `threading`: a module that loads meanwhile would be taken for who started it.
            _thread.start_new_thread(self._watch, (self._end, begun))
            # Before Python 3.12 a thread that has not begun has the number of the one that started
            # it, and would get what is raised there.
            begun.acquire()
        try:
            self._caller = sys._getframe()
            return function(value)
        finally:
            # What was raised as the call returned arrives here, and nothing after this.
            while self._caller is not None:
                try:
                    with self._lock:
                        self._caller = None
                except OutOfTime:
                    pass

    def close(self) -> None:
        """Let go of the thread that looks at the clock."""
        end, self._end = self._end, None
        if end is not None:
            end.release()

    def _watch(self, end: _thread.LockType, begun: _thread.LockType) -> None:
        begun.release()
        if end.acquire(timeout=max(0.0, self._deadline - time.monotonic())):
            return
        try:
            import ctypes  # large, and hardly ever needed
        except ImportError:
            return  # then calls are waited for
        raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
        thread, error = ctypes.c_ulong(self._ident), ctypes.py_object(OutOfTime)
        while not end.acquire(timeout=_AGAIN_S):
            with self._lock:
                if self._is_in_users_code():
                    raise_in(thread, error)

    def _is_in_users_code(self) -> bool:
        frame = sys._current_frames().get(self._ident)
        if self._caller is None or frame is self._caller:
            return False
        while frame is not None and frame is not self._caller:
            file = frame.f_code.co_filename
            if file != self._own_file and not _may_be_left(file):
                return False
            frame = frame.f_back
        return frame is not None


def _may_be_left(filename: str) -> bool:
    if filename.startswith("<"):  # what a dataclass or a named tuple made
        return not filename.startswith(("<snaxum>/", "<frozen "))
    modules = (sys.modules.get(name) for name in _DESCRIBING)
    if any(getattr(module, "__file__", None) == filename for module in modules):
        return True
    return is_user_file(filename)
