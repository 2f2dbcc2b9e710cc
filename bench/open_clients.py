"""Clients that stay connected while files are saved: of an event stream, and of a WebSocket.

Knows the module `live` of `peers/fastapi_modules`, which is never edited. Never connects again: a
client that has been disconnected counts as lost.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

from websocket_client import frame, handshake

EVENTS, ECHO = "/live/events", "/live/echo"
# Between two messages of a WebSocket; the server sends an event as often.
BETWEEN_MESSAGES_S = 0.1
TIMEOUT_S = 10.0
_HELLO = b"still here"
_ECHOED = bytes([0x81, len(_HELLO)]) + _HELLO


class OpenClients:
    """The clients of one run. `lost` has the number of each kind that could not stay."""

    def __init__(self) -> None:
        self.lost: Counter[str] = Counter()
        self.connected = 0

    def note_lost(self, kind: str) -> None:
        self.lost[kind] += 1


@contextlib.asynccontextmanager
async def open_clients(port: int, of_each: int) -> AsyncIterator[OpenClients]:
    """Stay connected while the block runs, and once more receive something after it."""
    clients, stop = OpenClients(), asyncio.Event()
    kinds = {"event stream": _follow_events, "WebSocket": _exchange_messages}
    tasks = [
        asyncio.create_task(_client(kind, stay, port, clients, stop))
        for kind, stay in kinds.items()
        for _ in range(of_each)
    ]
    try:
        while clients.connected + clients.lost.total() < len(tasks):
            await asyncio.sleep(0.01)
        yield clients
    finally:
        stop.set()
        await asyncio.gather(*tasks)


async def _client(
    kind: str,
    stay: Callable[[int, Callable[[], None], asyncio.Event], Awaitable[None]],
    port: int,
    clients: OpenClients,
    stop: asyncio.Event,
) -> None:
    is_connected = False

    def note_connected() -> None:
        nonlocal is_connected
        is_connected = True
        clients.connected += 1

    try:
        await stay(port, note_connected, stop)
    except (OSError, EOFError, ValueError, asyncio.TimeoutError, TimeoutError):
        clients.connected -= is_connected
        clients.note_lost(kind)


async def _follow_events(port: int, connected: Callable[[], None], stop: asyncio.Event) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.closing(writer):
        writer.write(f"GET {EVENTS} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), TIMEOUT_S)
        if b" 200 " not in head[:20]:
            raise ConnectionError(f"the event stream: {head[:100]!r}")
        connected()
        while True:
            is_last = stop.is_set()
            await asyncio.wait_for(reader.readuntil(b"data: "), TIMEOUT_S)
            if is_last:
                return


async def _exchange_messages(port: int, connected: Callable[[], None], stop: asyncio.Event) -> None:
    reader, writer = await handshake(port, ECHO)
    with contextlib.closing(writer):
        connected()
        while True:
            is_last = stop.is_set()
            writer.write(frame(0x81, _HELLO))
            echo = await asyncio.wait_for(reader.readexactly(len(_ECHOED)), TIMEOUT_S)
            if echo != _ECHOED:
                raise ConnectionError(f"{echo!r} is not the echo")
            if is_last:
                return
            await asyncio.sleep(BETWEEN_MESSAGES_S)
