"""The workers of a Dask cluster as the console shows them.

Owns what this server has seen of each: the process, the generation of the newest code there, its
counts. The scheduler knows neither. Never changes a worker.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any


@dataclass
class _Row:
    threads: int
    pid: int | None = None
    generation: int = 0
    done: int = 0
    failed: int = 0


class DaskWorkers:
    """The rows of the workers, by address; for all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[str, _Row] = {}

    @property
    def threads(self) -> int:
        """How many tasks can run at once."""
        with self._lock:
            return sum(row.threads for row in self._rows.values())

    def replace(self, threads: dict[str, int]) -> None:
        """Set which workers there are, with their numbers of threads."""
        with self._lock:
            before = self._rows
            self._rows = {
                address: before.get(address) or _Row(count) for address, count in threads.items()
            }

    def remove(self, address: str) -> None:
        """Drop a worker."""
        with self._lock:
            self._rows.pop(address, None)

    def has_begun(self, address: str, pid: int, generation: int) -> bool:
        """Record the begin of a task; report whether the worker had no code as new before."""
        with self._lock:
            row = self._rows.setdefault(address, _Row(1))
            row.pid = pid
            is_new = generation > row.generation
            row.generation = max(row.generation, generation)
            return is_new

    def has_ended(self, address: str, *, is_failure: bool) -> None:
        """Record the end of a task."""
        with self._lock:
            row = self._rows.get(address)
            if row is not None:
                row.done += 1
                row.failed += is_failure

    def status(self, serving: int) -> list[dict[str, Any]]:
        """Describe the workers, idle ones; `serving` is the number of the current generation."""
        with self._lock:
            return [
                {
                    "address": address,
                    "pid": row.pid,
                    "busy": False,
                    "task": None,
                    "task_ms": None,
                    "generation": row.generation or None,
                    "stale": 0 < row.generation < serving,
                    "done": row.done,
                    "failed": row.failed,
                    "rss_bytes": None,
                }
                for address, row in self._rows.items()
            ]
