"""Hops between the loop and a thread within one request, for hooks around a handler.

Owns the way of a `def` from the loop to a thread that may block, and of a coroutine from there back
to the loop. Changes of context variables cross, too. Never decides what runs where (`hook_chain`).
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import queue
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from .._host import Exchange
from ..http_errors import HTTPError
from . import leases
from .request_threads import Job, RequestThreads

if TYPE_CHECKING:
    from .._pool.request_pool import RequestPool

_T = TypeVar("_T")
_MISSING = object()


class Resources(Protocol):
    """The parts of the runtime that are needed here."""

    hook_threads: RequestThreads
    pools: dict[int, Any]

    def pool_for_request(self, request: int) -> RequestPool: ...


@contextlib.contextmanager
def _pool_of(resources: Resources, exchange: Exchange) -> Iterator[RequestPool]:
    """Make the pool of a request, which ends with it, and report its times after the handler.

    `async_dispatch.run` forgets it: a stream still uses it.
    """
    number = exchange.id
    pool = resources.pools[number] = resources.pool_for_request(number)
    try:
        yield pool
    finally:
        pool.report_to(exchange)


async def call_with_pool(
    resources: Resources, exchange: Exchange, function: Callable[..., Any], request: Any
) -> Any:
    """Await an `async def` handler that gets the pool, on the loop."""
    with _pool_of(resources, exchange) as pool:
        return await function(request, pool)


class ThreadHops:
    """The hops of one request, whose task runs on the loop of the calling thread.

    A thread that waits for the loop runs the jobs that arrive meanwhile, so that a request has one
    thread at most.
    """

    def __init__(self, resources: Resources, exchange: Exchange, handler: str) -> None:
        self._resources = resources
        self._exchange = exchange
        self._handler = handler
        self._loop = asyncio.get_running_loop()
        # The threads that wait for the loop, and the tasks that they wait for.
        self._waiting: list[queue.SimpleQueue[Job | None]] = []
        self._tasks: set[asyncio.Task[Any]] = set()

    async def hop(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function in a thread, and await its result."""
        context = contextvars.copy_context()
        ended: asyncio.Future[tuple[Any, BaseException | None]] = self._loop.create_future()

        def settle(result: Any, error: BaseException | None) -> None:
            if not ended.done():
                ended.set_result((result, error))

        def job() -> None:
            result, raised = None, None
            try:
                result = context.run(function, *args)
            except BaseException as error:
                raised = error
            self._loop.call_soon_threadsafe(settle, result, raised)

        if self._waiting:
            self._waiting[-1].put(job)
        else:
            self._start(job)
        try:
            result, error = await ended
        except asyncio.CancelledError:
            for task in self._tasks:
                task.cancel()
            raise
        adopt(context)
        if error is not None:
            raise error
        return result

    async def hop_with_pool(self, function: Callable[..., Any], request: Any) -> Any:
        """Call a handler that gets the pool in a thread, and await its result."""
        with _pool_of(self._resources, self._exchange) as pool:
            return await self.hop(function, request, pool)

    async def await_with_pool(self, function: Callable[..., Any], request: Any) -> Any:
        """Await an `async def` handler that gets the pool, on the loop."""
        return await call_with_pool(self._resources, self._exchange, function, request)

    def wait(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine on the loop, and wait for its result, in a thread of `hop`."""
        jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        context = contextvars.copy_context()
        tasks: list[asyncio.Task[tuple[_T, contextvars.Context]]] = []

        async def run() -> tuple[_T, contextvars.Context]:
            return await coroutine, contextvars.copy_context()

        def end(task: asyncio.Task[Any]) -> None:
            self._tasks.discard(task)
            jobs.put(None)

        def start() -> None:
            task = context.run(self._loop.create_task, run())
            tasks.append(task)
            self._tasks.add(task)
            task.add_done_callback(end)

        self._waiting.append(jobs)
        try:
            self._loop.call_soon_threadsafe(start)
            while (job := jobs.get()) is not None:
                job()
        finally:
            self._waiting.remove(jobs)  # several may wait, and end in any order
        result, changed = tasks[0].result()
        adopt(changed)
        return result

    def _start(self, job: Job) -> None:
        """Run a job in a thread of its own. Raises HTTPError if none is free."""
        generation = leases.for_caller()
        assert generation is not None, "a request has a generation"
        number, lease = self._exchange.id, leases.Lease(generation)

        def run() -> None:
            leases.pin_thread(generation, number)
            try:
                job()
            finally:
                leases.unpin_thread()
                lease.end()

        if not self._resources.hook_threads.start(number, self._handler, run):
            detail = "too many requests are waiting for a thread"
            raise HTTPError(503, detail, {"retry-after": "1"})


def adopt(context: contextvars.Context) -> None:
    """Set the variables that another thread or task has set in its copy of this context."""
    for variable, value in context.items():
        if variable.get(_MISSING) is not value:
            variable.set(value)
