"""What one attempt to load did: the record behind the console's list of reloads.

Owns the report's fields, how two route tables differ, and what the modules are told as. Plain
data; never loads anything.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .._runtime import generations as state
from ..routing import Route, RouteTable
from . import loader

if TYPE_CHECKING:
    from .._runtime import generations as state

# Of a handler's source, in the console.
MAX_SOURCE_LINES = 400

Failure = dict[str, Any]
Row = dict[str, Any]


@dataclass
class Report:
    """The outcome is `ok`, `failed`, `noop`, or one that never leaves the process."""

    outcome: str = "ok"
    generation: int = 0
    # `none`, `lines`, `cone`, `all` or `restart`, and why not a smaller one.
    strategy: str = "dependents"
    reason: str = ""
    files: list[str] = field(default_factory=list)
    modules: list[dict[str, Any]] = field(default_factory=list)
    phases: dict[str, float] = field(default_factory=dict)
    diff: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    # Module name and traceback of all that did not load; several only at the first start.
    failures: list[Failure] = field(default_factory=list)
    routes: list[Row] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    # `module.NAME` of what had changed since its module ran, and begins anew.
    state_reset: list[str] = field(default_factory=list)
    # What the code does that a reload cannot do justice to, and the way out; each is told once.
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    # What is to be masked wherever it stands; for Rust alone.
    secrets: list[str] = field(default_factory=list, repr=False)
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)


class Rows:
    """Routes as they are listed; made once a route."""

    def __init__(self) -> None:
        self._known: weakref.WeakKeyDictionary[Route, Row] = weakref.WeakKeyDictionary()

    def of(self, route: Route) -> Row:
        row = self._known.get(route)
        if row is None:
            row = self._known[route] = route.to_dict(loader.display_root())
        return row

    def forget(self, routes: Iterable[Route]) -> None:
        """Make the rows of routes anew whose lines have moved."""
        for route in routes:
            self._known.pop(route, None)


def describe(generation: state.Generation) -> list[dict[str, object]]:
    """List the modules of a generation, and what each was made from."""
    graph = generation.graph
    shown = loader.display_path
    return [
        {
            "module": node.name,
            "file": shown(node.path),
            "generation": generation.ran.get(node.name, generation.number),
            "imports": sorted(n for n in node.imports | node.late if n in graph.nodes),
            "wanted": sorted(node.wanted),
            "inputs": sorted(map(shown, (*node.files, *node.listings))),
            "reaches": graph.cone([node.name]),
        }
        for node in graph.nodes.values()
    ]


def source_of(generation: state.Generation, route_id: str) -> dict[str, object] | None:
    """Give the lines of a route's handler as they were loaded; None if they are not known.

    They come from memory: what the file holds by now is another matter.
    """
    route = next((route for route in generation.routes if route.id == route_id), None)
    kept = generation.sources.kept(route.file) if route and generation.sources else None
    if route is None or kept is None:
        return None
    last = min(route.end_line, route.line + MAX_SOURCE_LINES - 1)
    texts = kept.text.splitlines()[max(route.line - 1, 0) : last]
    lines = [{"line": route.line + offset, "text": text} for offset, text in enumerate(texts)]
    return {
        "file": loader.display_path(route.file),
        "generation": generation.ran.get(route.module, generation.number),
        "lines": lines,
        "is_cut": last < route.end_line,
    }


def diff_routes(
    before: RouteTable, after: RouteTable, row: Callable[[Route], Row]
) -> dict[str, list[Row]]:
    """Compare two route tables.

    `added`, `removed`, `moved` (another line), `changed` (another handler), and `shadowed`: routes
    that are there still, and no longer answer for the paths of one that was added (`by`).
    """
    old, new = ({r.id: row(r) for r in table.routes} for table in (before, after))
    diff = diff_rows(old, new)
    diff["shadowed"] = [
        {**_reference(row(loser)), "by": route.pattern}
        for route in after.routes
        if route.id not in old
        for loser in _answered(before, route)
        if loser.id in new
    ]
    return diff


def _answered(table: RouteTable, route: Route) -> list[Route]:
    """Give what a table without `route` answers for an example of its paths."""
    found = (table.match(method, route.parsed.example) for method in route.methods)
    return list(dict.fromkeys(match[0] for match in found if isinstance(match, tuple)))


def diff_rows(old: Mapping[str, Row], new: Mapping[str, Row]) -> dict[str, list[Row]]:
    """Compare two tables of rows, by the id of their routes; says nothing of `shadowed`."""
    both = [(old[key], new[key]) for key in new if key in old and old[key] is not new[key]]
    same_handler = [
        (a, b) for a, b in both if (a["handler"], a["mode"]) == (b["handler"], b["mode"])
    ]
    return {
        "added": [_reference(new[key]) for key in new if key not in old],
        "removed": [_reference(old[key]) for key in old if key not in new],
        "moved": [
            _reference(b)
            for a, b in same_handler
            if (a["file"], a["line"]) != (b["file"], b["line"])
        ],
        "changed": [_reference(b) for a, b in both if (a, b) not in same_handler],
    }


def _reference(row: Mapping[str, Any]) -> Row:
    return {key: row[key] for key in ("methods", "path", "handler", "file", "line")}
