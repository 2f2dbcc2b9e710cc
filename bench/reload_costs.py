"""The lasting cost of reloads, their cost for the pool, and the cost of waiting for them.

Each on a server of its own, on which nothing else happens.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator

import edits
from client import Client, connected
from edits import Source
from peers import PROBE, Peer
from records import Record
from reload_latency import wait_until_ready
from servers import Server, ServerError, running
from setup import Installation

TASK = "/python/task"
TASKS_FILE = "python/tasks.py"
OBJECTS = "/python/objects"
# Caches fill and the allocator finds its size; what comes after is growth.
WARM_UP_RELOADS = 20
# One reload of so many is that of the pool's code.
POOL_EVERY = 10
SERVED_TIMEOUT_S = 10.0
BETWEEN_TASKS_S = 0.2
REST_S = 2.0


def memory(installation: Installation, core: int | None, reloads: int) -> Iterator[Record]:
    """The objects and memory of the server before and after so many reloads."""
    with (
        running(PROBE, installation, core) as server,
        connected(server.port, keep=True) as client,
    ):
        wait_until_ready(server)
        sources = _sources(server)
        _reload(client, sources, WARM_UP_RELOADS)
        before = _holdings(server, client)
        began = time.perf_counter()
        faults = _reload(client, sources, reloads)
        seconds = time.perf_counter() - began
        after = _holdings(server, client)
    about = {"peer": PROBE.name, "reloads": reloads, "seconds": round(seconds, 2)}
    yield {"type": "growth", **about, "faults": faults, "before": before, "after": after}


def pool(installation: Installation, core: int | None, count: int) -> Iterator[Record]:
    """The next task after a save of its code, and the next without one, in turn."""
    with (
        running(PROBE, installation, core) as server,
        connected(server.port, keep=True) as client,
    ):
        wait_until_ready(server)
        _, source = _sources(server)
        # The first of each kind starts processes, and imports what is imported once.
        _task(client, source.save().value)
        _task(client, source.save().value)
        unchanged, changed, since_save = [], [], []
        for _ in range(count):
            time.sleep(BETWEEN_TASKS_S)
            unchanged.append(_task(client, None))
            time.sleep(BETWEEN_TASKS_S)
            saved = source.save()
            changed.append(_task(client, saved.value))
            since_save.append((time.perf_counter() - saved.began) * 1e3)
    figures = {"unchanged": unchanged, "changed": changed, "since_save": since_save}
    yield {"type": "pool", "peer": PROBE.name, **figures}


def idle(
    peer: Peer, installation: Installation, core: int | None, seconds: float
) -> Iterator[Record]:
    """Processor time of all processes while there is nothing to do."""
    with running(peer, installation, core) as server:
        wait_until_ready(server)
        time.sleep(REST_S)
        before = server.cpu_s()
        time.sleep(seconds)
        ms = (server.cpu_s() - before) * 1e3
    yield {"type": "idle", "peer": peer.name, "seconds": seconds, "cpu_ms": round(ms)}


def _sources(server: Server) -> tuple[Source, Source]:
    return Source(server.app / PROBE.edited), Source(server.app / TASKS_FILE)


def _reload(client: Client, sources: tuple[Source, Source], count: int) -> dict[str, int]:
    """Save and see it served, so often; the requests that failed."""
    faults: Counter[str] = Counter()
    for number in range(count):
        is_pool = number % POOL_EVERY == 0
        saved = sources[is_pool].save()
        while True:
            response = client.get(TASK if is_pool else edits.PATH)
            if response.fault:
                faults[response.fault] += 1
            elif edits.message(response.body) == saved.value:
                break
            if time.perf_counter() - saved.began > SERVED_TIMEOUT_S:
                raise ServerError(f"reload {number + 1} is not served: {response}")
    return dict(faults)


def _holdings(server: Server, client: Client) -> Record:
    time.sleep(REST_S)
    objects = client.get(OBJECTS)
    if objects.fault:
        raise ServerError(f"{OBJECTS}: {objects.fault}")
    serving, own = server.serving_pid(), server.figures()
    return {
        "objects": json.loads(objects.body)["objects"],
        "rss_mb": round(own.rss_mb, 2),
        "files": own.open_files,
        "threads": own.threads,
        "workers": [pid for pid in server.pids() if pid not in (server.session, serving)],
        "all_rss_mb": round(server.memory().rss_mb, 2),
    }


def _task(client: Client, value: str | None) -> float:
    """Milliseconds until the pool has responded, with this value if one is given."""
    began = time.perf_counter()
    while True:
        response = client.get(TASK)
        now = time.perf_counter()
        if not response.fault and value in (None, edits.message(response.body)):
            return (now - began) * 1e3
        if now - began > SERVED_TIMEOUT_S:
            raise ServerError(f"the pool responded {response}; expected {value}")
