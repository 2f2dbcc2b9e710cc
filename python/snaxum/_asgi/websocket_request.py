"""Passes a WebSocket of another server to the project, and its messages in both directions.

The frames of the client end at the other server; they are made again for the connection to the
project. Pings of the project end here: the other server sends its own.
"""

from __future__ import annotations

import asyncio
import struct
from typing import Any

from .._core import websocket_frames as frames
from .._hosts.scope import Message
from . import http1, project
from .http1 import BodyReader, ResponseHead
from .http_request import Receive, Send

_OF_HANDSHAKE = (
    b"sec-websocket-accept",
    b"sec-websocket-extensions",
    b"sec-websocket-key",
    b"sec-websocket-protocol",
    b"sec-websocket-version",
)
# A code for a connection that ends without one, which may be sent.
INTERNAL_ERROR = 1011
NORMAL = 1000


async def serve(directory: str | None, scope: Any, receive: Receive, send: Send) -> None:
    """Pass one WebSocket, to its end."""
    if (await receive())["type"] != "websocket.connect":
        return
    head = http1.request_head(scope, "GET", _handshake(scope))
    reader, writer = await project.connect(directory, scope)
    writer.write(head)
    from_client = asyncio.ensure_future(_pass_to_project(receive, writer))
    try:
        response = await http1.read_head(reader)
        if response.status == 101:
            await _accept(response, send)
            await _pass_to_client(reader, writer, send)
        else:
            await _deny(scope, response, BodyReader(reader, response, "GET"), send)
    except EOFError:
        error = from_client.exception() if from_client.done() else None
        if error is not None or not from_client.done():
            await send({"type": "websocket.close", "code": INTERNAL_ERROR, "reason": ""})
        if error is not None and not isinstance(error, ConnectionError):
            raise error from None
    except OSError:
        pass  # `send` raises it once the client has left
    finally:
        await project.close(writer, from_client)


def _handshake(scope: Any) -> http1.RawHeaders:
    headers = http1.headers_of(scope, *_OF_HANDSHAKE)
    headers += [
        (b"connection", b"upgrade"),
        (b"upgrade", b"websocket"),
        (b"sec-websocket-version", b"13"),
        (b"sec-websocket-key", frames.new_key().encode()),
    ]
    if names := ", ".join(scope.get("subprotocols") or ()):
        headers.append((b"sec-websocket-protocol", names.encode()))
    return headers


async def _accept(response: ResponseHead, send: Send) -> None:
    subprotocol = response.value_of(b"sec-websocket-protocol")
    accept: Message = {
        "type": "websocket.accept",
        "subprotocol": None if subprotocol is None else subprotocol.decode("latin-1"),
        "headers": response.end_to_end(*_OF_HANDSHAKE),
    }
    await send(accept)


async def _deny(scope: Any, response: ResponseHead, body: BodyReader, send: Send) -> None:
    """Pass a response that is not a WebSocket; without the extension, the server sends a 403."""
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": NORMAL, "reason": ""})
        return
    headers = response.end_to_end()
    start = {"type": "websocket.http.response.start", "status": response.status, "headers": headers}
    await send(start)
    async for part, is_last in body.parts():
        message: Message = {"type": "websocket.http.response.body", "body": part}
        await send({**message, "more_body": not is_last})


async def _pass_to_project(receive: Receive, writer: asyncio.StreamWriter) -> None:
    try:
        await _pass_messages(receive, writer)
    except BaseException:
        writer.transport.abort()  # the project sees that the client is gone
        raise


async def _pass_messages(receive: Receive, writer: asyncio.StreamWriter) -> None:
    while True:
        message = await receive()
        if message["type"] != "websocket.receive":
            break
        text, data = message.get("text"), message.get("bytes")
        if data is None:
            writer.write(frames.encode(frames.TEXT, (text or "").encode()))
        else:
            writer.write(frames.encode(frames.BINARY, bytes(data)))
        await writer.drain()
    code = message.get("code", frames.NO_STATUS)
    if code in (None, frames.ABNORMAL):
        writer.transport.abort()
        return
    reason = str(message.get("reason") or "")
    payload = frames.encode_close(None if code == frames.NO_STATUS else code, reason)
    writer.write(frames.encode(frames.CLOSE, payload))
    writer.close()


async def _pass_to_client(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, send: Send
) -> None:
    parts, kind = [], frames.BINARY
    while True:
        is_last, opcode, payload = await _frame(reader)
        if opcode == frames.PING:
            writer.write(frames.encode(frames.PONG, payload))
        elif opcode == frames.CLOSE:
            break
        elif opcode != frames.PONG:
            kind = opcode if opcode != frames.CONTINUATION else kind
            parts.append(payload)
            if is_last:
                await send(_message(kind, b"".join(parts)))
                parts.clear()
    writer.write(frames.encode(frames.CLOSE, payload))
    code, reason = frames.decode_close(payload)
    code = NORMAL if code == frames.NO_STATUS else code
    await send({"type": "websocket.close", "code": code, "reason": reason})


def _message(kind: int, payload: bytes) -> Message:
    if kind == frames.TEXT:
        return {"type": "websocket.send", "text": payload.decode()}
    return {"type": "websocket.send", "bytes": payload}


async def _frame(reader: asyncio.StreamReader) -> tuple[bool, int, bytes]:
    try:
        is_last, opcode, size = frames.decode_head(await reader.readexactly(2))
        if size in frames.LONG_SIZES:
            form = frames.LONG_SIZES[size]
            (size,) = struct.unpack(form, await reader.readexactly(struct.calcsize(form)))
        return is_last, opcode, await reader.readexactly(size)
    except ConnectionError as error:
        raise EOFError from error
