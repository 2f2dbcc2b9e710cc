"""Puts the lines that a request prints on the terminal below a head with its method, path and id.

Owns when a head is needed: requests run at the same time, and their lines alternate. Changes no
line, and delays none. Output that no person reads has no heads.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from .._runtime import leases
from . import output
from .redact import mask_text

# The lines of one request have a new head after a pause: another line may be between them.
PAUSE_S = 0.2


class Heads:
    """The request whose lines are at the end of the terminal."""

    __slots__ = ("_describe", "_last", "_now", "_request")

    def __init__(
        self, describe: Callable[[int], str | None], now: Callable[[], float] = time.monotonic
    ) -> None:
        """Make the heads of requests that `describe` knows."""
        self._describe = describe
        self._now = now
        self._request: int | None = None
        self._last = 0.0

    def head(self) -> str:
        """Return the head that the next line of the caller needs, or an empty text."""
        request, now = leases.attributed_request(), self._now()
        before, last = self._request, self._last
        # Two threads may both write a head: no lock is worth its wait.
        self._request, self._last = request, now
        if request is None or (request == before and now - last < PAUSE_S):
            return ""
        described = self._describe(request)
        if described is None:
            return ""
        return f" {time.strftime('%H:%M:%S')}  {mask_text(described)}  #{request} prints:\n"


def install(describe: Callable[[int], str | None]) -> None:
    """Write heads on the terminal from now on."""
    heads = Heads(describe)
    for stream in output.streams_of_terminal():
        stream.head_of = heads.head
