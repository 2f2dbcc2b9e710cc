"""WebSockets: the objects that their handlers get.

Owns `WebSocket` and its blocking counterpart. The connection itself is a
`Link`, which the server provides. Never reads a frame, and never runs a handler.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

from ._core.json_decoding import DecodingError, loads
from ._core.json_encoding import dumps
from .headers import Headers, Pairs, QueryParams, ResponseHeaders
from .http_errors import GivenHeaders
from .request import Request

# The most bytes of the reason in a close frame (RFC 6455, 5.5).
MAX_REASON = 123
# The codes that a close frame may have, but for 3000 to 4999.
_CODES = frozenset((1000, 1001, 1002, 1003, *range(1007, 1015)))

# The code of a close without a frame: the client has disconnected.
ABNORMAL = 1006


class WebSocketClosed(Exception):
    """The WebSocket is closed: nothing more is sent or received.

    `code` is that of the close frame, 1005 for a frame without one, and 1006 without a frame, when
    the client has disconnected. `reason` is its text.
    """

    def __init__(self, code: int, reason: str = "") -> None:
        self.code: int = code
        self.reason: str = reason
        super().__init__(f"the WebSocket is closed: {code}{f' ({reason})' if reason else ''}")


class InvalidMessage(ValueError):
    """A message of the client that is not JSON; where it is not caught, it closes with 1007."""


class Link(Protocol):
    """The connection of one WebSocket, as a server provides it.

    A message is a str or bytes; the close is a tuple of its code and its reason.
    """

    @property
    def subprotocol(self) -> str | None: ...
    @property
    def is_stale(self) -> bool: ...
    def accept(self, subprotocol: str | None = None, headers: Pairs = ()) -> None:
        """Complete the handshake. Raises RuntimeError if it is complete."""

    def try_receive(self) -> str | bytes | tuple[int, str] | None:
        """Return the next message or the close; None if there is neither yet."""

    def try_send(self, message: str | bytes) -> bool | None:
        """Send; None without room, False if it is closed."""

    async def wait(self) -> None:
        """Wait until one of these two may return something else."""

    def receive(self) -> str | bytes | tuple[int, str]:
        """Block until there is a message or the close."""

    def send(self, message: str | bytes) -> bool:
        """Block until there is room, and send; False if it is closed."""

    def close(self, code: int, reason: str) -> None: ...
    def closed(self) -> tuple[int, str] | None: ...
    def on_close(self, call: Callable[[], None]) -> None:
        """Call a function once it is closed, in any thread; at once if it is."""


class _Socket:
    """The attributes that both kinds of WebSocket have."""

    __slots__ = ("__weakref__", "_link", "request")

    request: Request

    def __init__(self, request: Request, link: Link) -> None:
        self.request = request
        self._link = link

    @property
    def path(self) -> str:
        """The path of the handshake, percent-decoded."""
        return self.request.path

    @property
    def path_params(self) -> dict[str, Any]:
        """The converted values of the route's parameters."""
        return self.request.path_params

    @property
    def query_params(self) -> QueryParams:
        """The parameters after `?`; the last value of a name wins."""
        return self.request.query_params

    @property
    def headers(self) -> Headers:
        """The headers of the handshake, by name in any case."""
        return self.request.headers

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies of the handshake."""
        return self.request.cookies

    @property
    def state(self) -> Any:
        """Values of your own by name, beside the values of layers in Rust."""
        return self.request.state

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that both sides know, if there is one."""
        return self._link.subprotocol

    @property
    def is_stale(self) -> bool:
        """Whether newer code serves: a reload does not close a WebSocket or change its handler."""
        return self._link.is_stale

    @property
    def closed(self) -> bool:
        """Whether it is closed; messages that arrived before can still be received."""
        return self._link.closed() is not None

    @property
    def close_code(self) -> int | None:
        """The code of the close, as in `WebSocketClosed`; None while it is open."""
        closed = self._link.closed()
        return None if closed is None else closed[0]

    @property
    def close_reason(self) -> str:
        """The text of the close; empty without one."""
        closed = self._link.closed()
        return "" if closed is None else closed[1]

    def _on_close(self, call: Callable[[], None]) -> None:
        """Call a function once it is closed."""
        self._link.on_close(call)

    def _accept(self, subprotocol: str | None, headers: GivenHeaders) -> None:
        self._link.accept(subprotocol, ResponseHeaders(headers).multi_items())

    def _close(self, code: int, reason: str) -> None:
        is_known = isinstance(code, int) and (code in _CODES or 3000 <= code < 5000)
        if not is_known:
            raise ValueError(
                f"{code!r} is not a code to close with; use 1000, or your own of 4000 to 4999"
            )
        self._link.close(code, short_reason(reason))

    def _error(self) -> WebSocketClosed:
        return WebSocketClosed(*(self._link.closed() or (ABNORMAL, "")))

    def __repr__(self) -> str:
        state = f"closed: {self.close_code}" if self.closed else "open"
        return f"<{type(self).__name__} {self.path} {state}>"

    if not TYPE_CHECKING:  # for a type checker, an unknown attribute is an error

        def __getattr__(self, name: str) -> Any:
            kind = type(self).__name__
            if instead := _ELSEWHERE.get(name):
                raise AttributeError(f"a {kind} has no `{name}`; {instead}")
            raise AttributeError(f"a {kind} has no `{name}`; its handshake is `ws.request`")


