"""Runs the functions that handlers pass to `background`, after the response has been sent.

Owns them from the call of `background` to their end: their bound, their generation, their failures
and the wait for them at the stop. Rust reports that a response has been sent, to the overseer.
Imported with the first of them, because asyncio is large.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .._core import handlers
from .._core.objects import is_awaitable
from .._host import Exchange, HostApi
from ..http import HTTPError
from . import leases
from .leases import Lease

if TYPE_CHECKING:
    from .event_loop import LoopThread

_log = logging.getLogger("snaxum")

# The functions that run at once in threads; further ones wait.
MAX_THREADS = 32
# The most functions in one list for the console.
MAX_LISTED = 100


@dataclass(eq=False)
class _Job:
    """A call that is to be made, and the request that it was declared in."""

    request: int
    function: Callable[..., object]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    lease: Lease
    context: contextvars.Context
    declared_at: float = field(default_factory=time.monotonic)

    @property
    def name(self) -> str:
        inner = handlers.innermost(self.function)
        qualname = getattr(inner, "__qualname__", None) or type(inner).__qualname__
        return f"{getattr(inner, '__module__', '')}.{qualname}"

    @property
    def is_async(self) -> bool:
        return handlers.is_async(handlers.innermost(self.function))

    def call(self) -> object:
        return self.function(*self.args, **self.kwargs)


class Background:
    """The functions of this process that are to run after a response, or do so now."""

    def __init__(
        self, host: HostApi, loop: Callable[[], LoopThread], limit: int, *, is_observed: bool
    ) -> None:
        """Let up to `limit` functions wait; `is_observed`: report each to the console."""
        self._host = host
        self._loop = loop
        self._limit = limit
        self._is_observed = is_observed
        self._changed = threading.Condition()
        # The unfinished ones.
        self._jobs: set[_Job] = set()
        # The same by request, until its response has been sent.
        self._declared: dict[int, list[_Job]] = {}
        self._threads = ThreadPoolExecutor(MAX_THREADS, "snaxum-background")
        # A loop refers to its tasks weakly, so they could be collected while they wait.
        self._tasks: set[asyncio.Task[None] | None] = set()

    def add(
        self,
        exchanges: Mapping[int, Exchange],
        function: Callable[..., object],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> None:
        """Take a function of the calling handler; see `snaxum.background`.

        `exchanges` has the requests that have left their dispatch worker.
        """
        exchange = self._host.dispatched()
        request = exchange.id if exchange is not None else leases.request_id()
        generation = leases.for_caller()
        if request is None or generation is None:
            raise RuntimeError(
                "`background` was called outside of a request; call it in the handler, before a "
                "thread of your own"
            )
        with self._changed:
            if len(self._jobs) >= self._limit:
                detail = "too many background functions are waiting"
                raise HTTPError(503, detail, [("retry-after", "1")])
            context = contextvars.copy_context()
            job = _Job(request, function, args, kwargs, Lease(generation), context)
            self._jobs.add(job)
            self._declared.setdefault(request, []).append(job)
        exchange = exchange or exchanges.get(request)
        if exchange is None or not exchange.report_when_sent():
            self.run(request)

    def run(self, request: int) -> None:
        """Start the functions of a request: its response has been sent."""
        with self._changed:  # the handler may add one in another thread
            jobs = self._declared.pop(request, None)
        if not jobs:
            return
        if all(job.is_async for job in jobs):
            asyncio.run_coroutine_threadsafe(self._run_on_loop(jobs), self._loop().loop)
        else:
            self._threads.submit(self._run_in_thread, jobs)

    def drop(self, request: int) -> None:
        """Run none of the functions of a request: its handler has failed."""
        with self._changed:
            jobs = self._declared.pop(request, None)
        if jobs:
            names = ", ".join(job.name for job in jobs)
            _log.warning("background: %s does not run, because the handler failed", names)
            for job in jobs:
                self._end(job)

    def close(self, timeout: float) -> None:
        """Wait for the functions, at most `timeout` seconds; log the unfinished ones."""
        with self._changed:
            self._changed.wait_for(lambda: not self._jobs, timeout)
            left = sorted({job.name for job in self._jobs})
        if left:
            names = ", ".join(left)
            _log.warning("background: %s had not ended at the stop", names)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def describe(self) -> list[dict[str, Any]]:
        """List the functions that have not ended, oldest first; at most `MAX_LISTED`."""
        jobs = sorted(self._jobs.copy(), key=lambda job: job.declared_at)[:MAX_LISTED]
        now = time.monotonic()
        return [
            {
                "function": job.name,
                "request": str(job.request),
                "generation": job.lease.generation.number,
                "age_ms": (now - job.declared_at) * 1e3,
            }
            for job in jobs
        ]

    def _run_in_thread(self, jobs: list[_Job]) -> None:
        for job in jobs:
            leases.pin_thread(job.lease.generation, job.request)
            began = time.monotonic()
            try:
                result = job.context.run(job.call)
                if is_awaitable(result):
                    self._await_on_loop(job, result).result()
                self._report(job, began)
            except CancelledError:
                pass  # the loop has stopped
            except BaseException as error:
                self._fail(job, error)
            finally:
                leases.unpin_thread()  # first: the lease reports whether its generation is in use
                self._end(job)

    def _await_on_loop(self, job: _Job, awaitable: Any) -> Future[object]:
        async def wait() -> object:
            leases.pin_task(job.lease.generation, job.request)
            return await awaitable

        loop = self._loop().loop
        return job.context.run(asyncio.run_coroutine_threadsafe, wait(), loop)

    async def _run_on_loop(self, jobs: list[_Job]) -> None:
        this = asyncio.current_task()
        self._tasks.add(this)
        try:
            await self._run_in_turn(jobs)
        finally:
            self._tasks.discard(this)

    async def _run_in_turn(self, jobs: list[_Job]) -> None:
        for job in jobs:
            leases.pin_task(job.lease.generation, job.request)
            began = time.monotonic()
            try:
                # A task runs in a copy of the context that it is made in.
                task = job.context.run(asyncio.ensure_future, _await(job))
                await task
                self._report(job, began)
            except asyncio.CancelledError:
                pass  # the loop has stopped
            except BaseException as error:
                self._fail(job, error)
            finally:
                self._end(job)

    def _report(self, job: _Job, began: float) -> None:
        if self._is_observed:
            took = (time.monotonic() - began) * 1e3
            line = f"background: {job.name} ended after {took:.1f} ms"
            self._host.print(job.request, "stderr", line, False)

    def _fail(self, job: _Job, error: BaseException) -> None:
        _log.error("background: %s raised", job.name, exc_info=error)

    def _end(self, job: _Job) -> None:
        job.lease.end()
        with self._changed:
            self._jobs.discard(job)
            self._changed.notify_all()


async def _await(job: _Job) -> None:
    leases.pin_task(job.lease.generation, job.request)
    result = job.call()
    if isinstance(result, Awaitable):
        await result
