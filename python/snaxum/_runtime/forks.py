"""The child processes of user code: without the server's sockets and pipes, and not waited for.

Owns the hook that runs in a process that user code forks. Such a process has one thread and serves
nothing. Never starts one.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from .._core.limited_calls import call_within

# How long a terminated process may take to end.
TERM_GRACE_S = 0.5

_EXECUTORS = (
    "concurrent.futures.process",
    "loky.process_executor",
    "joblib.externals.loky.process_executor",
)

_calls: list[Callable[[], None]] = []
# How long the stop waits for the helper process of `multiprocessing`.
TRACKER_WAIT_S = 0.5


def install() -> None:
    """Call the functions of `call_in_child` from now on."""
    os.register_at_fork(after_in_child=_become_child)
    if not hasattr(threading.Thread, "_after_fork"):  # before Python 3.13
        os.register_at_fork(before=_forget_dummy)


def call_in_child(call: Callable[[], None]) -> None:
    """Call `call` in each process that is forked from now on."""
    _calls.append(call)


def forget(call: Callable[[], None]) -> None:
    """Undo `call_in_child`."""
    if call in _calls:
        _calls.remove(call)


def _become_child() -> None:
    for call in _calls:
        call()


def _forget_dummy() -> None:
    """Let the forking thread become a main thread: `threading` makes it one only if it is unknown.

    It knows a thread that Rust has started as a dummy, which fails at the end of the child.
    """
    active: Any = threading._active  # type: ignore[attr-defined]
    if isinstance(active.get(threading.get_ident()), threading._DummyThread):
        del active[threading.get_ident()]


def end_children() -> None:
    """End the processes that work for this one, and let exit functions wait for no child.

    The workers of executors and daemonic processes are terminated: their results have no receiver.
    Other processes of `multiprocessing` end by themselves.
    """
    process: Any = sys.modules.get("multiprocessing.process")
    util: Any = sys.modules.get("multiprocessing.util")
    if process is None or util is None:
        return
    ending: list[Any] = []
    for name in _EXECUTORS:
        # The threads of executors, which `concurrent.futures` joins at the exit.
        threads = getattr(sys.modules.get(name), "_threads_wakeups", ())
        for thread in list(threads):
            ending += getattr(thread, "processes", {}).values()
    for child in ending:
        child.terminate()
    # Pools and managers end their processes, and wait for them.
    call_within(TERM_GRACE_S, lambda: util._run_finalizers(0))
    ending += [child for child in process.active_children() if child.daemon]
    for child in ending:
        child.terminate()
    deadline = time.monotonic() + TERM_GRACE_S
    for child in ending:
        child.join(max(0.0, deadline - time.monotonic()))
        if child.is_alive():
            child.kill()
    process._children.clear()


def stop_resource_tracker() -> None:
    """End the helper process of `multiprocessing`, which would exit a moment later."""
    from multiprocessing import resource_tracker

    stop_tracker = getattr(resource_tracker._resource_tracker, "_stop", None)
    if stop_tracker is not None:
        # It waits for the helper, which waits for the processes of user code that share it.
        call_within(TRACKER_WAIT_S, stop_tracker)
