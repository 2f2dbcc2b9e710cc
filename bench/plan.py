"""Plans the measurements of `run.py`, and their order: one function a section.

Within a round, compared servers are measured right after one another, so that a noisy minute
affects all of them. Never measures by itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial

import api
import computing
import load
import many_routes
import models
import peers
import rates
import roundtrip
import rust_endpoint
import serving
import startup
import static_files
import upload
import websocket_echo
from console import open_console, open_stuck_console
from load import PACED_HELLO, RUST_HELLO, WORKLOADS
from machine import Cores
from peers import Peer
from records import Record
from servers import running
from setup import Installation

# The number of connections at which all but the first section is measured.
CONNECTIONS = 64
# Between the first response and reading the memory: allocators and collectors settle.
REST_S = 2.0


@dataclass(frozen=True)
class Effort:
    """How much of everything."""

    rounds: int
    seconds: int
    connections: Sequence[int]
    # One record for each server in each round.
    starts: int
    tasks: int
    # In each round, of a server of two processes; as many processes are killed.
    deploys: int


@dataclass(frozen=True)
class Place:
    """Where it is measured, and which rows."""

    installation: Installation
    cores: Cores
    rows: Sequence[Peer]


@dataclass(frozen=True)
class Step:
    """One measurement of one row; gives records that know neither section nor row."""

    during: str
    peer: str
    measure: Callable[[], Iterable[Record]]


def requests(place: Place, effort: Effort) -> Iterator[Step]:
    """This project beside its peers."""
    for workload in WORKLOADS:
        for connections in effort.connections:
            for peer in place.rows:
                if workload.only in (None, peer.app):
                    during = f"{workload.name} at {connections}"
                    measure = partial(rates.measure, peer, workload, connections)
                    yield _load(during, peer, measure, place, effort)


def dev(place: Place, effort: Effort) -> Iterator[Step]:
    """The development server beside the one for production."""
    measure = partial(rates.measure, workload=WORKLOADS[0], connections=CONNECTIONS)
    for peer in (peers.SERVE, peers.DEV):
        yield _load("dev mode", peer, partial(measure, peer), place, effort)
    watched = partial(measure, peers.WATCHED, meanwhile=open_console)
    yield _load("dev mode", peers.WATCHED, watched, place, effort)
    paced = partial(rates.measure, workload=PACED_HELLO, connections=CONNECTIONS)
    yield _load("dev mode, paced", peers.DEV, partial(paced, peers.DEV), place, effort)
    stuck = partial(paced, peers.STUCK, meanwhile=open_stuck_console)
    yield _load("dev mode, paced", peers.STUCK, stuck, place, effort)
    for peer in (peers.SERVE, peers.DEV):
        workload, write = computing.WORKLOAD, computing.write
        computed = partial(rates.measure, peer, workload, CONNECTIONS, prepare=write)
        yield _load(f"dev mode, {workload.name}", peer, computed, place, effort)


def rust(place: Place, effort: Effort) -> Iterator[Step]:
    """A Rust endpoint in one process with Python."""
    for peer in (peers.ALONE, peers.MOUNTED):
        measure = partial(rates.measure, peer, RUST_HELLO, CONNECTIONS)
        yield _load("a Rust endpoint", peer, measure, place, effort)
    measure_neighbour = partial(rust_endpoint.measure, place.installation, effort.seconds)
    yield Step("a Rust endpoint while Python computes", peers.MOUNTED.name, measure_neighbour)


def routes(place: Place, effort: Effort) -> Iterator[Step]:
    """Few routes and many."""
    sizes = ((peers.FEW_ROUTES, 10), (peers.MANY_ROUTES, 10_000))
    for kind in (0, 1):
        for peer, count in sizes:
            workload, write = many_routes.workloads(count)[kind], many_routes.written(count)
            measure = partial(rates.measure, peer, workload, CONNECTIONS, prepare=write)
            yield _load(f"routes, {workload.name}", peer, measure, place, effort)


def filling(place: Place, effort: Effort) -> Iterator[Step]:
    """Parameters by name beside the same values from the request; a validated body beside peers."""
    for workload in (api.BY_REQUEST, api.BY_NAME):
        measure = partial(rates.measure, peers.API, workload, CONNECTIONS)
        yield _load(workload.name, peers.API, measure, place, effort)
    for peer in (peers.API, peers.FASTAPI, peers.LITESTAR):
        measure = partial(rates.measure, peer, api.ORDER, CONNECTIONS)
        yield _load(api.ORDER.name, peer, measure, place, effort)


def files(place: Place, effort: Effort) -> Iterator[Step]:
    """A static file beside tower-http's."""
    for peer in (peers.FILES, peers.API):
        measure = partial(static_files.measure, peer, place.installation, effort.seconds)
        yield Step("a static file", peer.name, measure)


def uploads(place: Place, effort: Effort) -> Iterator[Step]:
    """The memory of a large upload."""
    for peer in (peers.API, peers.FASTAPI):
        measure = partial(upload.measure, peer, place.installation, place.cores)
        yield _one("an upload", peer.name, measure)


