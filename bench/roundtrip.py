"""A task of the pool from `submit` to its result, and the same with a plain executor.

Both run `peers/snaxum_pool/python/roundtrips.py`, in the same Python.
"""

from __future__ import annotations

import json
import subprocess

from client import connected
from machine import Cores
from peers import POOL
from records import Record
from servers import START_TIMEOUT_S, ServerError, environment, pinned, running
from setup import BENCH, Installation

PROGRAM = BENCH / "peers" / POOL.app / "python" / "roundtrips.py"


def measure(installation: Installation, cores: Cores, count: int) -> Record:
    """Times Snaxum's pool, inside a handler."""
    with (
        running(POOL, installation, cores.server) as server,
        connected(server.port, keep=False) as client,
    ):
        response = client.get(f"/python/roundtrips/{count}", START_TIMEOUT_S)
        if response.fault:
            raise ServerError(f"the pool's response: {response.fault}")
    return {"type": "roundtrip", "us": json.loads(response.body)}


def measure_plain(installation: Installation, cores: Cores, count: int) -> Record:
    """Of `concurrent.futures.ProcessPoolExecutor`."""
    python = installation.venvs["bare"] / "bin" / "python"
    done = subprocess.run(
        [*pinned(cores.server), str(python), "-B", str(PROGRAM), str(count)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=START_TIMEOUT_S,
    )
    if done.returncode:
        raise ServerError(f"{PROGRAM.name}: {done.stderr.strip()[-200:]}")
    return {"type": "roundtrip", "us": json.loads(done.stdout)}
