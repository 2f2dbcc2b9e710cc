"""From save to served: the time until a response shows an edit, and the unavoidable part of it.

The clock starts before the file is opened for writing, and stops at the end of the first response
with the new constant.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import dev_api
import edits
from client import Client, connected
from edits import Source
from peers import Peer
from records import Record
from servers import Server, ServerError, running
from setup import Installation

CONNECTIONS = {"fresh": False, "reused": True}
# Importing the heavy packages takes seconds on a busy machine.
READY_TIMEOUT_S = 60.0
SERVED_TIMEOUT_S = 30.0
# As patient as a browser, so that a server that delays a request is not polled again.
POLL_TIMEOUT_S = 10.0
BETWEEN_POLLS_S = 0.0005
# Longer than the second of a reloader that polls once a second, so that no phase is preferred.
REST_S = (0.3, 1.3)
# A row whose edits do not arrive is abandoned.
MAX_UNSERVED = 3
WARM_UP_SAVES = 2


def measure(
    peer: Peer, variant: str, installation: Installation, core: int | None, count: int
) -> Iterator[Record]:
    """`count` edits with each kind of connection."""
    edited = Path(peer.edited)

    def prepare(app: Path) -> None:
        edits.PREPARATIONS[variant](app / edited)

    with running(peer, installation, core, prepare) as server:
        source = Source(server.app / edited)
        wait_until_ready(server)
        about = {"peer": peer.name, "variant": variant}
        # One-time work is not counted.
        with connected(server.port, keep=False) as client:
            _trial(client, source)
            _rest()
        for connection, keep in CONNECTIONS.items():
            with connected(server.port, keep=keep) as client:
                yield _series(client, source, count) | about | {"connection": connection}
            if dev_api.is_there(server.app):
                yield _phases(server, count) | about | {"connection": connection}
        if dev_api.is_there(server.app):
            yield _floor(server, source, count) | about


def compare(
    peer: Peer, installations: tuple[Installation, Installation], core: int | None, count: int
) -> Record:
    """Single saves on two servers that take turns, so that a noisy minute meets both."""
    served: tuple[list[float], list[float]] = ([], [])
    with ExitStack() as stack:
        sides = []
        for installation in installations:
            server = stack.enter_context(running(peer, installation, core))
            wait_until_ready(server)
            client = stack.enter_context(connected(server.port, keep=True))
            sides.append((client, Source(server.app / peer.edited)))
        for client, source in sides * WARM_UP_SAVES:
            _trial(client, source)
            _rest()
        for _ in range(count):
            for (client, source), times in zip(sides, served, strict=True):
                ms, faults = _trial(client, source)
                if ms is None or faults:
                    raise ServerError(f"a save was not served: {dict(faults)}")
                times.append(round(ms, 4))
                _rest()
    return {"type": "against", "ms": served[0], "against_ms": served[1]}


def wait_until_ready(server: Server, path: str = edits.PATH) -> None:
    """Until the program responds, which is later than the open port."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    with connected(server.port, keep=False) as client:
        while (response := client.get(path)).fault:
            if not server.is_alive():
                raise ServerError("ended while it started; read its log in target/bench/logs")
            if time.monotonic() > deadline:
                raise ServerError(f"no response after {READY_TIMEOUT_S:.0f} s: {response.fault}")
            time.sleep(0.02)


def _series(client: Client, source: Source, count: int) -> Record:
    served: list[float] = []
    faults: Counter[str] = Counter()
    unserved = 0
    for _ in range(count):
        ms, faults_now = _trial(client, source)
        faults += faults_now
        if ms is None:
            unserved += 1
            if unserved == MAX_UNSERVED:
                break
        else:
            served.append(round(ms, 4))
        _rest()
    return {"type": "latency", "ms": served, "unserved": unserved, "faults": dict(faults)}


def _trial(client: Client, source: Source) -> tuple[float | None, Counter[str]]:
    faults: Counter[str] = Counter()
    saved = source.save()
    while True:
        response = client.get(edits.PATH, POLL_TIMEOUT_S)
        now = time.perf_counter()
        if response.fault:
            faults[response.fault] += 1
        elif edits.message(response.body) == saved.value:
            return (now - saved.began) * 1e3, faults
        if now - saved.began > SERVED_TIMEOUT_S:
            return None, faults
        time.sleep(BETWEEN_POLLS_S)


def _rest() -> None:
    time.sleep(random.uniform(*REST_S))


def _phases(server: Server, count: int) -> Record:
    """The newest reloads of the server, at most as many as it records."""
    found = dev_api.reloads(server.app)[-min(count, dev_api.KEPT) :]
    names = ("settle", "compile", "stage", "commit")
    phases = {name: [reload["phases"][name] for reload in found] for name in names}
    return {"type": "phases", **phases, "total": [reload["total_ms"] for reload in found]}


def _floor(server: Server, source: Source, count: int) -> Record:
    """The cost of each part by itself, on this machine and at this time."""
    text = source.text()
    scratch = server.app / "floor.txt"
    writes, compiles, requests = [], [], []
    with connected(server.port, keep=True) as client:
        for _ in range(count):
            writes.append(_ms(lambda: _write(scratch, text)))
            compiles.append(_ms(lambda: compile(text, "floor.py", "exec")))
            requests.append(_ms(lambda: client.get(edits.PATH)))
            # At rest as the measured ones are: what runs in a tight loop is found in the caches.
            time.sleep(0.05)
    return {
        "type": "floor",
        "write": median(writes),
        "compile": median(compiles),
        "request": median(requests),
    }


def _write(path: Path, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def _ms(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1e3
