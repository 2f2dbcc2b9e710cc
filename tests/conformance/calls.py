"""The calls of applications by tests: a test opens one, and the server's application finds it by a
header.

Owns what a test shares with the application in the same process: the application itself, its
exception, the messages that no client can see. Never sends a request.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Any

HEADER = "x-conformance-call"
# An application that takes longer hangs.
LIMIT_S = 10.0


class Call:
    """One request of a test to one application."""

    def __init__(self, app: Callable[..., Any], overrides: dict[str, Any]) -> None:
        self.app = app
        # The parts of scope or environ that a proxy or a deployment would set, not the server.
        self.overrides = overrides
        self.has_begun = False
        self.error: BaseException | None = None
        # The last message of each type that the application has sent.
        self.sent: dict[str, Any] = {}
        self._is_done = threading.Event()

    def end(self) -> None:
        """Record that the application has returned, or raised."""
        self._is_done.set()

    def wait(self, limit: float = LIMIT_S) -> bool:
        """Wait until the application has ended, if the server has called it."""
        return not self.has_begun or self._is_done.wait(limit)


_numbers = itertools.count(1)
_calls: dict[str, Call] = {}
# The address of the server, once it is known.
address = ("127.0.0.1", 0)
# The test that runs now, and the requests of each test.
current_test = ""
requests: dict[str, int] = {}


def open_call(app: Callable[..., Any], **overrides: Any) -> tuple[str, Call]:
    """Register a call; returns the value of its header, too."""
    key = str(next(_numbers))
    call = _calls[key] = Call(app, overrides)
    requests[current_test] = requests.get(current_test, 0) + 1
    return key, call


def begin(key: str) -> Call:
    """Return the call that a request names."""
    call = _calls.pop(key)
    call.has_begun = True
    return call
