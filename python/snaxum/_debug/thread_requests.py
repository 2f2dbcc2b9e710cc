"""Attributes the work of threads to the request that gave it to them, in dev mode.

Owns the hooks of `threading` and of `ThreadPoolExecutor`, by which the calls and the lines of such
a thread belong to the request. Copies no context variable: code gets the same as in production.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

from .._runtime import leases
from . import output
from .profile_tree import kind_of

# The attribute of a thread, or of a function for a thread pool: the request that made it.
_REQUEST = "_snaxum_request"


def install() -> None:
    """Hook the threads that are started from now on; once a process."""
    thread: Any = threading.Thread
    if hasattr(thread, "_bootstrap_inner") and not hasattr(thread.start, _REQUEST):
        # A thread that a library starts works for one request after the other.
        thread.start = _noting(thread.start, is_of_user=True)
        thread._bootstrap_inner = _working(thread._bootstrap_inner)


def hook_thread_pool(module: Any) -> None:
    """Hook the functions that a `ThreadPoolExecutor` gets."""
    item = module._WorkItem
    item.__init__ = _noting(item.__init__)
    item.run = _working(item.run)


def _noting(method: Callable[..., Any], *, is_of_user: bool = False) -> Callable[..., Any]:
    """Wrap a method that a request calls, if `is_of_user` from the user's code, to note it."""

    def noting(self: Any, *args: Any, **kwargs: Any) -> Any:
        request = leases.attributed_request()
        if request is not None and (
            not is_of_user or kind_of(sys._getframe(1).f_code.co_filename) == "user"
        ):
            setattr(self, _REQUEST, request)
        return method(self, *args, **kwargs)

    setattr(noting, _REQUEST, None)
    return noting


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
