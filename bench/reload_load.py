"""Many busy connections while files are saved, some of them broken: what do they notice?

Compares with the same load while nothing changes, before and after, on the same server. Beside an
application of FastAPI event streams and WebSockets stay open.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import edits
from edits import Source
from open_clients import open_clients
from peers import Peer
from records import Record
from reload_latency import wait_until_ready
from servers import running
from setup import Installation
from traffic import Reply, traffic

CONNECTIONS = 64
# Event streams, and as many WebSockets.
OPEN_CLIENTS = 10
# One save of so many is not Python.
BROKEN_EVERY = 6
# As a hurried developer saves. Closer, and more than one request in a hundred meets a reload.
BETWEEN_SAVES_S = (0.4, 0.9)
SERVED_TIMEOUT_S = 20.0
WARM_UP_S = 1.0


class Phase:
    """The replies of the connections in one stretch of time."""

    def __init__(self) -> None:
        self.ms: list[float] = []
        self.faults: Counter[str] = Counter()
        self.seen: set[str] = set()

    def note(self, reply: Reply) -> None:
        if reply.fault:
            self.faults[reply.fault] += 1
        elif reply.status != 200:
            self.faults[f"status {reply.status}"] += 1
        else:
            self.ms.append((reply.received - reply.sent) * 1e3)
            self.seen.add(edits.message(reply.body))


def measure(
    peer: Peer, installation: Installation, core: int | None, saves: int, calm_s: float
) -> Iterator[Record]:
    """`saves` reloads under load, and `calm_s` seconds without on either side."""
    with running(peer, installation, core) as server:
        source = Source(server.app / Path(peer.edited))
        wait_until_ready(server)
        run = _run(server.port, source, saves, calm_s)
        yield {"type": "reload_load", "peer": peer.name, "saves": saves, **asyncio.run(run)}


def measure_application(
    peer: Peer, installation: Installation, core: int | None, saves: int, calm_s: float
) -> Iterator[Record]:
    """The same with an application of FastAPI, and with clients that stay connected."""
    edited = Path(peer.edited)

    def prepare(app: Path) -> None:
        edits.application(app / edited)

    async def run(port: int, source: Source) -> Record:
        async with open_clients(port, OPEN_CLIENTS) as clients:
            record = await _run(port, source, saves, calm_s)
        return {**record, "open_clients": 2 * OPEN_CLIENTS, "lost_clients": dict(clients.lost)}

    with running(peer, installation, core, prepare) as server:
        source = Source(server.app / edited)
        wait_until_ready(server)
        record = asyncio.run(run(server.port, source))
        yield {"type": "application_load", "peer": peer.name, "saves": saves, **record}


async def _run(port: int, source: Source, saves: int, calm_s: float) -> Record:
    phase = Phase()
    async with traffic(port, [edits.PATH], CONNECTIONS, lambda reply: phase.note(reply)):
        await asyncio.sleep(WARM_UP_S)
        calm = phase = Phase()
        await asyncio.sleep(calm_s)
        restless = phase = Phase()
        unserved = await _edit(source, saves, restless)
        # Into the same pot as before: what the machine does meanwhile meets both.
        phase = calm
        await asyncio.sleep(calm_s)
    return {
        "ms": _rounded(restless.ms),
        "calm_ms": _rounded(calm.ms),
        "faults": dict(restless.faults),
        "calm_faults": dict(calm.faults),
        "unserved": unserved,
    }


async def _edit(source: Source, saves: int, phase: Phase) -> int:
    """Save so often; how many good saves were not served in time."""
    unserved = 0
    for number in range(1, saves + 1):
        if number % BROKEN_EVERY == 0:
            source.break_()
        else:
            saved = source.save()
            while saved.value not in phase.seen:
                if time.perf_counter() - saved.began > SERVED_TIMEOUT_S:
                    unserved += 1
                    break
                await asyncio.sleep(0.002)
        await asyncio.sleep(random.uniform(*BETWEEN_SAVES_S))
    if saves % BROKEN_EVERY == 0:
        source.save()
        await asyncio.sleep(BETWEEN_SAVES_S[1])
    return unserved


def _rounded(values: list[float]) -> list[float]:
    return [round(value, 3) for value in values]
