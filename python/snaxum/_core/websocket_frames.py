"""The frames of a WebSocket (RFC 6455), as a client writes and reads them.

Owns their bytes. Never reads or writes a connection, and knows no extension.
"""

from __future__ import annotations

import base64
import hashlib
import os
import struct

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
# There is no status code in the close frame, or no close frame (RFC 6455, 7.1.5).
NO_STATUS, ABNORMAL = 1005, 1006
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
# By the short size in a head, the format of the size that follows it.
LONG_SIZES = {126: "!H", 127: "!Q"}


def encode(opcode: int, payload: bytes) -> bytes:
    """Return a frame that is a whole message, masked as a client must."""
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
    return head + mask + masked.to_bytes(size, "big")


def decode_head(head: bytes) -> tuple[bool, int, int]:
    """Return, from two bytes, whether the frame is the last one, its opcode, and its short size."""
    first, second = head
    return bool(first & 0x80), first & 0x0F, second & 0x7F


def encode_close(code: int | None, reason: str = "") -> bytes:
    """Return the payload of a close frame; None leaves the code out."""
    return b"" if code is None else struct.pack("!H", code) + reason.encode()


def decode_close(payload: bytes) -> tuple[int, str]:
    """Return code and reason from the payload of a close frame."""
    if len(payload) < 2:
        return NO_STATUS, ""
    (code,) = struct.unpack("!H", payload[:2])
    return code, payload[2:].decode("utf-8", "replace")


def new_key() -> str:
    """Return a random `Sec-WebSocket-Key`."""
    return base64.b64encode(os.urandom(16)).decode()


def accept_of(key: str) -> str:
    """Return the `Sec-WebSocket-Accept` that the server must send for a key."""
    return base64.b64encode(hashlib.sha1(key.encode() + _GUID).digest()).decode()
