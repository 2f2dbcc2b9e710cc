"""An application in place of a handler, as its route knows it.

Owns the type. `_hosts` has the applications.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object  # each one takes long to make

Start = Callable[..., Coroutine[Any, Any, None]]


class Hosted(Protocol):
    """Runs requests, and WebSockets, of an application as tasks of the loop."""

    @property
    def start(self) -> Start: ...
    @property
    def start_websocket(self) -> Start: ...
