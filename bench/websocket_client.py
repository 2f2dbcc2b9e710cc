"""The beginning and the frames of a WebSocket, as much as a client of the bench needs.

Reads no frame. Compresses nothing, and sends no message in parts.
"""

from __future__ import annotations

import asyncio
import base64
import os

_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def handshake(port: int, path: str) -> _Connection:
    """Open a WebSocket (RFC 6455, 4.1). Raises OSError if the server does not accept it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 101 " not in head[:20]:
        writer.close()
        raise ConnectionError(f"the handshake: {head[:100]!r}")
    return reader, writer


def frame(first: int, payload: bytes) -> bytes:
    """Write a frame of a client, of at most 125 bytes (RFC 6455, 5.2)."""
    mask = os.urandom(4)
    masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    return bytes([first, 0x80 | len(payload)]) + mask + masked
