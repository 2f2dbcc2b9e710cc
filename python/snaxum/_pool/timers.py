"""Timers: any number of them on one heap and one thread.

Owns the thread, which starts with the first timer. A callback must be short: the other
timers wait for it.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

_log = logging.getLogger("snaxum")


class Timer:
    """A call that is due at a time; `cancel` prevents it."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call: Callable[[], None] | None = call

    def cancel(self) -> None:
        """Drop the call, unless it has begun."""
        self._call = None

    def run(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            call()


class Timers:
    """Timers that share a thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        # By the time when they are due; with the number, `heapq` compares no timers.
        self._heap: list[tuple[float, int, Timer]] = []
        self._numbers = itertools.count()
        self._thread: threading.Thread | None = None

    def start(self, delay: float, call: Callable[[], None]) -> Timer:
        """Call `call` after `delay` s, in the thread of the timers."""
        timer = Timer(call)
        with self._changed:
            heapq.heappush(self._heap, (time.monotonic() + delay, next(self._numbers), timer))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="snaxum-timers", daemon=True)
                self._thread.start()
            elif self._heap[0][2] is timer:
                self._changed.notify()
        return timer

    def _run(self) -> None:
        while True:
            timer = self._next()
            try:
                timer.run()
            except Exception:
                _log.exception("a timer failed")
            del timer  # its call may refer to much

    def _next(self) -> Timer:
        """Wait for the timer that is due first."""
        with self._changed:
            while True:
                wait = self._heap[0][0] - time.monotonic() if self._heap else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._heap)[2]
                self._changed.wait(wait)


timers = Timers()
