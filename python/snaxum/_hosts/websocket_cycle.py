"""One WebSocket of an ASGI application: its `receive` and `send`.

Owns the order of the messages. `SocketLink` has the connection. Never calls the application.
"""

from __future__ import annotations

import asyncio
from typing import Any

from .._host import Exchange
from .._runtime import respond
from .._runtime.event_loop import LoopThread
from .._runtime.generations import Generation
from .._runtime.sockets import SocketLink
from ..routing import Route
from ..websockets import ABNORMAL, short_reason
from . import responses
from .scope import ClientDisconnected, Message, checked_status, texts_of, unexpected


class WebSocketCycle:
    """The messages of one WebSocket, in both directions."""

    def __init__(
        self,
        link: SocketLink,
        exchange: Exchange,
        generation: Generation,
        route: Route,
        loop: LoopThread,
    ) -> None:
        self._link = link
        self._exchange = exchange
        self._generation = generation
        self._route = route
        self._loop = loop
        self._is_connected = False
        self.is_accepted = False
        # Whether the application has refused the handshake, or the client has left before it.
        self._is_refused = False
        self._is_gone = False
        # The response in place of the handshake: status, headers and the body so far.
        self._denial: tuple[int, list[tuple[str, str]], list[bytes]] | None = None
        self._waiting: list[asyncio.Future[None]] = []

    async def receive(self) -> Message:
        """Wait for the next message of the client, or for the close."""
        if not self._is_connected:
            self._is_connected = True
            return {"type": "websocket.connect"}
        while not (self.is_accepted or self._is_refused or self._is_gone):
            future = self._loop.loop.create_future()
            self._waiting.append(future)
            await future
        if not self.is_accepted:
            return {"type": "websocket.disconnect", "code": ABNORMAL, "reason": ""}
        while (message := self._link.try_receive()) is None:
            await self._link.wait()
        if isinstance(message, str):
            return {"type": "websocket.receive", "text": message}
        if isinstance(message, bytes):
            return {"type": "websocket.receive", "bytes": message}
        code, reason = message
        return {"type": "websocket.disconnect", "code": code, "reason": reason}

    async def send(self, message: Message) -> None:
        """Execute a message of the application."""
        kind = message["type"]
        if not self.is_accepted:
            self._before_accept(kind, message)
        elif kind == "websocket.send":
            await self._send(message)
        elif kind == "websocket.close":
            if self._link.closed() is not None:
                raise ClientDisconnected
            reason = message.get("reason") or ""
            self._link.close(int(message.get("code", 1000)), short_reason(str(reason)))
        else:
            raise unexpected(message, "websocket.send", "websocket.close")

    async def _send(self, message: Message) -> None:
        data: Any = message.get("bytes")
        if data is None:
            data = message.get("text")
        if data is None:
            raise RuntimeError("`websocket.send` has neither `text` nor `bytes`")
        if not isinstance(data, str | bytes):
            data = bytes(data)
        while (sent := self._link.try_send(data)) is None:
            await self._link.wait()
        if not sent:
            raise ClientDisconnected

    def _before_accept(self, kind: str, message: Message) -> None:
        if self._is_gone:
            raise ClientDisconnected
        if self._is_refused:
            raise RuntimeError(f"the application sent `{kind}` after it had refused the WebSocket")
        if self._denial is not None:
            if kind != "websocket.http.response.body":
                raise unexpected(message, "websocket.http.response.body")
            status, headers, chunks = self._denial
            chunks.append(bytes(message.get("body") or b""))
            if not message.get("more_body", False):
                self._refuse(status, headers, b"".join(chunks))
        elif kind == "websocket.accept":
            subprotocol = message.get("subprotocol")
            self._loop.on_left(self._exchange.id, None)
            self._link.accept(subprotocol, texts_of(message.get("headers") or ()))
            self.is_accepted = True
            self._wake()
        elif kind == "websocket.close":
            self._refuse(403, [], b"")
        elif kind == "websocket.http.response.start":
            headers = texts_of(message.get("headers") or ())
            self._denial = checked_status(message["status"]), headers, []
        else:
            raise unexpected(message, "websocket.accept", "websocket.close")

    def _refuse(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        response = responses.make(status, headers, body)
        self._is_refused = True
        respond.send_result(self._exchange, self._generation, self._route, response)
        self._loop.flush_soon()
        self._wake()

    def leave(self) -> None:
        """Let `receive` return that the client has left before the handshake was complete."""
        self._is_gone = True
        self._wake()

    def missing(self) -> RuntimeError | None:
        """Return the error of an application that has returned without a response."""
        if self.is_accepted or self._is_refused or self._is_gone:
            return None
        return RuntimeError("the application returned without accepting or closing the WebSocket")

    def is_expected(self, error: BaseException) -> bool:
        """Report whether an exception only means that the WebSocket is closed."""
        is_closed = self._is_gone or self._link.closed() is not None
        return is_closed and (
            isinstance(error, ClientDisconnected) or type(error).__name__ == "WebSocketDisconnect"
        )

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)
