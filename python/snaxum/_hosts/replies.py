"""The ways of an application's response that Python is a part of: to observers and then the client,
or to the hooks of its route.

Owns both kinds of `Reply`; without one, Rust sends the response itself. Never knows a message of
ASGI.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Protocol, cast

from .._core.chunks import AsyncChunks
from .._host import BodyStream, Exchange, to_json
from .._runtime import respond
from .._runtime.event_loop import LoopThread
from .._runtime.generations import Generation
from ..headers import HeaderList
from ..http import HTTPError, Response
from ..routing import Route
from . import noted, responses
from .failures import describe_failure
from .found_route import record_route
from .scope import AsgiScope

# How long a response of 500 waits for the exception that its application may still raise, so that
# the console can show both.
HOLD_S = 0.1


class Reply(Protocol):
    """Sends one response."""

    def whole(self, status: int, headers: HeaderList, body: bytes) -> None:
        """Send a response that is complete."""

    def file(self, status: int, headers: HeaderList, path: str) -> None:
        """Send a file. Raises OSError, and then nothing was sent."""

    def begin(self, status: int, headers: HeaderList) -> None:
        """Begin a response whose body follows in chunks."""

    async def chunk(self, body: bytes) -> bool:
        """Send a chunk once there is room for it; False if the client has left."""

    def finish(self, trailers: HeaderList | None = None) -> None:
        """End the body, perhaps with fields after it."""

    def refuse(self, status: int, detail: str) -> None:
        """Fail the response, which has not begun: its request cannot be read."""


class DirectReply:
    """Sends a response to its client, and its times and exceptions to observers."""

    def __init__(
        self, exchange: Exchange, generation: Generation, route: Route, loop: LoopThread
    ) -> None:
        self._exchange = exchange
        self._generation = generation
        self._route = route
        self._loop = loop
        self.stream: BodyStream | None = None
        # The scope of the request, to which the application adds the route that it has found.
        self.scope: AsgiScope = {}
        # The exceptions that the application has logged, in dev mode.
        self.noted: list[BaseException] = []
        # A response of 500 that is not sent yet.
        self._delayed: tuple[int, HeaderList, bytes] | None = None

    def whole(self, status: int, headers: HeaderList, body: bytes) -> None:
        if respond.is_observed and status >= 500:
            noted.note_handled(self.noted, status)
            self._delayed = status, headers, body
            self._loop.loop.call_later(HOLD_S, self.release)
            return
        self._send(status, headers, body)

    def release(self, error: BaseException | None = None) -> bool:
        """Send a delayed response, with the exception that its application has raised.

        Returns whether there was one.
        """
        delayed, self._delayed = self._delayed, None
        if delayed is None:
            return False
        self._record_failure(error)
        self._send(*delayed)
        return True

    def file(self, status: int, headers: HeaderList, path: str) -> None:
        exchange = self._exchange
        if respond.is_timed:
            exchange.returned()
            self.record_route()
        exchange.send_file(self._generation.number, self._route.id, status, headers, path)
        self._loop.flush_soon()

    def begin(self, status: int, headers: HeaderList) -> None:
        exchange = self._exchange
        if respond.is_timed:
            exchange.returned()
            self.record_route()
        if respond.is_observed and status >= 500:
            noted.note_handled(self.noted, status)
            self._record_failure(None)
        number, route = self._generation.number, self._route.id
        self.stream = exchange.stream(number, route, status, headers, None)
        self._loop.flush_soon()

    async def chunk(self, body: bytes) -> bool:
        assert self.stream is not None, "`begin` comes first"
        return await self._loop.send(self.stream, body)

    def finish(self, trailers: HeaderList | None = None) -> None:
        assert self.stream is not None, "`begin` comes first"
        self.stream.finish(trailers)

    def record_route(self) -> None:
        """Record the route that the application has found."""
        record_route(self._exchange, self._route, self.scope)

    def refuse(self, status: int, detail: str) -> None:
        number, route = self._generation.number, self._route.id
        self._exchange.fail(number, route, status, detail, [], None)
        self._loop.flush_soon()

    def _record_failure(self, error: BaseException | None) -> None:
        """Send the console an exception, or else the newest of the noted ones."""
        if error is None and self.noted:
            error = self.noted[-1]
        if error is not None:
            self._exchange.raised(to_json(describe_failure(error, self._route)))

    def _send(self, status: int, headers: HeaderList, body: bytes) -> None:
        exchange = self._exchange
        if respond.is_timed:
            exchange.returned()
            self.record_route()
        exchange.respond(self._generation.number, self._route.id, status, headers, body)
        self._loop.flush_soon()


class HandedReply:
    """Hands a response to the hooks of a route, and its body on to the client."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, on_left: Callable[[], None] = lambda: None
    ) -> None:
        """Make one; `on_left` is called if the client leaves before the end of the body."""
        self.response: asyncio.Future[Response] = loop.create_future()
        self._loop = loop
        self.on_left = on_left
        # The exceptions that the application has logged, in dev mode.
        self.noted: list[BaseException] = []
        # One chunk at a time; None is the end.
        self._chunks: asyncio.Queue[bytes | BaseException | None] = asyncio.Queue(1)
        self._is_closed = False

    def whole(self, status: int, headers: HeaderList, body: bytes) -> None:
        self._hand(status, headers, body)

    def file(self, status: int, headers: HeaderList, path: str) -> None:
        with open(path, "rb"):  # raises for the application
            pass
        self._hand(status, headers, Path(path))

    def begin(self, status: int, headers: HeaderList) -> None:
        self._hand(status, headers, AsyncChunks(HandedBody(self, self._loop), cast(Any, bytes)))

    async def chunk(self, body: bytes) -> bool:
        if not self._is_closed:
            await self._chunks.put(body)
        return not self._is_closed

    def finish(self, trailers: HeaderList | None = None) -> None:
        self.end(None)  # hooks have the body, and no fields after it

    def refuse(self, status: int, detail: str) -> None:
        self.fail(HTTPError(status, detail))

    def fail(self, error: BaseException) -> None:
        """Fail the response, or its body if it has begun."""
        if self.response.done():
            self.end(error)
        else:
            self.response.set_exception(error)

    def end(self, error: BaseException | None) -> None:
        """Put the end into the queue, behind a chunk that waits."""
        self._loop.create_task(self._chunks.put(error))

    def close(self) -> None:
        """Drop the body from now on, if it is not over: the client has left."""
        if not self._is_closed:
            self._is_closed = True
            self.on_left()
            while not self._chunks.empty():
                self._chunks.get_nowait()  # wakes a `chunk` that waits for room

    async def next_chunk(self) -> bytes:
        """Wait for the next chunk of the body."""
        chunk = await self._chunks.get()
        if isinstance(chunk, bytes):
            return chunk
        raise StopAsyncIteration if chunk is None else chunk

    def _hand(self, status: int, headers: HeaderList, body: Any) -> None:
        if respond.is_observed and status >= 500:
            noted.note_handled(self.noted, status)
        if not self.response.done():
            self.response.set_result(responses.make(status, headers, body))


class HandedBody(AsyncIterator[bytes]):
    """The body of a response that is handed to hooks, which may drop it."""

    def __init__(self, reply: HandedReply, loop: asyncio.AbstractEventLoop) -> None:
        self._reply = reply
        self._loop = loop

    async def __anext__(self) -> bytes:
        return await self._reply.next_chunk()

    async def aclose(self) -> None:
        self._reply.close()

    def __del__(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._reply.close)
        except RuntimeError:
            pass  # the loop has ended
