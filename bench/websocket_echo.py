"""A thousand WebSocket clients, each of which sends a message at a fixed pace and awaits its echo.

Clients and server have a core each. Owns the few frames of RFC 6455 that this takes; never sends a
message before the echo of the one before has arrived.
"""

from __future__ import annotations

import asyncio
import base64
import os
import time
from collections.abc import Callable
from statistics import quantiles

from machine import Cores, on_core
from peers import Peer
from records import Record
from servers import ServerError, running
from setup import Installation

CLIENTS = 1000
INTERVAL_S = 0.1
WARM_UP_S = 2.0
_CONNECTING = 50
_TEXT = b"a message of a client, 32 bytes."
_MASK = b"\x01\x02\x03\x04"
# FIN and text; the length, with the bit of the mask; RFC 6455, section 5.2.
_SENT = (
    bytes([0x81, 0x80 | len(_TEXT)])
    + _MASK
    + bytes(byte ^ _MASK[index % 4] for index, byte in enumerate(_TEXT))
)
_ECHO = bytes([0x81, len(_TEXT)]) + _TEXT


def measure(peer: Peer, installation: Installation, cores: Cores, seconds: int) -> Record:
    """Latencies of the echoes in µs, and the processor time of the server."""
    with running(peer, installation, cores.server) as server, on_core(cores.load):
        latencies, cpu_s = asyncio.run(_clients(server.port, seconds, server.cpu_s))
    cuts = quantiles(latencies, n=100)
    return {
        "type": "websockets",
        "clients": CLIENTS,
        "messages": len(latencies),
        "expected": int(CLIENTS * seconds / INTERVAL_S),
        "p50_us": round(cuts[49] * 1e6),
        "p99_us": round(cuts[98] * 1e6),
        "cpu_us": round(cpu_s / len(latencies) * 1e6, 1),
    }


async def _clients(
    port: int, seconds: int, cpu_s: Callable[[], float]
) -> tuple[list[float], float]:
    """The latencies, in seconds, and the processor time that the server used meanwhile."""
    connecting = asyncio.Semaphore(_CONNECTING)

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with connecting:
            return await _connect(port)

    streams = await asyncio.gather(*(connect() for _ in range(CLIENTS)))
    latencies: list[float] = []
    begin = time.perf_counter() + WARM_UP_S
    clients = [
        asyncio.create_task(_echo(*stream, begin, seconds, INTERVAL_S * index / CLIENTS, latencies))
        for index, stream in enumerate(streams)
    ]
    await asyncio.sleep(begin - time.perf_counter())
    before = cpu_s()
    await asyncio.gather(*clients)
    used = cpu_s() - before
    for _, writer in streams:
        writer.close()
    return latencies, used


async def _connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    key = base64.b64encode(os.urandom(16)).decode()
    writer.write(
        f"GET /python/echo HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 101 " not in head[:20]:
        raise ServerError(f"the handshake: {head[:100]!r}")
    return reader, writer


async def _echo(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    begin: float,
    seconds: int,
    offset_s: float,
    latencies: list[float],
) -> None:
    """Send a message at each tick from now on; those after `begin` count."""
    tick = time.perf_counter() + offset_s
    end = begin + seconds
    while tick < end:
        await asyncio.sleep(tick - time.perf_counter())
        sent = time.perf_counter()
        writer.write(_SENT)
        if await reader.readexactly(len(_ECHO)) != _ECHO:
            raise ServerError("the echo is not the message")
        received = time.perf_counter()
        if sent >= begin:
            latencies.append(received - sent)
        tick = max(tick + INTERVAL_S, received)
