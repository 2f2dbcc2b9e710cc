"""A Rust endpoint while Python computes in the same process: does it notice?

Server, load and Python may use every core: the question is which waits, not which has less.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace

import load
from client import connected
from load import RUST_HELLO, THINK_MS, WARM_UP_S
from peers import MOUNTED
from records import Record
from servers import Server, ServerError, running
from setup import Installation

CONNECTIONS = 64
LOADS = {
    "paced": replace(RUST_HELLO, think_ms=THINK_MS),
    "flat out": RUST_HELLO,
}
# More than there are dispatch workers, so that each has its next one waiting.
COMPUTING = 8


def measure(installation: Installation, seconds: int) -> Iterator[Record]:
    """For each kind of load the latencies without and with Python computing, in this order."""
    with running(MOUNTED, installation, None) as server:
        for name, workload in LOADS.items():
            target = (installation.programs["wrk"], server.port, workload, CONNECTIONS)
            load.measure(*target, seconds=WARM_UP_S, core=None)
            idle = load.measure(*target, seconds=seconds, core=None)
            with computing(server):
                busy = load.measure(*target, seconds=seconds, core=None)
            figures = {"idle": asdict(idle), "busy": asdict(busy)}
            errors = {"idle": sum(idle.errors.values()), "busy": sum(busy.errors.values())}
            yield {"type": "neighbour", "load": name, **figures, "errors": errors}


@contextmanager
def computing(server: Server) -> Iterator[None]:
    """Make every dispatch worker compute while the block runs."""
    stop = threading.Event()
    faults: list[str] = []

    def ask() -> None:
        with connected(server.port, keep=True) as client:
            while not stop.is_set() and not faults:
                if fault := client.get("/python/compute").fault:
                    faults.append(fault)

    askers = [threading.Thread(target=ask) for _ in range(COMPUTING)]
    for asker in askers:
        asker.start()
    try:
        yield
    finally:
        stop.set()
        for asker in askers:
            asker.join()
    if faults:
        raise ServerError(f"/python/compute: {faults[0]}")
