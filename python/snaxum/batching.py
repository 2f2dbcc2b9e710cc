"""Batches of requests: `Batch`, the option of a route whose handler takes many at once.

Owns the numbers and their check. Never collects a request (`_runtime.batches`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Batch:
    """Let a handler take up to `max_size` requests in one call: `@post("/x", batch=Batch())`.

    The first request waits at most `max_wait_ms` milliseconds for others; a full batch starts at
    once. Each parameter of the handler is a list with the value of each request, and the handler
    returns a list with the result of each, in the same order.

    Raises TypeError or ValueError for a number that is not possible.
    """

    max_size: int = 32
    max_wait_ms: float = 5

    def __post_init__(self) -> None:
        if type(self.max_size) is not int:
            raise TypeError(
                f"`max_size` is {self.max_size!r}; write a number of requests such as 32"
            )
        if self.max_size < 1:
            raise ValueError(f"`max_size` is {self.max_size}; a batch has 1 request or more")
        if type(self.max_wait_ms) not in (int, float):
            raise TypeError(f"`max_wait_ms` is {self.max_wait_ms!r}; write milliseconds such as 5")
        if not (math.isfinite(self.max_wait_ms) and self.max_wait_ms >= 0):
            raise ValueError(
                f"`max_wait_ms` is {self.max_wait_ms}; write 0 or more milliseconds, such as 5"
            )
