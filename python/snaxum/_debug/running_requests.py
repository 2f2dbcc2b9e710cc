"""The running requests, for the console: on the loop, on the threads that may wait, in the pool.

Owns the shape of the snapshot. Changes nothing; the dispatch workers are in Rust.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._runtime import leases
from .._runtime.generations import current

if TYPE_CHECKING:
    from .._runtime.runtime import Runtime


def describe(runtime: Runtime) -> dict[str, Any]:
    """List the requests that are neither queued nor at a dispatch worker, and the pool.

    `loop` is null until it is first needed; `generations` has the generation of each request;
    `background` lists the functions that run after a response.
    """
    loop, _ = runtime.made()
    numbers = leases.generation_numbers()
    return {
        "generation": current().number,
        "generations": {str(request): number for request, number in numbers.items()},
        "loop": None if loop is None else loop.requests(),
        "pool_requests": runtime.waiting.requests(),
        "stream_requests": runtime.streaming.requests(),
        "background": runtime.background_functions(),
        "pool": pool_status(runtime),
    }


def pool_status(runtime: Runtime) -> dict[str, Any]:
    """Return `TaskPool.status`, also while there is no pool yet.

    `handlers` has the pools of handlers with workers of their own, if there are some.
    """
    _, pool = runtime.made()
    if pool is not None:
        status = pool.status()
    else:
        none = {"busy": 0, "waiting": 0, "done": 0, "failed": 0, "replaced": 0}
        status = {"size": runtime.pool_workers, "workers": [], **none, "exits": []}
    pools = sorted(runtime.handler_pools, key=lambda each: each.handler_name)
    if pools:
        status["handlers"] = [{"handler": each.handler_name, **each.status()} for each in pools]
    return status
