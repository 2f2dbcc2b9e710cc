"""The addresses and locks of the user's code: a second process cannot have them.

Owns an audit hook's records. A trial process, which loads the code beside the serving one, fails
where the serving process has the address; the process after it does not. Never closes a socket.
"""

from __future__ import annotations

import errno
import json
import os
import sys
import time
import weakref
from collections.abc import Callable
from typing import Any

from .report import Failure, Report

# The environment variable that passes the resources of the serving process to a trial.
VARIABLE = "SNAXUM_TRIAL"
# The longest wait for addresses of the process before: a helper of it may end a moment later.
RELEASE_S = 5.0
RETRY_S = 0.25
# The errors, as failures describe them: libraries often raise another type with the same text.
_IN_USE = os.strerror(errno.EADDRINUSE)
_LOCKED = "BlockingIOError"
_LOCK = "lock"

_sockets: list[weakref.ref[Any]] = []
_has_locked = [False]
# The address of the last attempt, or None.
_last: list[str | None] = [None]


def on_bind(args: tuple[Any, ...]) -> None:
    """Record a socket that is about to be bound."""
    socket, address = args
    _last[0] = _name(address) or None
    try:
        _sockets.append(weakref.ref(socket, _sockets.remove))
    except TypeError:
        pass  # not a socket of Python's `socket` module


def on_lock(args: tuple[Any, ...]) -> None:
    """Record a lock of a file."""
    _has_locked[0] = True


EVENTS: dict[str, Callable[[tuple[Any, ...]], None]] = {
    "socket.bind": on_bind,
    "fcntl.flock": on_lock,
    "fcntl.lockf": on_lock,
}


def install() -> None:
    """Record from now on, in a process that records nothing else."""
    sys.addaudithook(lambda event, args: EVENTS[event](args) if event in EVENTS else None)


def held() -> list[str]:
    """List the resources that this process has now."""
    found = {_LOCK} if _has_locked[0] else set()
    for reference in list(_sockets):
        socket = reference()
        try:
            found.add(_name(socket.getsockname()) if socket is not None else "")
        except OSError:
            continue  # it is closed
    return sorted(found - {""})


def is_busy(failure: Failure) -> bool:
    """Report whether a load failed because another process has an address or a lock."""
    texts = (failure["message"], failure["text"])
    return failure["type"] == _LOCKED or any(_IN_USE in text for text in texts)


def last_address() -> str | None:
    """Return the address of the last attempt to bind, and forget it."""
    last, _last[0] = _last[0], None
    return last


def take_from_environment() -> list[str] | None:
    """Return what the serving process has, if this is a trial; user code does not see it."""
    text = os.environ.pop(VARIABLE, None)
    return None if text is None else [str(name) for name in json.loads(text)]


def tolerate(report: Report, resources: list[str]) -> None:
    """Remove the failures of a trial that end with the serving process."""

    def is_ours(failure: Failure) -> bool:
        wanted = _LOCK if failure["type"] == _LOCKED else failure["address"]
        # Without an attempt of this process, a helper process of a library has made one.
        return is_busy(failure) and (wanted is None or wanted in resources)

    report.failures = [one for one in report.failures if not is_ours(one["traceback"])]


def wait_for_release(report: Report, again: Callable[[], Report]) -> Report:
    """Load again as long as only resources of the process before are missing."""
    until = time.monotonic() + RELEASE_S
    while any(is_busy(one["traceback"]) for one in report.failures) and time.monotonic() < until:
        time.sleep(RETRY_S)  # no event reports a free address
        report = again()
    return report


def _name(address: object) -> str:
    if isinstance(address, tuple) and len(address) >= 2:
        return f"port {address[1]}" if address[1] else ""  # the system chooses a free one
    return os.fsdecode(address) if isinstance(address, (str, bytes)) else ""
