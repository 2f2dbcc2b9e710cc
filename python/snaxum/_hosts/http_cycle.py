"""One HTTP request of an ASGI application: its `receive` and `send`.

Owns the order of the messages. A `Reply` sends the response. Never calls the application.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from .._host import Exchange
from .._runtime.event_loop import LoopThread
from ..headers import HeaderList
from .scope import ClientDisconnected, Message, checked_status, texts_of, unexpected


class Reply(Protocol):
    """Sends one response."""

    def whole(self, status: int, headers: HeaderList, body: bytes) -> None:
        """Send a response that is complete."""

    def file(self, status: int, headers: HeaderList, path: str) -> None:
        """Send a file. Raises OSError, and then nothing was sent."""

    async def begin(self, status: int, headers: HeaderList) -> None:
        """Begin a response whose body follows in chunks."""

    async def chunk(self, body: bytes) -> bool:
        """Send a chunk once there is room for it; False if the client has left."""

    def finish(self, trailers: HeaderList | None = None) -> None:
        """End the body, perhaps with fields after it."""

    def refuse(self, status: int, detail: str) -> None:
        """Fail the response, unless it has begun: its request cannot be read."""


class HttpCycle:
    """The messages of one request, in both directions."""

    __slots__ = (
        "_exchange",
        "_headers",
        "_is_body_over",
        "_is_read",
        "_is_streamed",
        "_loop",
        "_reply",
        "_status",
        "_trailers",
        "_waiting",
        "has_begun",
        "is_complete",
        "is_gone",
    )

    def __init__(
        self, exchange: Exchange, loop: LoopThread, reply: Reply, *, is_streamed: bool
    ) -> None:
        self._exchange = exchange
        self._loop = loop
        self._reply = reply
        self._is_streamed = is_streamed
        # Whether the application has all of the request's body.
        self._is_read = False
        self._status: int | None = None
        self._headers: HeaderList = []
        # The fields after the body, if the application has announced some.
        self._trailers: HeaderList | None = None
        # Whether only they are missing.
        self._is_body_over = False
        self.has_begun = False
        self.is_complete = False
        # Whether the client has left, or the request has failed without the application.
        self.is_gone = False
        self._waiting: list[asyncio.Future[None]] = []

    async def receive(self) -> Message:
        """Return the next part of the body, or wait for the end of the request."""
        if not self._is_read and not self.is_gone:
            if not self._is_streamed:
                self._is_read = True
                return {
                    "type": "http.request",
                    "body": self._exchange.body(),
                    "more_body": False,
                }
            received = await self._loop.receive(self._exchange)
            if isinstance(received, bytes):
                self._is_read = not received
                return {"type": "http.request", "body": received, "more_body": bool(received)}
            self._is_read = True
            if not self._exchange.cancelled() and not self.has_begun:
                self._reply.refuse(*received)
            self.disconnect()
        if not self.is_gone and not self.is_complete:
            future = self._loop.loop.create_future()
            self._waiting.append(future)
            await future
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Send a part of the response."""
        kind = message["type"]
        if self.is_gone:
            if self.has_begun and kind == "http.response.body" and not message.get("body"):
                return  # it adds nothing to the response, which the client may have whole
            raise ClientDisconnected
        if self._status is None:
            if kind != "http.response.start":
                raise unexpected(message, "http.response.start")
            status = checked_status(message["status"])
            self._headers = texts_of(message.get("headers") or ())
            self._status = status
            if message.get("trailers", False):
                self._trailers = []
        elif self.is_complete:
            raise RuntimeError(f"the application sent `{kind}` after the end of its response")
        elif self._is_body_over:
            if kind != "http.response.trailers":
                raise unexpected(message, "http.response.trailers")
            self._add_trailers(message)
        elif kind == "http.response.body":
            body = message.get("body") or b""
            if type(body) is not bytes:
                body = bytes(body)
            await self._send_body(body, is_last=not message.get("more_body", False))
        elif kind == "http.response.pathsend" and not self.has_begun:
            self._reply.file(self._status, self._headers, str(message["path"]))
            self._complete()
        else:
            raise unexpected(message, "http.response.body")

    async def _send_body(self, body: bytes, *, is_last: bool) -> None:
        assert self._status is not None
        if is_last and not self.has_begun and self._trailers is None:
            self._reply.whole(self._status, self._headers, body)
            self._complete()
            return
        if not self.has_begun:
            await self._reply.begin(self._status, self._headers)
            self.has_begun = True
            is_due = True  # an empty chunk begins the response, too
        else:
            is_due = bool(body)
        if is_due and not await self._reply.chunk(body):
            self.disconnect()
            raise ClientDisconnected
        if is_last and self._trailers is not None:
            self._is_body_over = True
        elif is_last:
            self._reply.finish()
            self._complete()

    def _add_trailers(self, message: Message) -> None:
        assert self._trailers is not None, "they were announced"
        self._trailers += texts_of(message.get("headers") or ())
        if not message.get("more_trailers", False):
            self._reply.finish(self._trailers)
            self._complete()

    def _complete(self) -> None:
        self.has_begun = self.is_complete = True
        self._wake()

    def disconnect(self) -> None:
        """Let `receive` return that the client has left."""
        self.is_gone = True
        self._wake()

    def missing(self) -> RuntimeError | None:
        """Return the error of an application that has returned too early."""
        if self.is_complete or self.is_gone:
            return None
        if self.has_begun:
            return RuntimeError("the application returned before the end of its response")
        return RuntimeError("the application returned without a response")

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)
