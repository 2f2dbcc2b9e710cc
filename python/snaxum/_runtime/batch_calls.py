"""One call of a handler for the requests of a batch: in a thread, on the loop, or in a worker.

Owns the call from its start to its outcomes, in a context of its own (`contextvars`), on the
generation of its requests. Never chooses the requests of a batch (`batches`).
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any

from .._core.batch_results import Arguments, fill_pool, gather, results_in
from .._core.served_handlers import ServedHandler
from .._pool.timers import timers
from ..http_errors import HTTPError
from . import leases
from .generations import Generation
from .leases import Lease
from .runtime import running

if TYPE_CHECKING:
    from .._pool.handler_pool import HandlerPool
    from .._pool.request_pool import RequestPool
    from .._pool.task import Task

# The result of a request, or its error with the traceback.
Outcome = tuple[Any, BaseException | None, TracebackType | None]
OnEnd = Callable[["BatchCall", list[Outcome]], None]


class Waiting:
    """A request that waits for its result."""

    __slots__ = ("arguments", "due", "generation", "loop", "outcome", "request")

    def __init__(
        self,
        arguments: Arguments,
        loop: asyncio.AbstractEventLoop,
        generation: Generation,
        request: int,
        due: float,
    ) -> None:
        """`due`: when its batch starts at the latest, by `time.monotonic`."""
        self.arguments = arguments
        self.loop = loop
        self.generation = generation
        self.request = request
        self.due = due
        self.outcome: asyncio.Future[Outcome] = loop.create_future()


class BatchCall:
    """A call in a thread, which begins with `start` and ends with a call of `on_end`."""

    def __init__(self, served: ServedHandler, requests: list[Waiting], on_end: OnEnd) -> None:
        self.requests = requests
        # How many of them no longer wait.
        self.left = 0
        self._served = served
        self._on_end = on_end
        self._generation = requests[0].generation
        # Its printed lines belong to the first request.
        self._request = requests[0].request
        self._is_cancelled = False
        self._lease = Lease(self._generation, self._request)

    def start(self) -> None:
        if not running().batch_threads.start(self._request, self._served.name, self._run):
            detail = "too many batches are waiting for a thread"
            self._refuse(HTTPError(503, detail, {"retry-after": "1"}))

    def cancel(self) -> bool:
        """End it if possible: no request waits for it. True if it had not begun."""
        self._is_cancelled = True
        waited = running().batch_threads.cancel(self._request)
        if waited:
            self._lease.end()
        return waited

    def _run(self) -> None:
        leases.pin_thread(self._generation, self._request)
        ended: list[Outcome] | BaseException
        try:
            ended = self._outcomes(contextvars.Context().run(self._results))
        except BaseException as error:
            ended = error
        finally:
            leases.unpin_thread()
        self._end(ended)

    def _results(self) -> list[Any]:
        """Call the handler in this thread; return a result for each request."""
        return self._call_handler()

    def _arguments(self, pool: RequestPool | None = None) -> Arguments:
        given = [each.arguments for each in self.requests]
        return fill_pool(given[0], pool) if self._served.batch is None else gather(given, pool)

    def _call_handler(self, pool: RequestPool | None = None) -> list[Any]:
        args, kwargs = self._arguments(pool)
        return self._listed(self._served.handler(*args, **kwargs))

    def _listed(self, returned: Any) -> list[Any]:
        if self._served.batch is None:
            return [returned]
        return results_in(returned, len(self.requests), self._served.handler)

    def _outcomes(self, results: list[Any]) -> list[Outcome]:
        return [
            (None, each, each.__traceback__)
            if isinstance(each, BaseException)
            else (each, None, None)
            for each in results
        ]

    def _refuse(self, error: BaseException) -> None:
        """End it soon, without a call: its end starts the next one, which may be refused, too."""
        timers.start(0, lambda: self._end(error))

    def _end(self, ended: list[Outcome] | BaseException) -> None:
        self._lease.end()
        if isinstance(ended, BaseException):
            ended = [(None, ended, ended.__traceback__)] * len(self.requests)
        self._on_end(self, ended)


class PoolCall(BatchCall):
    """A call in a thread, with the pool, or with the workers of the handler as its pool."""

    _pool: RequestPool | None = None

    def __init__(
        self,
        served: ServedHandler,
        requests: list[Waiting],
        on_end: OnEnd,
        own: HandlerPool | None,
    ) -> None:
        super().__init__(served, requests, on_end)
        self._own = own

    def cancel(self) -> bool:
        waited = super().cancel()
        if self._pool is not None:
            self._pool.cancel()
        return waited

    def _results(self) -> list[Any]:
        self._pool = running().pool_for_request(self._request, self._own)
        if self._is_cancelled:  # `cancel` came before there was one
            self._pool.cancel()
        return self._call_handler(self._pool)


class WorkerCall(BatchCall):
    """A call in a worker of the handler, which a thread waits for."""

    _task: Task | None = None

    def __init__(
        self, served: ServedHandler, requests: list[Waiting], on_end: OnEnd, pool: HandlerPool
    ) -> None:
        super().__init__(served, requests, on_end)
        self._pool = pool

    def cancel(self) -> bool:
        waited = super().cancel()
        self._cancel_task()
        return waited

    def _cancel_task(self) -> None:
        task = self._task
        if task is None:
            return
        task.is_given_up = True
        if not task.future.cancel():
            pool = self._pool
            timers.start(running().grace, lambda: pool.kill_tasks([task]))

    def _results(self) -> list[Any]:
        count = None if self._served.batch is None else len(self.requests)
        task = self._pool.task_for(*self._arguments(), count, self._request)
        self._task = task
        if self._is_cancelled:
            self._cancel_task()
        return self._pool.results_of(task)


class LoopCall(BatchCall):
    """A call of an `async def` handler, as a task of the loop."""

    _task: asyncio.Task[list[Outcome]] | None = None

    def __init__(self, served: ServedHandler, requests: list[Waiting], on_end: OnEnd) -> None:
        super().__init__(served, requests, on_end)
        self._loop = running().loop.loop

    def start(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._start_task)
        except RuntimeError:  # the loop has ended
            self._refuse(asyncio.CancelledError())

    def cancel(self) -> bool:
        self._is_cancelled = True
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._cancel_task)
        return False

    def _start_task(self) -> None:
        # A task runs in a copy of the context that it is made in.
        create = self._loop.create_task
        task: asyncio.Task[list[Outcome]]
        task = self._task = contextvars.Context().run(create, self._await())
        task.add_done_callback(self._on_done)
        if self._is_cancelled:
            task.cancel()

    def _cancel_task(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _await(self) -> list[Outcome]:
        leases.pin_task(self._generation, self._request)
        args, kwargs = self._arguments()
        return self._outcomes(self._listed(await self._served.handler(*args, **kwargs)))

    def _on_done(self, task: asyncio.Task[list[Outcome]]) -> None:
        if task.cancelled():
            self._end(asyncio.CancelledError())
        else:
            error = task.exception()
            self._end(task.result() if error is None else error)


def call_of(
    served: ServedHandler, requests: list[Waiting], pool: HandlerPool | None, on_end: OnEnd
) -> BatchCall:
    """Make the call of a handler for `requests`; `pool` has its workers."""
    if served.with_pool:
        return PoolCall(served, requests, on_end, pool)
    if pool is not None:
        return WorkerCall(served, requests, on_end, pool)
    kind = LoopCall if served.is_async else BatchCall
    return kind(served, requests, on_end)
