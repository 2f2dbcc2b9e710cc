"""HTTP/1.1 on a connection to the server in this process, as its client writes and reads it.

Owns the bytes of a request's head, and the head and the body of a response. Trusts that server to
send valid responses. Never knows a message of ASGI.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from ..headers import is_token

RawHeaders = list[tuple[bytes, bytes]]

# The most bytes of a response that are read at once.
CHUNK_BYTES = 64 * 1024
# The longest line of the head of a response; twice as much of a body is buffered.
LINE_BYTES = 128 * 1024
# They belong to the connection of the other server, which sends its own.
OF_CONNECTION = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade")
)
_IN_PATH = "!$&'()*+,/:;=@~"
_TARGET = re.compile(rb"[\x21-\x7e]*")
_VALUE = re.compile(rb"[^\0\r\n]*")


@dataclass
class ResponseHead:
    """Status and headers of a response."""

    status: int
    headers: RawHeaders

    def value_of(self, name: bytes) -> bytes | None:
        """Return the first value of a header."""
        return next((value for key, value in self.headers if key == name), None)

    def end_to_end(self, *others: bytes) -> RawHeaders:
        """Return the headers, without `others`, the date and headers of the connection."""
        left_out = OF_CONNECTION | {b"date", *others}
        return [(name, value) for name, value in self.headers if name not in left_out]


def request_head(scope: Any, method: str, headers: RawHeaders) -> bytes:
    """Return the head of a request. Raises ValueError for a scope that HTTP cannot express."""
    if not is_token(method):
        raise ValueError(f"the method {method!r} is not valid")
    lines = [method.encode() + b" " + _target(scope) + b" HTTP/1.1"]
    if all(name != b"host" for name, _ in headers):
        lines.append(b"host: localhost")
    for name, value in headers:
        if not is_token(name.decode("latin-1")) or not _VALUE.fullmatch(value):
            raise ValueError(f"the header {name!r} with the value {value!r} is not valid")
        lines.append(name + b": " + value)
    return b"\r\n".join(lines) + b"\r\n\r\n"


def headers_of(scope: Any, *left_out: bytes) -> RawHeaders:
    """Return the headers of a request, without `left_out` and headers of its connection."""
    names = OF_CONNECTION | set(left_out)
    pairs = ((bytes(name).lower(), bytes(value)) for name, value in scope["headers"])
    return [(name, value) for name, value in pairs if name not in names]


def _target(scope: Any) -> bytes:
    """Return path and query, without the prefix at which the other server has the project."""
    path, root = scope["path"], scope.get("root_path", "").rstrip("/")
    raw = bytes(scope.get("raw_path") or b"").partition(b"?")[0]
    if root and (path == root or path.startswith(f"{root}/")):
        path = path[len(root) :]
        prefix = quote(root, safe=_IN_PATH).encode()
        # Servers disagree on whether it has the prefix.
        raw = raw[len(prefix) :] if raw.startswith(prefix) else raw
    path = path if path[:1] in ("/", "*") else f"/{path}"
    is_same = unquote(raw.decode("latin-1"), errors="replace") == path
    target = raw if is_same and _TARGET.fullmatch(raw) else quote(path, safe=_IN_PATH).encode()
    query = bytes(scope.get("query_string") or b"")
    if not _TARGET.fullmatch(query):
        query = quote(query, safe="!$&'()*+,/:;=@~%?[]").encode()
    return target + b"?" + query if query else target


async def read_head(reader: asyncio.StreamReader) -> ResponseHead:
    """Read the head of the response. Raises EOFError if the connection ends before."""
    while True:
        number = int((await read_line(reader)).split(b" ", 2)[1])
        lines = []
        while line := await read_line(reader):
            lines.append(line)
        if number >= 200 or number == 101:
            break
    pairs = (line.partition(b":") for line in lines)
    return ResponseHead(number, [(name.lower(), value.strip()) for name, _, value in pairs])


async def read_line(reader: asyncio.StreamReader) -> bytes:
    """Read a line without its end. Raises EOFError if the connection ends within it."""
    try:
        return (await reader.readuntil(b"\r\n"))[:-2]
    except ConnectionError as error:
        raise EOFError from error


class BodyReader:
    """Reads the body of a response as it arrives."""

    def __init__(self, reader: asyncio.StreamReader, head: ResponseHead, method: str) -> None:
        self._reader = reader
        self._is_chunked = head.value_of(b"transfer-encoding") is not None
        has_none = method == "HEAD" or head.status in (204, 304)
        self._size = 0 if has_none else int(head.value_of(b"content-length") or 0)
        self._has_body = self._size > 0 or (self._is_chunked and not has_none)
        # The fields after the body, once it has been read.
        self.trailers: RawHeaders = []

    async def parts(self) -> AsyncIterator[tuple[bytes, bool]]:
        """Yield each part of the body, and whether it is the last one.

        Raises EOFError if the connection ends within it.
        """
        if not self._has_body:
            yield b"", True
        elif not self._is_chunked:
            async for part, left in self._read(self._size):
                yield part, left == 0
        else:
            while size := int((await read_line(self._reader)).partition(b";")[0], 16):
                async for part, _ in self._read(size):
                    yield part, False
                await read_line(self._reader)
            while line := await read_line(self._reader):
                name, _, value = line.partition(b":")
                self.trailers.append((name.lower(), value.strip()))
            yield b"", True

    async def _read(self, size: int) -> AsyncIterator[tuple[bytes, int]]:
        """Yield `size` bytes in parts, each with the number of bytes that follow."""
        while size:
            try:
                part = await self._reader.read(min(size, CHUNK_BYTES))
            except ConnectionError as error:
                raise EOFError from error
            if not part:
                raise EOFError
            size -= len(part)
            yield part, size
