"""The asyncio loop that `async def` handlers run on, in a thread of its own.

Owns the loop, its tasks and their cancellation. Rust signals streams with room through a pipe, so
that no tokio thread ever waits for the interpreter, and no thread waits for a client. If a handler
blocks it for too long, another loop replaces it (`loop_watch`). Never matches a route.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import logging
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._core.hosted import Start
from .._debug import traceback
from .._host import BodyStream, Exchange, HostApi
from ..routing import Route

if TYPE_CHECKING:
    from .._hosted_api import AsgiApplication, HostedApi, HttpCycle

_log = logging.getLogger("snaxum")

STOP_TIMEOUT_S = 5.0
# A loop that runs nothing for so long at the stop is blocked.
RESPONDS_WITHIN_S = 1.0


class LoopThread:
    """Runs coroutines for requests, on `loop`; the thread that adds one calls `on_work`."""

    def __init__(
        self,
        host: HostApi,
        on_work: Callable[[], None],
        loop: asyncio.AbstractEventLoop | None = None,
        exchanges: dict[int, Exchange] | None = None,
        hosted: HostedApi | None = None,
    ) -> None:
        self._host = host
        # Has the requests that come without a dispatch worker.
        self._hosted = hosted
        # The requests that have left their dispatch worker, of all loops.
        self.exchanges = {} if exchanges is None else exchanges
        self._on_work = on_work
        self._loop = loop or asyncio.new_event_loop()
        self._tasks: dict[int, tuple[asyncio.Task[None], Route]] = {}
        # By request, the stream that waits for room; by the negated request, its body that arrives.
        self._room: dict[int, asyncio.Future[None]] = {}
        # By request, the functions that Rust's signals call instead.
        self._watched: dict[int, Callable[[], None]] = {}
        # By request, the functions to call in place of the cancellation of its task.
        self._on_left: dict[int, Callable[[], None]] = {}
        # By request, the tasks that are not made yet.
        self._new: dict[int, tuple[Route, Start, tuple[Any, ...], contextvars.Context | None]] = {}
        self._flushes_soon = False
        self._stopping = False
        # The loop that replaces it, and all loops that still run, in the order of their start.
        self._successor: LoopThread | None = None
        # The requests that have come without a dispatch worker, by their id.
        self._calls: dict[int, HttpCycle] = {}
        self._response_flush = None if hosted is None else hosted.loop_flush(self._loop.call_soon)
        self._family = [self]
        # Whether it has run since `ping`.
        self.is_responding = True
        self._thread = threading.Thread(target=self._run, name="asyncio-loop", daemon=True)
        self._thread.start()

    def spawn(
        self,
        request_id: int,
        route: Route,
        start: Start,
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> None:
        """Run `start(loop, *args)` as a task, in a copy of `context`; safe from any thread."""
        new = self._new
        new[request_id] = route, start, args, context
        if self._successor is not None:
            self._move_new(self._successor)
        elif len(new) > 1:
            return  # the loop was woken for the others, and takes all before it is done
        self._host.wake_loop()
        self._on_work()

    def forget(self, request_id: int) -> None:
        """Drop a task that is ending."""
        self._tasks.pop(request_id, None)
        if self._successor is not None:
            self._stop_if_done()

    def end(self, request_id: int) -> None:
        """Drop the task of a request that is ending, and send its response soon."""
        self.exchanges.pop(request_id, None)
        if not self._flushes_soon:
            self.flush_soon()
        self._tasks.pop(request_id, None)
        if self._successor is not None:
            self._stop_if_done()

    def cancel(self, request_id: int) -> None:
        """Cancel the task of a request, on this loop or one that it has replaced.

        Safe from any thread. Does not wait for a loop.
        """
        for loop in self._family.copy():
            if loop._new.pop(request_id, None) is not None:
                return
            loop._call_soon(loop._cancel, request_id)

    async def send(self, stream: BodyStream, chunk: bytes) -> bool:
        """Send a chunk once there is room for it; False when the client is gone."""
        while (sent := stream.try_send(chunk, self._host)) is None:
            room = self._room[stream.id] = self._loop.create_future()
            try:
                await room
            finally:
                del self._room[stream.id]
        return sent

    def watch(self, request_id: int, call: Callable[[], None]) -> None:
        """Call a function on the loop at each signal of Rust for a request, until `unwatch`."""
        self._watched[request_id] = call

    def unwatch(self, request_id: int) -> None:
        """Undo `watch`."""
        self._watched.pop(request_id, None)

    def forget_call(self, request_id: int) -> None:
        """Drop a request that has come without a dispatch worker, and is ending."""
        self._tasks.pop(request_id, None)
        self._calls.pop(request_id, None)
        self.exchanges.pop(request_id, None)
        if self._successor is not None:
            self._stop_if_done()

    def http_cycle(
        self, application: AsgiApplication, exchange: Exchange, generation: int, reply: Any
    ) -> HttpCycle:
        """Begin the messages of a request for an application, on this loop."""
        hosted, flush = self._hosted, self._response_flush
        assert hosted is not None, "a server has it"
        assert flush is not None, "as above"
        return hosted.http_cycle(application, exchange, self, flush, generation, reply)

    def on_left(self, request_id: int, call: Callable[[], None] | None) -> None:
        """Call a function on the loop if the client leaves, and do not cancel the task; None again
        cancels it."""
        if call is None:
            self._on_left.pop(request_id, None)
        else:
            self._on_left[request_id] = call

    async def receive(self, exchange: Exchange) -> bytes | tuple[int, str]:
        """Wait for the next chunk of a streamed body; see `Exchange.receive`."""
        while (received := exchange.try_receive(self._host)) is None:
            arrival = self._room[-exchange.id] = self._loop.create_future()
            try:
                await arrival
            finally:
                self._room.pop(-exchange.id, None)
        return received

    def create_future(self) -> asyncio.Future[None]:
        return self._loop.create_future()

    def that_runs(self, loop: asyncio.AbstractEventLoop) -> LoopThread | None:
        """Return the loop with this event loop, if it still runs."""
        return next((each for each in self._family.copy() if each._loop is loop), None)

    def flush_soon(self) -> None:
        """Send the responses of this iteration of the loop together, at its end."""
        if not self._flushes_soon:
            self._flushes_soon = True
            self._loop.call_soon(self._flush)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    @property
    def ident(self) -> int | None:
        """The id of its thread."""
        return self._thread.ident

    def requests(self) -> list[int]:
        """List the ids of the requests on this loop and the loops that it has replaced."""
        both = [loop._tasks.copy() | loop._new.copy() for loop in self._family.copy()]
        return sorted(request for requests in both for request in requests)

    def has_requests(self) -> bool:
        if self._tasks or self._new:
            return True
        return self._hosted is not None and self._hosted.has_calls()

    def current(self) -> tuple[int, Route] | None:
        """Return the request whose task runs now, and its route; None for another task."""
        task = asyncio.current_task(self._loop)
        for request, (of_request, route) in self._tasks.copy().items():
            if of_request is task:
                return request, route
        return None

    def task_of(self, request_id: int) -> tuple[LoopThread, asyncio.Task[None]] | None:
        """Return the task of a request, and its loop: this one, or one that it has replaced."""
        for loop in self._family.copy():
            found = loop._tasks.get(request_id)
            if found is not None:
                return loop, found[0]
        return None

    def is_alive(self) -> bool:
        """Report whether its thread has not ended."""
        return self._thread.is_alive()

    def ping(self) -> None:
        """Find out whether the loop runs: `is_responding` becomes true again."""
        self.is_responding = False
        self._call_soon(self._respond)

    def hand_over(self, successor: LoopThread) -> None:
        """Let another loop start the new tasks; this one ends once its own tasks have ended."""
        successor._family = self._family
        self._family.append(successor)
        self._successor = successor
        self._move_new(successor)
        self._call_soon(self._stop_if_done)
        self._host.wake_loop()

    def end_requests(self, timeout: float) -> bool:
        """Cancel the tasks of requests, and wait for their end; False if the loop is blocked.

        The loop still runs, for hooks.
        """
        is_running = threading.Event()
        self._call_soon(is_running.set)
        if not is_running.wait(RESPONDS_WITHIN_S):
            return False

        async def cancel() -> None:
            tasks = [task for task, _ in self._tasks.values()]
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

        ending = asyncio.run_coroutine_threadsafe(cancel(), self._loop)
        concurrent.futures.wait([ending], min(timeout, STOP_TIMEOUT_S))
        return True

    def stop(self) -> None:
        """Cancel all tasks, close async generators, and end the thread."""
        if self._thread.is_alive():
            self._stopping = True
            self._call_soon(self._loop.stop)
            self._thread.join(STOP_TIMEOUT_S)

    def _call_soon(self, function: Callable[..., object], *args: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            pass  # it has ended

    def _move_new(self, successor: LoopThread) -> None:
        for request_id in list(self._new):
            new = self._new.pop(request_id, None)
            if new is not None:
                successor._new[request_id] = new

    def _flush(self) -> None:
        self._flushes_soon = False
        self._host.flush_wakes()

    def _respond(self) -> None:
        self.is_responding = True

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._host.defer_wakes()
        self._loop.add_reader(self._host.wake_fd, self._on_wake)
        while not self._stopping:
            try:
                self._loop.run_forever()
            except BaseException as error:  # a user's task or callback raised SystemExit
                shown = traceback.capture(error, with_locals=False)["text"]
                _log.error("a background task tried to end the event loop\n%s", shown)
        self._family.remove(self)
        self._loop.remove_reader(self._host.wake_fd)
        tasks = asyncio.all_tasks(self._loop)
        if tasks and self._successor is not None:
            _log.warning("%d background tasks end with a loop that was blocked", len(tasks))
        for task in tasks:
            task.cancel()
        if tasks:
            self._loop.run_until_complete(asyncio.wait(tasks, timeout=STOP_TIMEOUT_S))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._host.flush_wakes()
        self._loop.close()

    def _stop_if_done(self) -> None:
        """End a loop that was replaced, once no request is on it."""
        self._loop.remove_reader(self._host.wake_fd)
        if not self._tasks:
            self._stopping = True
            self._loop.stop()

    def _on_wake(self) -> None:
        """Start new tasks, and resume streams with room."""
        if self._successor is not None:
            return  # the wake is for the successor
        try:
            os.read(self._host.wake_fd, 4096)
        except BlockingIOError:
            return
        new = self._new
        while new:  # `spawn` wakes the loop for the first one only
            for request_id in list(new):
                added = new.pop(request_id, None)
                if added is not None:  # else it was cancelled, or the successor has it
                    self._start(request_id, *added)
        self._take_calls()
        for request_id in self._host.take_signals():
            for loop in self._family.copy():
                if loop is self:
                    self._resume(request_id)
                else:
                    loop._call_soon(loop._resume, request_id)

    def _take_calls(self) -> None:
        """Start the requests that have come without a dispatch worker."""
        hosted, flush = self._hosted, self._response_flush
        if hosted is None or flush is None:
            return
        create_task, tasks = self._loop.create_task, self._tasks
        for request_id, exchange, cycle, run, route in hosted.take_calls(self, flush):
            self.exchanges[request_id] = exchange
            self._calls[request_id] = cycle
            task = create_task(run(self, exchange, cycle, request_id))
            if not task.done():  # one of an eager factory of the user's may be
                tasks[request_id] = task, route

    def _start(
        self,
        request_id: int,
        route: Route,
        start: Start,
        args: tuple[Any, ...],
        context: contextvars.Context | None,
    ) -> None:
        coroutine = start(self, *args)
        # A task runs in a copy of the context that it is made in.
        create = self._loop.create_task
        task = create(coroutine) if context is None else context.run(create, coroutine)
        if not task.done():  # one of an eager factory of the user's may be
            self._tasks[request_id] = task, route

    def _cancel(self, request_id: int) -> None:
        on_left = self._on_left.get(request_id)
        if on_left is not None:
            on_left()
            return
        call = self._calls.get(request_id)
        if call is not None:
            call.disconnect()
            return
        # Dropped here: a task that is cancelled before its first step never calls `forget`.
        of_request = self._tasks.pop(request_id, None)
        if of_request is not None:
            of_request[0].cancel()
        if self._successor is not None:
            self._stop_if_done()

    def _resume(self, request_id: int) -> None:
        room = self._room.get(request_id)
        if room is not None and not room.done():
            room.set_result(None)
        watched = self._watched.get(request_id)
        if watched is not None:
            watched()
