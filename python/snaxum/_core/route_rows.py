"""A route as a row of the console and of `snaxum routes`.

Owns the names of the fields, which Rust reads (`RouteInfo`). Never decides how a route behaves.
"""

from __future__ import annotations

from typing import Any

from ..capture import is_private
from .handlers import relative_to


def row_of(route: Any, root: str) -> dict[str, Any]:
    """Describe a `Route` as JSON; `file` is relative to `root` if it is below it."""
    served = route.served
    row = {
        "v": 1,
        "id": route.id,
        "methods": list(route.methods),
        "path": route.pattern,
        "pattern": route.parsed.axum,
        "params": route.params,
        "handler": route.handler_name,
        "module": route.module,
        "file": relative_to(route.file, root),
        "line": route.line,
        "end_line": route.end_line,
        "doc": route.doc,
        "pool": route.mode == "process pool",
        "async": route.is_async if served is None else served.is_async,
        "mode": route.mode,
        "via": route.via,
        "no_capture": is_private(route.handler),
        "warnings": route.warnings,
    }
    return row if served is None else {**row, **served.row()}
