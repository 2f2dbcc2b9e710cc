"""Attributes the work of threads to the request that gave it to them, in dev mode.

Owns the hooks of `threading` and of `ThreadPoolExecutor`, by which the calls and the lines of such
a thread belong to the request. Copies no context variable: code gets the same as in production.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from .._runtime import leases
from . import output

# The attribute of a thread, or of a function for a thread pool: the request that made it.
_REQUEST = "_snaxum_request"
# Threads of these packages work for one request after the other.
_POOLS = ("concurrent.futures.", "multiprocessing.", "snaxum.")


def install() -> None:
    """Hook the threads that are started from now on; once a process."""
    thread: Any = threading.Thread
    if hasattr(thread, "_bootstrap_inner") and not hasattr(thread.start, _REQUEST):
        thread.start = _noting(thread.start)
        thread._bootstrap_inner = _working(thread._bootstrap_inner)


def hook_thread_pool(module: Any) -> None:
    """Hook the functions that a `ThreadPoolExecutor` gets."""
    item = module._WorkItem
    item.__init__ = _noting(item.__init__)
    item.run = _working(item.run)


def _noting(method: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a method that is called by a request, to note the request in its object."""

    def noting(self: Any, *args: Any, **kwargs: Any) -> Any:
        request = leases.attributed_request()
        if request is not None and not _is_pool(self):
            setattr(self, _REQUEST, request)
        return method(self, *args, **kwargs)

    setattr(noting, _REQUEST, None)
    return noting


def _is_pool(made: object) -> bool:
    target = getattr(made, "_target", None)
    return f"{getattr(target, '__module__', None)}.".startswith(_POOLS)


def _working(method: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a method that is called in the other thread, to work for the noted request."""

    def working(self: Any, *args: Any, **kwargs: Any) -> Any:
        request = getattr(self, _REQUEST, None)
        if request is None:
            return method(self, *args, **kwargs)
        before = leases.help_request(request)
        try:
            return method(self, *args, **kwargs)
        finally:
            output.end_lines()
            leases.help_request(before)

    return working
