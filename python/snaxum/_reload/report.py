"""The report of one attempt to load, for the terminal and the console.

Owns the fields of the report, the comparison of two route tables, and the description of modules.
Plain data: never loads anything.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any, cast

from .._runtime.generations import Generation
from ..routing import Route, RouteTable
from .user_paths import display_path, display_root

if TYPE_CHECKING:
    from .._core.mounted_routes import InnerRoute
    from ..mounts import Mount

# The most lines of a handler's source that the console shows.
MAX_SOURCE_LINES = 400

Failure = dict[str, Any]
Row = dict[str, Any]


class Report:
    """The result of one attempt; `outcome` is `ok`, `failed` or `noop`."""

    def __init__(self, files: list[str]) -> None:
        self.outcome = "ok"
        self.generation = 0
        # The number of its texts in `SavedTexts`; 0 without. Only Rust reads it.
        self.save = 0
        # `none`, `lines`, `dependents`, `all` or `restart`, and the reason for it.
        self.strategy = "dependents"
        self.reason = ""
        self.files = files
        self.modules: list[dict[str, Any]] = []
        self.module_count = 0
        self.phases: dict[str, float] = {}
        self.diff: dict[str, list[dict[str, Any]]] = {}
        # Name and traceback of each module that did not load; several only at the first start.
        self.failures: list[Failure] = []
        self.routes: list[Row] = []
        # The directories of static files. Only Rust reads them.
        self.static_mounts: list[Row] = []
        self.broken: list[str] = []
        # `module.NAME` of the globals that had changed since their module ran, and are lost.
        self.state_reset: list[str] = []
        # Effects of the code that a reload can handle only in part, and routes that are probably
        # mistakes, each with the way out.
        self.warnings: list[str] = []
        self.notes: list[str] = []
        # Values to redact in everything that is shown. Only Rust reads them.
        self.secrets: list[str] = []
        self.inputs: list[str] = []
        # The directories of all modules that were read.
        self.code_dirs: list[str] = []
        # Directories of static files and templates: a change there refreshes pages, and no more.
        self.asset_dirs: list[str] = []
        self.outputs: list[str] = []
        # The routes whose handlers start before the body has arrived: methods, prefix of the paths.
        self.streamed: list[dict[str, Any]] = []
        # The addresses and locks that this process has.
        self.held: list[str] = []


class RouteRowCache:
    """The rows of the route list; each is made once."""

    def __init__(self) -> None:
        self._known: weakref.WeakKeyDictionary[Route, Row] = weakref.WeakKeyDictionary()

    def of(self, route: Route) -> Row:
        row = self._known.get(route)
        if row is None:
            row = self._known[route] = route.to_dict(display_root())
        return row

    def forget(self, routes: Iterable[Route]) -> None:
        """Make the rows of these routes again: their lines have moved."""
        moved = set(routes)
        for route in [route for route in self._known if route.origin in moved]:
            self._known.pop(route, None)


def inner_rows(route: Route) -> list[Row]:
    """List the rows of the routes within an application; none for another route."""
    return [inner.row(display_root()) for inner in _inner_routes(route)]


def inner_routes_of(generation: Generation) -> list[InnerRoute]:
    """List the routes within all applications of a generation."""
    return [inner for route in generation.routes for inner in _inner_routes(route)]


def _inner_routes(route: Route) -> list[InnerRoute]:
    mount = route.origin
    if not mount.is_mount:
        return []
    from .._core.mounted_routes import inner_routes

    return inner_routes(cast("Mount", mount))


def describe(generation: Generation) -> list[dict[str, object]]:
    """List the modules of a generation, with their imports and inputs."""
    graph = generation.graph
    shown = display_path
    return [
        {
            "module": node.name,
            "file": shown(node.path),
            "generation": generation.ran.get(node.name, generation.number),
            "imports": sorted(n for n in node.imports | node.deferred_imports if n in graph.nodes),
            "missing_imports": sorted(node.missing_imports),
            "inputs": sorted(map(shown, (*node.files, *node.listed_dirs))),
            "dependents": graph.dependents([node.name]),
        }
        for node in graph.nodes.values()
    ]


def source_of(generation: Generation, route_id: str) -> dict[str, object] | None:
    """Return the lines of a route's handler as they were loaded; None if they are unknown.

    They come from memory: the file may have changed since.
    """
    from .._debug.source_mask import mask_source

    every: Iterable[Route | InnerRoute] = chain(generation.routes, inner_routes_of(generation))
    route = next((each for each in every if each.id == route_id), None)
    source = generation.sources.cached(route.file) if route and generation.sources else None
    if route is None or source is None:
        return None
    last = min(route.end_line, route.line + MAX_SOURCE_LINES - 1)
    texts = mask_source(source.text).lines[max(route.line - 1, 0) : last]
    lines = [{"line": route.line + offset, "text": text} for offset, text in enumerate(texts)]
    return {
        "file": display_path(route.file),
        "generation": generation.ran.get(route.module, generation.number),
        "lines": lines,
        "is_cut": last < route.end_line,
    }


def diff_routes(
    before: RouteTable, after: RouteTable, row: Callable[[Route], Row]
) -> dict[str, list[Row]]:
    """Compare two route tables.

    Returns `added`, `removed`, `moved` (another line), `changed` (another handler), and `shadowed`:
    unchanged routes that an added route (`by`) now precedes for its paths.
    """
    old, new = ({r.id: row(r) for r in table.routes} for table in (before, after))
    diff = diff_rows(old, new)
    diff["shadowed"] = [
        {**_reference(row(loser)), "by": route.pattern}
        for route in after.routes
        if route.id not in old
        for loser in _matches(before, route)
        if loser.id in new
    ]
    return diff


def _matches(table: RouteTable, route: Route) -> list[Route]:
    """Return the routes of a table that match an example path of `route`."""
    found = (table.match(method, route.parsed.example) for method in route.methods)
    return list(dict.fromkeys(match[0] for match in found if isinstance(match, tuple)))


def diff_rows(old: Mapping[str, Row], new: Mapping[str, Row]) -> dict[str, list[Row]]:
    """Compare two tables of rows by the id of their routes, without `shadowed`."""
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


def mount_rows(generation: Generation, inner: Iterable[InnerRoute]) -> dict[str, Row]:
    """Return the rows of static directories and of routes within applications, by their id."""
    root = display_root()
    rows = [mount.to_dict(root) for mount in generation.static_mounts]
    rows += [route.row(root) for route in inner]
    return {row["id"]: row for row in rows}


def ms_since(start: float) -> float:
    """Return the milliseconds since a value of `time.perf_counter`."""
    return round((time.perf_counter() - start) * 1e3, 3)


def _reference(row: Mapping[str, Any]) -> Row:
    return {key: row[key] for key in ("methods", "path", "handler", "file", "line")}
