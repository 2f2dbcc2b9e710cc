"""The routes that Rust finds: their paths are all text, or end with their one parameter.

Owns the rows of the index that Rust makes of a table. The routes of all other paths are found in
the table itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from .patterns import CONVERTERS

if TYPE_CHECKING:
    from .._host import IndexedRoutes
    from ..routing import Route, RouteTable

# By the function that matches a whole segment, the converter that Rust knows; the others are one.
_KNOWN = {CONVERTERS[name].whole: name for name in ("int", "string")}
_OTHER = ""


def text_rows(table: RouteTable, target: Callable[[Route], Any]) -> list[tuple[str, IndexedRoutes]]:
    """Return each path that is all text, with its routes; `target` makes what Rust calls one by."""
    return [
        (path, _routes(((method, route) for method, (route, _) in methods.items()), target))
        for path, methods in table.static.items()
    ]


def end_rows(
    table: RouteTable, target: Callable[[Route], Any]
) -> list[tuple[str, set[str], list[tuple[str, IndexedRoutes]]]]:
    """Return each text before a last segment with a parameter, its texts and its branches."""
    rows = []
    for start, node in table.parents.items():
        branches: list[tuple[str, IndexedRoutes]] = []
        for match, branch, _ in node.dynamic:
            converter = _KNOWN.get(match, _OTHER) if type(branch.methods) is dict else _OTHER
            branches.append((converter, _routes(branch.methods.items(), target)))
        rows.append((start, set(node.static), branches))
    return rows


def _routes(
    by_method: Iterable[tuple[str, Route]], target: Callable[[Route], Any]
) -> IndexedRoutes:
    # `WS` is a handshake, and no method that a client may send.
    rows = ((method, route) for method, route in by_method if method != "WS")
    return [(method, list(route.names), route.id, target(route)) for method, route in rows]
