"""Requests a second: one server, one request, over and over.

Starts a fresh server for each measurement. Never measures a wrong response.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path

import load
from load import WARM_UP_S, Workload
from machine import Cores
from peers import Peer
from records import Record
from servers import Server, running
from setup import Installation


def measure(
    peer: Peer,
    workload: Workload,
    connections: int,
    installation: Installation,
    cores: Cores,
    seconds: int,
    *,
    prepare: Callable[[Path], None] = lambda _: None,
    meanwhile: Callable[[Server], AbstractContextManager[object]] = lambda _: nullcontext(),
) -> Record:
    """The figures of wrk. `prepare` may change the program before the start; `meanwhile` is entered
    when the server responds, and left at the end."""
    with running(peer, installation, cores.server, prepare) as server:
        load.check(server.port, workload)
        with meanwhile(server):
            target = (server.port, workload, connections)
            wrk = partial(load.measure, installation.programs["wrk"], *target, core=cores.load)
            wrk(seconds=WARM_UP_S)
            cpu_before = server.cpu_s()
            measurement = wrk(seconds=seconds)
            cpu_s = round(server.cpu_s() - cpu_before, 2)
    about = {"workload": workload.name, "connections": connections}
    return {"type": "load", **about, **asdict(measurement), "cpu_s": cpu_s}
