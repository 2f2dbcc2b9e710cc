"""The asyncio loop that `async def` handlers run on, in a thread of its own.

Owns the loop, its tasks and their cancellation. Rust signals cancelled requests and streams with
room through a pipe, so that no tokio thread ever waits for the interpreter, and no thread waits for
a client. Never matches a route.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from .._host import BodyStream, HostApi

_log = logging.getLogger("snaxum")

STOP_TIMEOUT_S = 5.0


Start = Callable[..., Coroutine[Any, Any, None]]


class LoopThread:
    """Runs coroutines for requests; `on_cancelled` receives cancelled requests without one."""

    def __init__(self, host: HostApi, on_cancelled: Callable[[int], None]) -> None:
        self._host = host
        self._on_cancelled = on_cancelled
        self._loop = asyncio.new_event_loop()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        # By request, the streams that wait for room.
        self._room: dict[int, asyncio.Future[None]] = {}
        self._new: deque[tuple[int, Start, tuple[Any, ...], contextvars.Context | None]] = deque()
        self._flushes_soon = False
        self._stopping = False
        # Whether `end_requests` timed out.
        self._is_stuck = False
        self._thread = threading.Thread(target=self._run, name="asyncio-loop", daemon=True)
        self._thread.start()

    def spawn(
        self,
        request_id: int,
        start: Start,
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> None:
        """Run `start(*args)` as a task, in a copy of `context`; safe from any thread."""
        self._new.append((request_id, start, args, context))
        self._host.wake_loop()

    def forget(self, request_id: int) -> None:
        """Drop a task that is ending."""
        self._tasks.pop(request_id, None)

    async def send(self, stream: BodyStream, chunk: bytes) -> bool:
        """Send a chunk once there is room for it; False when the client is gone."""
        while (sent := stream.try_send(chunk, self._host)) is None:
            room = self._room[stream.id] = self._loop.create_future()
            try:
                await room
            finally:
                del self._room[stream.id]
        return sent

    def flush_soon(self) -> None:
        """Send the responses of this iteration of the loop together, at its end."""
        if not self._flushes_soon:
            self._flushes_soon = True
            self._loop.call_soon(self._flush)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    def requests(self) -> list[int]:
        """List the ids of the requests on the loop."""
        return sorted(self._tasks.copy())

    def end_requests(self) -> None:
        """Cancel the tasks of requests, and wait for their end. The loop still runs, for hooks."""

        async def cancel() -> None:
            tasks = list(self._tasks.values())
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

        ending = asyncio.run_coroutine_threadsafe(cancel(), self._loop)
        self._is_stuck = not concurrent.futures.wait([ending], STOP_TIMEOUT_S).done

    def stop(self) -> None:
        """Cancel all tasks, close async generators, and end the thread."""
        if self._thread.is_alive():
            self._stopping = True
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(0 if self._is_stuck else STOP_TIMEOUT_S)

    def _flush(self) -> None:
        self._flushes_soon = False
        self._host.flush_wakes()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._host.defer_wakes()
        self._loop.add_reader(self._host.wake_fd, self._on_wake)
        while not self._stopping:
            try:
                self._loop.run_forever()
            except BaseException:  # a user's task or callback raised SystemExit
                _log.exception("a background task tried to end the event loop")
        self._loop.remove_reader(self._host.wake_fd)
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self._loop.run_until_complete(asyncio.wait(tasks, timeout=STOP_TIMEOUT_S))
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def _on_wake(self) -> None:
        """Start new tasks, end the tasks of cancelled requests, and resume streams with room."""
        try:
            os.read(self._host.wake_fd, 4096)
        except BlockingIOError:
            return
        new = self._new
        while new:
            request_id, start, args, context = new.popleft()
            # A task runs in a copy of the context that it is made in.
            create = self._loop.create_task
            made = create(start(*args)) if context is None else context.run(create, start(*args))
            self._tasks[request_id] = made
        cancelled, with_room = self._host.take_signals()
        for request_id in cancelled:
            # Dropped here: a task that is cancelled before its first step never calls `forget`.
            task = self._tasks.pop(request_id, None)
            if task is not None:
                task.cancel()
            else:
                self._on_cancelled(request_id)
        for request_id in with_room:
            room = self._room.get(request_id)
            if room is not None and not room.done():
                room.set_result(None)
