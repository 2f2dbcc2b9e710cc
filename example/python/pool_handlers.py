"""Endpoints that run in the process pool.

A parameter annotated `ProcessPoolExecutor` gets it. Other requests run while a handler waits.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Annotated, Any

from pool_workers import factorial, square, sum_of_squares, worker_pid

from snaxum import Path, route


@dataclass
class Numbers:
    """The body `{"numbers": [...]}`."""

    numbers: list[int | float]


@route("/python/pool/squares", use_process_pool=True)
def pool_squares(pool: ProcessPoolExecutor) -> dict[str, Any]:
    """Square the first ten numbers, each in whichever worker is free."""
    return {
        "squares": list(pool.map(square, range(10))),
        "worker": pool.submit(worker_pid).result(),
    }


@route("/python/pool/compute", methods=["POST"], use_process_pool=True)
def pool_compute(body: Numbers, pool: ProcessPoolExecutor) -> dict[str, Any]:
    """Square the numbers of the body."""
    return {"squares": list(pool.map(square, body.numbers))}


@route("/python/pool/sum", methods=["POST"], use_process_pool=True)
def pool_sum(body: Numbers, pool: ProcessPoolExecutor) -> dict[str, Any]:
    """Add up the squares of the numbers of the body, half of them in each worker."""
    middle = len(body.numbers) // 2
    parts = body.numbers[:middle], body.numbers[middle:]
    halves = [pool.submit(sum_of_squares, part) for part in parts]
    return {"sum": sum(half.result() for half in halves)}


@route("/python/pool/factorial/<int:n>", use_process_pool=True)
def pool_factorial(n: Annotated[int, Path(le=1000)], pool: ProcessPoolExecutor) -> dict[str, Any]:
    """Compute n! up to 1000!."""
    return {"n": n, "factorial": str(pool.submit(factorial, n).result())}