def sockets(place: Place, effort: Effort) -> Iterator[Step]:
    """Echoes to a thousand WebSocket clients."""
    for peer in (peers.API, peers.FASTAPI):
        where = (place.installation, place.cores, effort.seconds)
        yield _one("WebSockets", peer.name, partial(websocket_echo.measure, peer, *where))


def applications(place: Place, effort: Effort) -> Iterator[Step]:
    """Applications of other frameworks under several servers."""
    for peer in peers.APPLICATIONS:
        workload = load.hello_of(peer.app)
        measure = partial(rates.measure, peer, workload, CONNECTIONS)
        yield _load(workload.name, peer, measure, place, effort)


def serving_models(place: Place, effort: Effort) -> Iterator[Step]:
    """A model beside LitServe, at the same size of a batch."""
    for kind in models.KINDS:
        workload = models.workload(kind)
        for peer in peers.model_servers(kind):
            measure = partial(rates.measure, peer, workload, CONNECTIONS, prepare=models.write)
            yield _load(workload.name, peer, measure, place, effort)


def memory(place: Place, effort: Effort) -> Iterator[Step]:
    """The memory of each server when it has nothing to do."""
    for peer in place.rows:
        yield Step("idle memory", peer.name, partial(_memory, peer, place))


def start(place: Place, effort: Effort) -> Iterator[Step]:
    """From nothing to the first response."""
    where = (place.installation, place.cores, effort.starts)
    for peer in place.rows:
        measure = partial(startup.measure, peer, *where, startup.plain_only)
        yield _one("start-up", peer.name, measure)
    polars = partial(startup.measure, peers.POLARS, *where, startup.add_import)
    yield _one("start-up", peers.POLARS.name, polars)
    plain = partial(startup.measure_import, *where)
    yield _one("start-up", peers.IMPORT_ALONE, plain)


def wheel(place: Place, effort: Effort) -> Iterator[Step]:
    """The wheel beside the binary, and its start beside that of Python alone."""
    for peer in (peers.BINARY, peers.WHEEL):
        measure = partial(rates.measure, peer, WORKLOADS[0], CONNECTIONS)
        yield _load("the wheel", peer, measure, place, effort)
    where = (place.installation, place.cores, effort.starts)
    for peer in (peers.BINARY, peers.WHEEL):
        measure = partial(startup.measure, peer, *where, startup.plain_only)
        yield _one("the wheel, start-up", peer.name, measure)
    alone = partial(startup.measure_python, *where)
    yield _one("the wheel, start-up", peers.PYTHON_ALONE, alone)


def pool(place: Place, effort: Effort) -> Iterator[Step]:
    """A task of the pool beside one of a plain executor."""
    where = (place.installation, place.cores, effort.tasks)
    yield _one("the pool", peers.POOL.name, partial(roundtrip.measure, *where))
    yield _one("the pool", peers.EXECUTOR, partial(roundtrip.measure_plain, *where))


def several_processes(place: Place, effort: Effort) -> Iterator[Step]:
    """Two processes beside one and beside a peer; deploys; the cost of being seen from outside."""
    # Two processes have the use of both cores, and so has the load.
    everywhere = replace(place, cores=Cores())
    computed = partial(rates.measure, workload=computing.WORKLOAD, connections=CONNECTIONS)
    for peer in (peers.ONE_PROCESS, peers.TWO_PROCESSES):
        measure = partial(computed, peer, prepare=computing.write)
        yield _load(computing.WORKLOAD.name, peer, measure, everywhere, effort)
    hello = partial(rates.measure, workload=WORKLOADS[0], connections=CONNECTIONS)
    for peer in (peers.TWO_PROCESSES, peers.TWO_WORKERS):
        yield _load("two processes", peer, partial(hello, peer), everywhere, effort)
    seen = partial(rates.measure, workload=serving.SEEN_HELLO, connections=CONNECTIONS)
    for peer in (peers.SERVE, peers.SEEN):
        yield _load("seen from outside", peer, partial(seen, peer), place, effort)
    for what in (serving.DEPLOYS, serving.KILLS):
        disturbed = partial(serving.measure, what, place.installation, effort.deploys)
        yield Step(what, peers.TWO_PROCESSES.name, disturbed)


SECTIONS: dict[str, Callable[[Place, Effort], Iterator[Step]]] = {
    "requests": requests,
    "dev": dev,
    "rust": rust,
    "routes": routes,
    "filling": filling,
    "files": files,
    "uploads": uploads,
    "websockets": sockets,
    "applications": applications,
    "memory": memory,
    "startup": start,
    "wheel": wheel,
    "pool": pool,
    "models": serving_models,
    "serving": several_processes,
}


def _load(
    during: str, peer: Peer, measure: Callable[..., Record], place: Place, effort: Effort
) -> Step:
    where = {"installation": place.installation, "cores": place.cores, "seconds": effort.seconds}
    return _one(during, peer.name, partial(measure, **where))


def _one(during: str, peer: str, measure: Callable[[], Record]) -> Step:
    return Step(during, peer, lambda: [measure()])


def _memory(peer: Peer, place: Place) -> Iterator[Record]:
    with running(peer, place.installation, place.cores.server, startup.plain_only) as server:
        load.check(server.port, WORKLOADS[0])
        time.sleep(REST_S)
        yield {"type": "memory", **asdict(server.memory())}
