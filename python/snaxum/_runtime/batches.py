"""Collects requests into batches, and gives each request its own result.

Owns the requests of one handler that wait for a call, and the calls that run. A request waits on
the loop, so thousands can; a call is a `batch_calls.BatchCall`, in a thread, on the loop or in a
worker. A request whose client leaves is taken out; a call that no request waits for is cancelled.
Never sends a response: a result becomes one on the way of its own request.
"""

from __future__ import annotations

import asyncio
import contextvars
import math
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from .._core.served_handlers import ServedHandler
from .._pool.timers import timers
from . import leases
from .batch_calls import BatchCall, Outcome, Waiting, call_of
from .runtime import running

if TYPE_CHECKING:
    from .._pool.handler_pool import HandlerPool
    from .generations import Generation

# The clock of a loop may be so much behind when a timer ends.
CLOCK_STEP_S = 0.001


class Batches:
    """The requests and the calls of one handler."""

    def __init__(self, served: ServedHandler) -> None:
        batch = served.batch
        self._served = served
        self._max_size = batch.max_size if batch else 1
        self._max_wait_s = batch.max_wait_ms / 1e3 if batch else 0.0
        # How many calls may run at once.
        self._limit = served.workers or 1
        self._lock = threading.Lock()
        self._waiting: deque[Waiting] = deque()
        self._running: set[BatchCall] = set()
        # By loop, the timer that checks for a batch that is due; a blocked loop is replaced.
        self._timers: dict[asyncio.AbstractEventLoop, asyncio.TimerHandle] = {}
        # The number of the newest generation with the handler; infinite if later ones have another.
        self._newest: float = 0
        self._pool: HandlerPool | None = None

    async def call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return the result of one request; raise its error."""
        generation = leases.for_caller()
        assert generation is not None, "a request has a generation"
        loop = asyncio.get_running_loop()
        due = time.monotonic() + self._max_wait_s
        waiting = Waiting((args, kwargs), loop, generation, leases.request_id() or 0, due)
        with self._lock:
            self._waiting.append(waiting)
        self._start_due(loop)
        try:
            result, error, trace = await waiting.outcome
        except asyncio.CancelledError:
            self._leave(waiting)
            raise
        if error is not None:
            # Without the lines of the requests that had it before.
            raise error.with_traceback(trace)
        return result

    def start(self, generation: Generation) -> None:
        """Start the workers, and warm each up. Raises what a warm-up raises."""
        served = self._served
        assert served.workers is not None, "only workers are started"
        self._pool = running().pool_of_handler(served)
        self._pool.start(generation)

    def follow(self, generation: Generation | None) -> None:
        """Start the batch that waits: the code of later requests is `generation`.

        Its workers get the other modules of it. None if it has another handler.
        """
        if self._pool is not None and generation is not None:
            self._pool.follow(generation)
        timers: list[tuple[asyncio.AbstractEventLoop, asyncio.TimerHandle]] = []
        with self._lock:
            self._newest = math.inf if generation is None else generation.number
            calls = self._take_due()
            if generation is None:  # otherwise they would refer to the old code for long
                timers = list(self._timers.items())
                self._timers.clear()
        self._start(calls)
        for loop, timer in timers:
            _call_soon(loop, timer.cancel)

    def close(self, timeout: float) -> None:
        """End the workers, after their running calls, at the latest after `timeout` s."""
        if self._pool is not None:
            running().handler_pools.discard(self._pool)
            self._pool.close(timeout)

    def _start_due(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the batches that are full, or have waited long enough; `loop` is the caller's."""
        with self._lock:
            calls = self._take_due()
            wait_s = self._time_to_next()
            if wait_s is not None and loop not in self._timers:
                # In the context of the request it would refer to the generation.
                context = contextvars.Context()
                timer = loop.call_later(wait_s, self._on_timer, loop, context=context)
                self._timers[loop] = timer
        self._start(calls)

    def _on_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timers.pop(loop, None)
        self._start_due(loop)

    def _take_due(self) -> list[BatchCall]:
        calls: list[BatchCall] = []
        while self._waiting and len(self._running) < self._limit and self._is_due():
            call = call_of(self._served, self._take(), self._pool, self._on_end)
            self._running.add(call)
            calls.append(call)
        return calls

    def _is_due(self) -> bool:
        first = self._waiting[0]
        return (
            len(self._waiting) >= self._max_size
            or time.monotonic() >= first.due - CLOCK_STEP_S
            # No more requests join it: no batch runs on two generations.
            or first.generation.number < self._newest
        )

    def _take(self) -> list[Waiting]:
        taken: list[Waiting] = []
        while (
            self._waiting
            and len(taken) < self._max_size
            and (not taken or self._waiting[0].generation is taken[0].generation)
        ):
            taken.append(self._waiting.popleft())
        return taken

    def _time_to_next(self) -> float | None:
        """Return the time until a batch is due; None if the end of a call starts it."""
        if not self._waiting or len(self._running) >= self._limit:
            return None
        return max(0.0, self._waiting[0].due - time.monotonic())

    def _start(self, calls: list[BatchCall]) -> None:
        for call in calls:
            call.start()

    def _on_end(self, call: BatchCall, outcomes: list[Outcome]) -> None:
        """Start the next batch, and give each request its outcome."""
        self._release(call)
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[Waiting, Outcome]]] = {}
        for waiting, outcome in zip(call.requests, outcomes):
            by_loop.setdefault(waiting.loop, []).append((waiting, outcome))
        for loop, ended in by_loop.items():
            _call_soon(loop, _set_outcomes, ended)

    def _release(self, call: BatchCall) -> None:
        """Let another call begin in place of this one."""
        with self._lock:
            self._running.discard(call)
            calls = self._take_due()
            loop = self._waiting[-1].loop if self._time_to_next() is not None else None
        self._start(calls)
        if loop is not None and loop not in self._timers:
            _call_soon(loop, self._start_due, loop)

    def _leave(self, waiting: Waiting) -> None:
        """Take out a request whose client has left; cancel its call if no other waits for it."""
        with self._lock:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
                return
            call = next((call for call in self._running if waiting in call.requests), None)
            if call is None:
                return
            call.left += 1
            if call.left < len(call.requests):
                return
        if call.cancel():
            self._release(call)
        else:
            # A call that does not end no longer blocks the others then.
            timers.start(running().grace, lambda: self._release(call))


def _set_outcomes(ended: list[tuple[Waiting, Outcome]]) -> None:
    for waiting, outcome in ended:
        if not waiting.outcome.done():
            waiting.outcome.set_result(outcome)


def _call_soon(loop: asyncio.AbstractEventLoop, function: Any, *args: Any) -> None:
    try:
        loop.call_soon_threadsafe(function, *args)
    except RuntimeError:
        pass  # it has ended, and its requests with it
