"""The client's side of a WebSocket (RFC 6455), over a connection in memory.

Owns the handshake and the frames. Knows no extension.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import struct
from typing import Any

from ..websockets import WebSocketClosed
from .connection import ClientSocket

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0, 1, 2, 8, 9, 10
# There is no status code in the close frame, or no close frame (RFC 6455, 7.1.5).
NO_STATUS, ABNORMAL = 1005, 1006


class WebSocketSession:
    """An open WebSocket, from `Client.websocket`; a context manager."""

    def __init__(self, socket: ClientSocket, subprotocol: str | None) -> None:
        self._socket = socket
        self.subprotocol = subprotocol
        self.is_closed: bool = False

    def send(self, message: str | bytes) -> None:
        """Send a text (str) or binary (bytes) message."""
        if isinstance(message, str):
            self._send(_TEXT, message.encode())
        else:
            self._send(_BINARY, message)

    def send_json(self, value: object) -> None:
        """Send a value as JSON in a text message."""
        self.send(json.dumps(value))

    def receive(self) -> str | bytes:
        """Wait for a message. Raises WebSocketClosed at the end."""
        parts, kind = b"", _BINARY
        while True:
            is_last, opcode, payload = self._frame()
            if opcode == _PING:
                self._send(_PONG, payload)
            elif opcode == _CLOSE:
                self._end(payload)
            elif opcode != _PONG:
                kind = opcode if opcode != _CONTINUATION else kind
                parts += payload
                if is_last:
                    return parts.decode() if kind == _TEXT else parts

    def receive_json(self) -> Any:
        """Wait for a message, and parse it as JSON."""
        return json.loads(self.receive())

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the WebSocket, unless it is closed."""
        if self.is_closed:
            return
        self._send(_CLOSE, struct.pack("!H", code) + reason.encode())
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
        code, reason = NO_STATUS, ""
        if len(payload) >= 2:
            code, reason = struct.unpack("!H", payload[:2])[0], payload[2:].decode()
        if not self.is_closed:
            self.is_closed = True
            try:
                self._send(_CLOSE, payload)
            except OSError:
                pass
        raise WebSocketClosed(code, reason)

    def _send(self, opcode: int, payload: bytes) -> None:
        mask = os.urandom(4)
        size = len(payload)
        if size < 126:
            head = struct.pack("!BB", 0x80 | opcode, 0x80 | size)
        elif size < 1 << 16:
            head = struct.pack("!BBH", 0x80 | opcode, 0x80 | 126, size)
        else:
            head = struct.pack("!BBQ", 0x80 | opcode, 0x80 | 127, size)
        repeated = mask * (size // 4 + 1)
        masked = int.from_bytes(payload, "big") ^ int.from_bytes(repeated[:size], "big")
        self._socket.sendall(head + mask + masked.to_bytes(size, "big"))

    def _frame(self) -> tuple[bool, int, bytes]:
        first, second = self._read(2)
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack("!H", self._read(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self._read(8))
        return bool(first & 0x80), first & 0x0F, self._read(size)

    def _read(self, size: int) -> bytes:
        data = self._socket.read_exactly(size)
        if len(data) < size:
            self.is_closed = True
            raise WebSocketClosed(ABNORMAL, "the connection ended without a close frame")
        return data


def new_key() -> str:
    """Return a random `Sec-WebSocket-Key`."""
    return base64.b64encode(os.urandom(16)).decode()


def accept_of(key: str) -> str:
    """Return the `Sec-WebSocket-Accept` that the server must send for a key."""
    return base64.b64encode(hashlib.sha1(key.encode() + _GUID).digest()).decode()
