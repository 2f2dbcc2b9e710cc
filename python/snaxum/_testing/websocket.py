"""The client's side of a WebSocket, over a connection within this process.

Owns the order of its messages. Knows no extension.
"""

from __future__ import annotations

import json
import struct
from typing import Any

from .._core import websocket_frames as frames
from ..websockets import WebSocketClosed
from .connection import ClientSocket


class WebSocketSession:
    """An open WebSocket, from `Client.websocket`; a context manager."""

    def __init__(self, socket: ClientSocket, subprotocol: str | None) -> None:
        self._socket = socket
        self.subprotocol = subprotocol
        self.is_closed: bool = False

    def send(self, message: str | bytes) -> None:
        """Send a text (str) or binary (bytes) message."""
        if isinstance(message, str):
            self._send(frames.TEXT, message.encode())
        else:
            self._send(frames.BINARY, message)

    def send_json(self, value: object) -> None:
        """Send a value as JSON in a text message."""
        self.send(json.dumps(value))

    def receive(self) -> str | bytes:
        """Wait for a message. Raises WebSocketClosed at the end."""
        parts, kind = b"", frames.BINARY
        while True:
            is_last, opcode, payload = self._frame()
            if opcode == frames.PING:
                self._send(frames.PONG, payload)
            elif opcode == frames.CLOSE:
                self._end(payload)
            elif opcode != frames.PONG:
                kind = opcode if opcode != frames.CONTINUATION else kind
                parts += payload
                if is_last:
                    return parts.decode() if kind == frames.TEXT else parts

    def receive_json(self) -> Any:
        """Wait for a message, and parse it as JSON."""
        return json.loads(self.receive())

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the WebSocket, unless it is closed."""
        if self.is_closed:
            return
        self._send(frames.CLOSE, frames.encode_close(code, reason))
        try:
            while True:
                self.receive()
        except WebSocketClosed:
            pass
        self._socket.close()

    def __enter__(self) -> WebSocketSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _end(self, payload: bytes) -> None:
        if not self.is_closed:
            self.is_closed = True
            try:
                self._send(frames.CLOSE, payload)
            except OSError:
                pass
        raise WebSocketClosed(*frames.decode_close(payload))

    def _send(self, opcode: int, payload: bytes) -> None:
        self._socket.sendall(frames.encode(opcode, payload))

    def _frame(self) -> tuple[bool, int, bytes]:
        is_last, opcode, size = frames.decode_head(self._read(2))
        if size in frames.LONG_SIZES:
            form = frames.LONG_SIZES[size]
            (size,) = struct.unpack(form, self._read(struct.calcsize(form)))
        return is_last, opcode, self._read(size)

    def _read(self, size: int) -> bytes:
        data = self._socket.read_exactly(size)
        if len(data) < size:
            self.is_closed = True
            message = "the connection ended without a close frame"
            raise WebSocketClosed(frames.ABNORMAL, message)
        return data
