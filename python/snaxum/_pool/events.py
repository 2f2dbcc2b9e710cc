"""Events of the pool's workers, as Rust reads them.

Owns their shapes. Never starts or ends a worker (`pool`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from .._host import to_json

# How many exits the pool's status lists, newest last.
MAX_EXITS = 20


@dataclass
class WorkerExit:
    """A worker that died; `exit_code` is minus the signal that ended it."""

    time_ms: int
    pid: int | None
    # The name of the task that it ran.
    task: str | None
    exit_code: int | None
    # Whether the server killed it, because the request of its task was cancelled.
    was_killed: bool
    # The process id of its replacement, once that has started.
    successor: int | None = None


def to_event(change: str, pid: int | None, **details: object) -> bytes:
    """Encode a change of a worker for Rust (`WorkerEvent`)."""
    now_ms = time.time_ns() // 1_000_000
    return to_json({"time_ms": now_ms, "change": change, "pid": pid, **details})