class WebSocket(_Socket):
    """A WebSocket of an `async def` handler.

    The handshake completes when the handler first uses it, or first waits for something. Until then
    the handler can still respond otherwise, for example `abort(403)`. When the handler returns, the
    WebSocket is closed with 1000; when it raises, with 1011.
    """

    __slots__ = ()

    async def accept(self, subprotocol: str | None = None, headers: GivenHeaders = None) -> None:
        """Complete the handshake now, with a subprotocol and headers of your own.

        Not needed otherwise. Raises RuntimeError if it is complete already, and TypeError or
        ValueError for a header that cannot be sent.
        """
        self._accept(subprotocol, headers)

    async def send(self, message: str | bytes) -> None:
        """Send a text or binary message, once there is room for it.

        At most 1 MiB waits for the client, or one larger message. Raises WebSocketClosed.
        """
        if type(message) is not str and type(message) is not bytes:
            message = _plain(message)
        while (sent := self._link.try_send(message)) is None:
            await self._link.wait()
        if not sent:
            raise self._error()

    async def receive(self) -> str | bytes:
        """Wait for the client's next message: a text is a str, a binary message is bytes.

        Raises WebSocketClosed after the last one.
        """
        while (message := self._link.try_receive()) is None:
            await self._link.wait()
        if isinstance(message, tuple):
            raise WebSocketClosed(*message)
        return message

    async def send_json(self, value: object) -> None:
        """Send a value as JSON, in a text message. Raises WebSocketClosed, and TypeError."""
        await self.send(dumps(value).decode())

    async def receive_json(self) -> Any:
        """Wait for the client's next message, and parse it.

        Raises WebSocketClosed, and InvalidMessage for one that is not JSON.
        """
        return _parsed(await self.receive())

    def close(self, code: int = 1000, reason: str = "") -> Awaitable[None]:
        """Close it after the messages that wait, unless it is closed; `await` is optional.

        `code` is one of 1000 to 1014 that RFC 6455 allows, or 3000 to 4999; 123 bytes of
        `reason` are sent. Raises ValueError for another code.
        """
        self._close(code, reason)
        return _Done()

    def __aiter__(self) -> AsyncIterator[str | bytes]:
        """Iterate over the client's messages until it is closed, by either side."""
        return self

    async def __anext__(self) -> str | bytes:
        while (message := self._link.try_receive()) is None:
            await self._link.wait()
        if isinstance(message, tuple):
            raise StopAsyncIteration
        return message


class BlockingWebSocket(_Socket):
    """A WebSocket of a `def` handler, which has a thread of its own: its methods block."""

    __slots__ = ()

    def accept(self, subprotocol: str | None = None, headers: GivenHeaders = None) -> None:
        """Complete the handshake now, as `WebSocket.accept`."""
        self._accept(subprotocol, headers)

    def send(self, message: str | bytes) -> None:
        """Send a message once there is room for it. Raises WebSocketClosed."""
        if type(message) is not str and type(message) is not bytes:
            message = _plain(message)
        if not self._link.send(message):
            raise self._error()

    def receive(self) -> str | bytes:
        """Wait for the client's next message. Raises WebSocketClosed after the last one."""
        message = self._link.receive()
        if isinstance(message, tuple):
            raise WebSocketClosed(*message)
        return message

    def send_json(self, value: object) -> None:
        """Send a value as JSON, in a text message. Raises WebSocketClosed, and TypeError."""
        self.send(dumps(value).decode())

    def receive_json(self) -> Any:
        """Wait for the client's next message, and parse it, as `WebSocket.receive_json`."""
        return _parsed(self.receive())

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close it, as `WebSocket.close`."""
        self._close(code, reason)

    def __iter__(self) -> Iterator[str | bytes]:
        """Iterate over the client's messages until it is closed, by either side."""
        return self

    def __next__(self) -> str | bytes:
        message = self._link.receive()
        if isinstance(message, tuple):
            raise StopIteration
        return message


current: ContextVar[_Socket | None] = ContextVar("snaxum_websocket", default=None)
"""The WebSocket that the caller is the handler of, or a task that the handler has started."""


def short_reason(reason: str) -> str:
    """Shorten a reason to the bytes that a close frame has room for."""
    encoded = reason.encode("utf-8", "replace")
    return encoded[:MAX_REASON].decode("utf-8", "ignore")


class _Done:
    """An awaitable whose work is done."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, None]:
        return
        yield


def _plain(message: object) -> str | bytes:
    if isinstance(message, str):
        return str.__str__(message)
    if isinstance(message, (bytes, bytearray, memoryview)):
        return bytes(message)
    kind = type(message).__name__
    raise TypeError(f"a message is a str or bytes, not {kind}; `send_json` sends other values")


def _parsed(message: str | bytes) -> Any:
    try:
        return loads(message.encode() if isinstance(message, str) else message)
    except DecodingError as error:
        raise InvalidMessage(f"the message is not valid JSON: {error}") from None


_RECEIVE = "use `ws.receive()`: a text is a str, a binary message is bytes"
# The names of other frameworks, and what they are here.
_ELSEWHERE = {
    "receive_text": _RECEIVE,
    "receive_bytes": _RECEIVE,
    "recv": _RECEIVE,
    "receive_data": _RECEIVE,
    "send_text": "use `ws.send(text)`",
    "send_bytes": "use `ws.send(data)`",
    "send_str": "use `ws.send(text)`",
    "send_data": "use `ws.send(...)`",
    "iter_text": "use `async for message in ws`",
    "iter_bytes": "use `async for message in ws`",
    "iter_json": "use `ws.receive_json()`",
    "query": "use `ws.query_params`",
    "args": "use `ws.query_params`",
    "url": "use `ws.path`, and `ws.request.query_string`",
    "client_state": "use `ws.closed`",
    "application_state": "use `ws.closed`",
}
