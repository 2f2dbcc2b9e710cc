"""The asyncio loop that `async def` handlers run on, in a thread of its own.

Owns the loop, its tasks and their cancellation. Rust says through a pipe which requests were given
up and which clients have read on, so that no tokio thread ever waits for the interpreter, and no
thread for a client. Never matches a route.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
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
    """Runs coroutines for requests; `give_up` hears of those given up that are not on the loop."""

    def __init__(self, host: HostApi, give_up: Callable[[int], None]) -> None:
        self._host = host
        self._give_up = give_up
        self._loop = asyncio.new_event_loop()
        self._tasks: dict[int, asyncio.Task[None]] = {}
        # Those that have sent more than their clients have read.
        self._room: dict[int, asyncio.Future[None]] = {}
        self._arrived: deque[tuple[int, Start, tuple[Any, ...]]] = deque()
        self._wakes_soon = False
        self._stopping = False
        # Whether something would not end when it was last waited for.
        self._is_stuck = False
        self._thread = threading.Thread(target=self._run, name="asyncio-loop", daemon=True)
        self._thread.start()

    def spawn(self, request_id: int, start: Start, *args: Any) -> None:
        """Run `start(*args)` as a task; safe from any thread."""
        self._arrived.append((request_id, start, args))
        self._host.wake_loop()

    def forget(self, request_id: int) -> None:
        """Let go of a task that is ending."""
        self._tasks.pop(request_id, None)

    async def send(self, stream: BodyStream, chunk: bytes) -> bool:
        """Send a piece once there is room for it; False when the client is gone."""
        while (sent := stream.try_send(chunk, self._host)) is None:
            room = self._room[stream.id] = self._loop.create_future()
            try:
                await room
            finally:
                del self._room[stream.id]
        return sent

    def wake_soon(self) -> None:
        """Let Rust know of the answers given on the loop, once this round of it is over."""
        if not self._wakes_soon:
            self._wakes_soon = True
            self._loop.call_soon(self._wake_now)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    def running(self) -> int:
        """Count the requests that are on the loop."""
        return len(self._tasks)

    def requests(self) -> list[int]:
        """List the ids of the same."""
        return sorted(self._tasks.copy())

    def end_requests(self) -> None:
        """Cancel what runs for requests, and wait for its end. The loop goes on, for hooks."""

        async def cancel() -> None:
            tasks = list(self._tasks.values())
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

        ending = asyncio.run_coroutine_threadsafe(cancel(), self._loop)
        self._is_stuck = not concurrent.futures.wait([ending], STOP_TIMEOUT_S).done

    def stop(self) -> None:
        """Cancel what runs, close async generators, and end the thread."""
        if self._thread.is_alive():
            self._stopping = True
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(0 if self._is_stuck else STOP_TIMEOUT_S)

    def _wake_now(self) -> None:
        self._wakes_soon = False
        self._host.flush_wakes()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._host.defer_wakes()
        self._loop.add_reader(self._host.wake_fd, self._on_ring)
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

    def _on_ring(self) -> None:
        """Start what has arrived, cancel what nobody waits for, go on where there is room."""
        try:
            os.read(self._host.wake_fd, 4096)
        except BlockingIOError:
            return
        arrived = self._arrived
        while arrived:
            request_id, start, args = arrived.popleft()
            self._tasks[request_id] = self._loop.create_task(start(*args))
        given_up, roomy = self._host.take_signals()
        for request_id in given_up:
            # Forgotten here: one that is cancelled before its first step never comes to its end.
            task = self._tasks.pop(request_id, None)
            if task is not None:
                task.cancel()
            else:
                self._give_up(request_id)
        for request_id in roomy:
            room = self._room.get(request_id)
            if room is not None and not room.done():
                room.set_result(None)
