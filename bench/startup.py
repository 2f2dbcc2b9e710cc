"""From the start of a server to its first right response.

A fresh process each time, on files that the system has read before.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import load
from load import WORKLOADS
from machine import Cores, on_core
from peers import Peer
from records import Record
from servers import START_TIMEOUT_S, ServerError, environment, pinned, running
from setup import Installation

IMPORT = "import polars"
# Where the coroutine of our own program begins.
COROUTINE = '@route("/python/async-hello")'


def measure(
    peer: Peer,
    installation: Installation,
    cores: Cores,
    count: int,
    prepare: Callable[[Path], None] = lambda _: None,
) -> Record:
    """So many starts, after one that does not count."""
    with on_core(cores.load):
        ms = [_start(peer, installation, cores, prepare) for _ in range(count + 1)][1:]
    return {"type": "startup", "ms": ms}


def add_import(app: Path) -> None:
    """Let the program import something large first."""
    program = app / "python" / "app.py"
    program.write_text(f"{IMPORT}\n{program.read_text()}")


def plain_only(app: Path) -> None:
    """Leave the coroutine out of our own program: without one, no server of ours has a loop."""
    program = app / "python" / "app.py"
    if program.exists():
        before, _, after = program.read_text().partition(COROUTINE)
        program.write_text(before + after.partition("\n\n\n")[2])


def measure_import(installation: Installation, cores: Cores, count: int) -> Record:
    """The time of Python alone for that import."""
    python = installation.venvs["peers"] / "bin" / "python"
    return _time_python(python, IMPORT, cores, count)


def measure_python(installation: Installation, cores: Cores, count: int) -> Record:
    """The time of the wheel's Python from its start to its end, with nothing to do."""
    python = installation.venvs["wheel"] / "bin" / "python"
    return _time_python(python, "pass", cores, count)


def _time_python(python: Path, program: str, cores: Cores, count: int) -> Record:
    command = [*pinned(cores.server), str(python), "-c", program]
    ms = []
    for _ in range(count + 1):
        began = time.perf_counter()
        done = subprocess.run(command, env=environment(), timeout=START_TIMEOUT_S)
        ms.append(_since(began))
        if done.returncode:
            raise ServerError(f"`{program}` ended with {done.returncode}")
    return {"type": "startup", "ms": ms[1:]}


def _start(
    peer: Peer, installation: Installation, cores: Cores, prepare: Callable[[Path], None]
) -> float:
    with running(peer, installation, cores.server, prepare) as server:
        load.check(server.port, WORKLOADS[0])
        return _since(server.began)


def _since(began: float) -> float:
    return round((time.perf_counter() - began) * 1e3, 2)
