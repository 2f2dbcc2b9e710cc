"""Events of the pool's workers, and what each did, as Rust reads them.

Owns their shapes. Never starts or ends a worker (`pool`).
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from .._runtime.generations import current

if TYPE_CHECKING:
    from .pool import Pool


# How many of the newest replacements are told.
LOSSES_KEPT = 20


@dataclass(frozen=True)
class Loss:
    """A worker that died and was replaced; `exit_code` is minus the signal that ended it."""

    time_ms: int
    pid: int | None
    # What it ran.
    task: str | None
    exit_code: int | None
    # Whether the server ended it: the request of its task was given up.
    was_killed: bool
    # The new one.
    successor: int | None


def event(change: str, pid: int | None, **about: object) -> bytes:
    """Write what happened to a worker as Rust reads it (`WorkerEvent`)."""
    now_ms = time.time_ns() // 1_000_000
    fields = {"time_ms": now_ms, "change": change, "pid": pid, **about}
    # Half a surrogate pair does not cross.
    return json.dumps(fields, ensure_ascii=False).encode("utf-8", "replace")


def pool_status(pool: Pool) -> dict[str, Any]:
    """Describe the pool: its workers, and what they did."""
    serving, now = current().number, time.monotonic()
    with pool._lock:
        idle = set(map(id, pool._idle))
        rows: list[dict[str, Any]] = []
        for worker in pool._workers:
            task = worker.task
            rows.append(
                {
                    "pid": worker.pid,
                    "busy": id(worker) not in idle,
                    "task": task.name if task else None,
                    "task_ms": round((now - worker.task_since) * 1000, 1) if task else None,
                    # The one whose code it was given last; it follows with its next task.
                    "generation": worker.generation or None,
                    "stale": 0 < worker.generation < serving,
                    "done": worker.done,
                    "failed": worker.failed,
                }
            )
        status = {
            "size": pool._size,
            "workers": rows,
            "busy": len(rows) - len(idle),
            "waiting": len(pool._waiting),
            "done": pool._done,
            "failed": pool._failed,
            "replaced": pool._replaced,
            # The newest last.
            "exits": [asdict(loss) for loss in pool._losses],
        }
    for row in rows:
        row["rss_bytes"] = resident_bytes(row["pid"])
    return status


def resident_bytes(pid: int | None) -> int | None:
    """Give how much memory a process holds, where the system tells."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None
