"""Notices that a handler blocks the asyncio loop: names it, and replaces the loop.

Owns the measurement. The loop has to run an empty callback now and then while it has requests. A
handler that blocks it for `REPORT_AFTER_S` is logged with its stack. After the time limit of a
request the loop is replaced, as a dispatch worker is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from .._core.late_log import late_log
from . import leases

if TYPE_CHECKING:
    from .event_loop import LoopThread

_log = late_log()

REPORT_AFTER_S = 1.0
CHECK_EVERY_S = 0.25


class LoopWatch:
    """Checks a loop; `replace` replaces one, unless too many are blocked."""

    def __init__(self, limit_s: float, replace: Callable[[LoopThread], bool]) -> None:
        """Make a watch without a loop; `limit_s` is 0 for no limit."""
        self._limit_s = limit_s
        self._replace = replace
        self._every_s = min(CHECK_EVERY_S, limit_s / 4) if limit_s else CHECK_EVERY_S
        self._loop: LoopThread | None = None
        self._checked_at = 0.0
        self._blocked_s = 0.0
        self._is_reported = False

    def check(self, loop: LoopThread) -> float | None:
        """Return the time until the next check; None if the loop has no requests."""
        now = time.monotonic()
        # A late check proves nothing: the interpreter, or the whole process, may have been stopped.
        since = min(now - self._checked_at, 2 * self._every_s)
        self._checked_at = now
        if loop is self._loop and not loop.is_responding:
            self._blocked_s += since
            self._on_blocked(loop)
            return self._every_s
        self._loop, self._blocked_s, self._is_reported = loop, 0.0, False
        if not loop.has_requests():
            return None
        loop.ping()
        return self._every_s

    def _on_blocked(self, loop: LoopThread) -> None:
        if self._blocked_s >= REPORT_AFTER_S and not self._is_reported:
            self._is_reported = self._report(loop)
        if self._limit_s and self._blocked_s >= self._limit_s and self._replace(loop):
            _log.error(
                "the event loop was blocked for %g s; another one replaces it", self._limit_s
            )

    def _report(self, loop: LoopThread) -> bool:
        """Log what blocks the loop; False if no code of the user or a library does."""
        current = loop.current()
        from .._debug.stack import of_user

        stack = of_user(loop.ident or 0)
        if not stack:
            return False
        who = "a background task"
        if current is not None:
            request, route = current
            who = f"{route.handler_name} of {route.pattern} (request {request})"
            leases.speak_for(request)
        _log.warning(
            "%s has blocked the event loop for %g s, and no other async handler runs meanwhile; "
            "await an async library or `asyncio.to_thread`, or make it a `def` handler\n%s",
            who,
            REPORT_AFTER_S,
            stack,
        )
        leases.speak_for(None)
        return True
