"""A static file beside `ServeDir` of tower-http, at rest and while Python computes.

In Snaxum every dispatch worker computes. Beside `ServeDir` a Python process of its own does: one of
the workers computes at a time, so both servers share the cores with as much Python. Nothing is
pinned: the question is whether the file waits for the interpreter.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path

import load
from load import WARM_UP_S, Workload
from peers import API, Peer
from records import Record
from rust_endpoint import computing
from servers import Server, environment, running
from setup import Installation

CONNECTIONS = 64
_CONTENT = {"text": "0123456789abcdef" * 640}
FILE = Workload("a static file of 10 KB", "GET", "/assets/file.json", _CONTENT)
BUSY = f"{FILE.name}, Python computes"
_PROGRAM = "while True: sum(number * number for number in range(200_000))"


def measure(peer: Peer, installation: Installation, seconds: int) -> Iterator[Record]:
    """The rate at rest, and the rate while Python computes."""
    busy = computing if peer == API else _process
    phases: dict[str, Callable[[Server], AbstractContextManager[object]]] = {
        FILE.name: lambda _: nullcontext(),
        BUSY: busy,
    }
    with running(peer, installation, None, _write) as server:
        load.check(server.port, FILE)
        target = (installation.programs["wrk"], server.port, FILE, CONNECTIONS)
        for name, computes in phases.items():
            with computes(server):
                load.measure(*target, seconds=WARM_UP_S, core=None)
                cpu_before = server.cpu_s()
                measured = load.measure(*target, seconds=seconds, core=None)
                cpu_s = round(server.cpu_s() - cpu_before, 2)
            about = {"workload": name, "connections": CONNECTIONS, "cpu_s": cpu_s}
            yield {"type": "load", **about, **asdict(measured)}


def _write(app: Path) -> None:
    (app / "assets").mkdir(exist_ok=True)
    (app / "assets" / "file.json").write_text(json.dumps(_CONTENT))


@contextmanager
def _process(_: Server) -> Iterator[None]:
    """Run a Python process that computes while the block runs."""
    process = subprocess.Popen([sys.executable, "-c", _PROGRAM], env=environment())
    try:
        yield
    finally:
        process.kill()
        process.wait()
