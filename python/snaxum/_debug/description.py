"""Descriptions for the console: of the pool, the modules, the order of matching and others.

Owns their names. Plain data: never changes anything.
"""

from __future__ import annotations

from typing import Any

from .._reload import report
from .._runtime.generations import current
from .._runtime.runtime import running
from . import route_lookup, running_requests


def of(what: str, about: list[str]) -> Any:
    """Return the description `what`; None if it does not exist.

    Possible are `pool`, `modules`, `order` (of matching), `workers`, `source` (of the route with an
    id), `match` (of a method and a path) and `save` (the diff of a save with a number).
    """
    generation = current()
    if what == "pool":
        return running_requests.pool_status(running())
    if what == "order":
        return route_lookup.matching_order(generation.table)
    if what == "workers":
        return running_requests.describe(running())
    if what == "source":
        return report.source_of(generation, *about)
    if what == "save":
        return running().reloader.saved.describe(*about)
    if what == "match":
        method, path = about
        return route_lookup.explain(generation.table, method, path, generation.static_mounts)
    return report.describe(generation)
