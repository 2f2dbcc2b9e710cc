"""Runs many busy connections, as clients that think for a moment do, and reports every reply.

Knows no right response: the caller judges. Never repeats a request, and closes all it opens.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

THINK_S = (0.025, 0.075)
TIMEOUT_S = 10.0

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.I)
_CLOSE = re.compile(rb"^HTTP/1\.0|\r\nconnection: *close", re.I)

_Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True)
class Reply:
    """The outcome of one request. `fault` is "refused", "reset" or "timeout", or empty."""

    path: str
    sent: float
    received: float
    status: int = 0
    body: bytes = b""
    fault: str = ""


@contextlib.asynccontextmanager
async def traffic(
    port: int,
    paths: Sequence[str],
    connections: int,
    report: Callable[[Reply], None],
    *,
    may_close: bool = False,
) -> AsyncIterator[None]:
    """Request random `paths` while the block runs; afterwards wait for the open requests. If the
    server `may_close` a connection between two requests, another one is opened in its place."""
    stop = asyncio.Event()
    users = [
        asyncio.create_task(_user(port, paths, stop, report, may_close)) for _ in range(connections)
    ]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*users)


async def _user(
    port: int,
    paths: Sequence[str],
    stop: asyncio.Event,
    report: Callable[[Reply], None],
    may_close: bool,
) -> None:
    connection: _Connection | None = None
    while not stop.is_set():
        if may_close and connection is not None and _is_closed(connection):
            _close(connection)
            connection = None
        path, sent = random.choice(paths), time.perf_counter()
        try:
            if connection is None:
                opening = asyncio.open_connection("127.0.0.1", port)
                connection = await asyncio.wait_for(opening, TIMEOUT_S)
                # Connecting is not part of the time of a request.
                sent = time.perf_counter()
            status, body, kept = await asyncio.wait_for(_ask(connection, path), TIMEOUT_S)
            reply = Reply(path, sent, time.perf_counter(), status, body)
        except (asyncio.TimeoutError, TimeoutError):
            reply, kept = Reply(path, sent, time.perf_counter(), fault="timeout"), False
        except ConnectionRefusedError:
            reply, kept = Reply(path, sent, time.perf_counter(), fault="refused"), False
        except (OSError, EOFError, asyncio.LimitOverrunError):
            reply, kept = Reply(path, sent, time.perf_counter(), fault="reset"), False
        report(reply)
        if not kept:
            _close(connection)
            connection = None
        await asyncio.sleep(random.uniform(*THINK_S))
    _close(connection)


async def _ask(connection: _Connection, path: str) -> tuple[int, bytes, bool]:
    reader, writer = connection
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    return await receive(reader)


async def receive(reader: asyncio.StreamReader) -> tuple[int, bytes, bool]:
    """Status, body, and whether the connection may be used again."""
    head = await reader.readuntil(b"\r\n\r\n")
    status, is_kept = int(head.split(b" ", 2)[1]), not _CLOSE.search(head)
    if length := _LENGTH.search(head):
        return status, await reader.readexactly(int(length[1])), is_kept
    if not _CHUNKED.search(head):
        return status, await reader.read(), False
    body = b""
    while size := int(await reader.readuntil(b"\n"), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readline()
    return status, body, is_kept


def _is_closed(connection: _Connection) -> bool:
    reader, _ = connection
    return reader.at_eof() or reader.exception() is not None


def _close(connection: _Connection | None) -> None:
    if connection is not None:
        connection[1].close()
