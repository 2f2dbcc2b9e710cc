"""A server of several processes: what do clients notice of deploys and of killed processes?

Compares with the same load while nothing happens, before and after, on the same server.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from statistics import quantiles

import load
from load import WORKLOADS
from peers import TWO_PROCESSES
from records import Record
from servers import Server, ServerError, running
from setup import Installation
from traffic import Reply, traffic

CONNECTIONS = 64
WARM_UP_S = 1.0
CALM_S = 3.0
KILL_EVERY_S = 1.0
BETWEEN_DEPLOYS_S = (0.1, 0.5)
REPLACED_TIMEOUT_S = 20.0
DEPLOYS, KILLS = "deploys", "kills"
# The row of a server that is seen from outside, on one core.
SEEN_HELLO = replace(WORKLOADS[0], name="hello, seen from outside")

# Causes it so often while the load runs.
Disturbance = Callable[[Server, Installation, int], Awaitable[None]]


class Phase:
    """The replies of all connections in one stretch of time."""

    def __init__(self) -> None:
        self.us: list[float] = []
        self.faults: Counter[str] = Counter()

    def note(self, reply: Reply) -> None:
        if reply.fault or reply.status != 200:
            self.faults[reply.fault or f"status {reply.status}"] += 1
        else:
            self.us.append((reply.received - reply.sent) * 1e6)

    def figures(self) -> Record:
        """The same as for a load, without its seconds."""
        parts = quantiles(self.us, n=100, method="inclusive")
        about = {"requests": len(self.us), "p50_us": round(parts[49]), "p99_us": round(parts[98])}
        return about | {"faults": dict(self.faults)}


def measure(what: str, installation: Installation, count: int) -> Iterator[Record]:
    """`count` disturbances under load, and a calm time on either side. A client that finds its
    connection closed opens another, as clients of HTTP do; a request without a response failed."""
    disturb = _DISTURBANCES[what]
    with running(TWO_PROCESSES, installation, None) as server:
        load.check(server.port, WORKLOADS[0])
        figures = asyncio.run(_run(server, installation, disturb, count))
        yield {"type": "disturbed", "what": what, "count": count, **figures}


async def _run(
    server: Server, installation: Installation, disturb: Disturbance, count: int
) -> Record:
    phase = Phase()
    path = [WORKLOADS[0].path]
    async with traffic(
        server.port, path, CONNECTIONS, lambda reply: phase.note(reply), may_close=True
    ):
        await asyncio.sleep(WARM_UP_S)
        calm = phase = Phase()
        await asyncio.sleep(CALM_S)
        restless = phase = Phase()
        await disturb(server, installation, count)
        # Into the same pot as before: what the machine does meanwhile meets both.
        phase = calm
        await asyncio.sleep(CALM_S)
    return {"restless": restless.figures(), "calm": calm.figures()}


async def _deploy(server: Server, installation: Installation, count: int) -> None:
    for _ in range(count):
        before = set(server.children())
        command = (str(installation.snaxum), "reload", str(server.app))
        pipe = asyncio.subprocess.PIPE
        deploy = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
        _, errors = await deploy.communicate()
        if deploy.returncode:
            raise ServerError(f"a deploy failed: {errors.decode(errors='replace').strip()}")
        if set(server.children()) == before:
            raise ServerError("a deploy replaced no process")
        await asyncio.sleep(random.uniform(*BETWEEN_DEPLOYS_S))


async def _kill(server: Server, _installation: Installation, count: int) -> None:
    whole = len(server.children())
    for _ in range(count):
        began = time.perf_counter()
        # The oldest: a process that is killed within a second of its start is replaced late.
        os.kill(server.oldest_child(), signal.SIGKILL)
        await asyncio.sleep(KILL_EVERY_S)
        while len(server.children()) < whole:
            if time.perf_counter() - began > REPLACED_TIMEOUT_S:
                raise ServerError("a process that was killed has not been replaced")
            await asyncio.sleep(0.01)


_DISTURBANCES: dict[str, Disturbance] = {DEPLOYS: _deploy, KILLS: _kill}
