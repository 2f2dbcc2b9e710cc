"""Passes an HTTP request of another server to the project, and its response back.

Both bodies pass as they arrive, with back-pressure. A client that leaves closes the connection, so
the project sees it. An exception of a handler is raised once its response has been sent, as
frameworks do: the other server logs it, and a test client raises it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from .._hosts.scope import Message
from .._testing import connection
from . import http1, project
from .http1 import BodyReader, ResponseHead

Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


async def respond(directory: str | None, scope: Any, receive: Receive, send: Send) -> None:
    """Pass one request and its response."""
    method = scope["method"]
    # The other server has sent `100 Continue`.
    headers = http1.headers_of(scope, b"expect")
    has_size = any(name == b"content-length" for name, _ in headers)
    first = await receive()
    # Only the messages show whether there is a body of an unknown size.
    while not has_size and not first.get("body") and first.get("more_body"):
        first = await receive()
    if first["type"] == "http.disconnect":
        return
    is_chunked = not has_size and bool(first.get("body"))
    if is_chunked:
        headers.append((b"transfer-encoding", b"chunked"))
    head = http1.request_head(scope, method, [*headers, (b"connection", b"close")])
    reader, writer = await project.connect(directory, scope)
    sender = _BodySender(writer, receive, is_chunked=is_chunked)
    sending = asyncio.ensure_future(sender.send(head, first))
    try:
        try:
            response = await http1.read_head(reader)
            body = BodyReader(reader, response, method)
            await _pass_response(scope, response, body, send)
        except EOFError:
            if sender.error is not None:
                raise sender.error from None
            if sender.has_client_left:
                return
            raise RuntimeError("the response of the project broke off; see its log") from None
        error = _exception_of(response)
    except OSError:
        return  # `send` raises it once the client has left
    finally:
        await project.close(writer, sending)
    if error is not None:
        raise error


async def _pass_response(scope: Any, head: ResponseHead, body: BodyReader, send: Send) -> None:
    extensions = scope.get("extensions") or {}
    has_trailers = "http.response.trailers" in extensions and head.value_of(b"trailer") is not None
    start: Message = {
        "type": "http.response.start",
        "status": head.status,
        "headers": head.end_to_end(),
    }
    if has_trailers:
        start["trailers"] = True
    await send(start)
    async for part, is_last in body.parts():
        await send({"type": "http.response.body", "body": part, "more_body": not is_last})
    if has_trailers:
        await send({"type": "http.response.trailers", "headers": body.trailers})


def _exception_of(response: ResponseHead) -> BaseException | None:
    """Return what the handler has raised, if the response reports it."""
    request = response.value_of(b"x-request-id")
    if response.status != 500 or request is None:
        return None
    return connection.take_exception(request.decode())


class _BodySender:
    """Sends the body of a request, and then waits for the client to leave."""

    def __init__(self, writer: asyncio.StreamWriter, receive: Receive, *, is_chunked: bool) -> None:
        self._writer = writer
        self._receive = receive
        self._is_chunked = is_chunked
        self.has_client_left = False
        # The exception that `receive` has raised.
        self.error: BaseException | None = None

    async def send(self, head: bytes, message: Message) -> None:
        """Send the head and the body, which begins with `message`."""
        self._writer.write(head)
        try:
            has_more = True
            while has_more and message["type"] == "http.request":
                has_more = message.get("more_body", False)
                await self._send_part(bytes(message.get("body") or b""), is_last=not has_more)
                message = await self._receive()
            if message["type"] != "http.disconnect":
                return  # a client of a test, which begins again
        except (ConnectionError, asyncio.CancelledError):
            return  # the response has begun before the end of the body, and ends the connection
        except BaseException as error:
            self.error = error
        else:
            self.has_client_left = True
        self._writer.transport.abort()

    async def _send_part(self, part: bytes, *, is_last: bool) -> None:
        if self._is_chunked:
            framed = b"%x\r\n%b\r\n" % (len(part), part) if part else b""
            part = framed + (b"0\r\n\r\n" if is_last else b"")
        if part:
            self._writer.write(part)
        await self._writer.drain()
