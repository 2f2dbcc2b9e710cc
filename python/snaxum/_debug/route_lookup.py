"""Explains a lookup: the route of a request, the order of the routes, and the near misses.

Only for development: compares every route, one after the other. Never changes a table.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any
from urllib.parse import quote

from .._core.patterns import Part
from .._core.unmatched import ImpliedOptions, MethodNotAllowed, UpgradeRequired
from .._reload.user_paths import display_root
from ..mounts import ANY_METHOD
from ..routing import Route, RouteTable
from ..static_files import StaticMount, find_file

# The most near misses that an explanation lists, and that the detail of a 404 names.
MAX_MISSES = 5
MAX_NAMED = 3
# The most routes that are compared for the detail of a 404.
MAX_ROUTES = 2000
# From this similarity on (0 to 1, by difflib), one segment may be the other, mistyped.
SIMILAR = 0.6
# The largest distance of a route that the detail of a 404 names.
NEAR = 2


def explain(
    table: RouteTable, method: str, path: str, mounts: Iterable[StaticMount] = ()
) -> dict[str, Any]:
    """Describe the lookup of `method` and the decoded `path` as plain data.

    A file of the static `mounts` is before the routes. `route` is the matching route with its
    converted parameters, as Python writes them, or None;
    `near_misses` are the nearest other routes, each with the reason.
    """
    found = table.match(method, path)
    matched = None
    winner = None
    if isinstance(found, tuple):
        winner, values = found
        types = {param["name"]: param["type"] for param in winner.params}
        params = [
            {"name": name, "type": types[name], "value": repr(value)}
            for name, value in values.items()
        ]
        matched = {**_named(winner), "mode": winner.mode, "via": winner.via, "params": params}
    file = find_file(mounts, path)
    if file is not None:
        mount, name = file
        row = mount.to_dict(display_root())
        kept = {key: row[key] for key in ("methods", "path", "handler", "mode", "via")}
        matched = {**kept, "params": [{"name": "file", "type": "path", "value": repr(name)}]}
        winner = None
    segments = _segments(path)
    misses = []
    for route in table.routes:
        if route is not winner and (miss := _mismatch(route, method, segments, winner)):
            misses.append((miss[0], {**_named(route), "reason": miss[1]}))
    misses.sort(key=lambda miss: miss[0])
    allow = list(found.allow) if isinstance(found, (ImpliedOptions, MethodNotAllowed)) else []
    status = 200 if matched or allow else 404
    if file is not None:
        status = 200 if method in ("GET", "HEAD", "OPTIONS") else 405
    elif isinstance(found, MethodNotAllowed):
        status = 405
    elif isinstance(found, UpgradeRequired):
        status = 426
    return {
        "v": 2,
        "method": method,
        "path": path,
        "status": status,
        "allow": allow,
        "route": matched,
        "near_misses": [miss for _, miss in misses[:MAX_MISSES]],
    }


def near_misses(routes: Iterable[Route], path: str) -> list[str]:
    """Name routes that differ from `path` in one thing, each with that thing."""
    segments = _segments(path)
    compared = ((route, _path_mismatch(route, segments)) for route in islice(routes, MAX_ROUTES))
    near = (
        f"`{route.pattern}` {miss[1]}" for route, miss in compared if miss and 0 < miss[0] <= NEAR
    )
    return list(islice(near, MAX_NAMED))


def near_routes(routes: Iterable[Route], path: str, method: str) -> list[dict[str, Any]]:
    """List the routes near a path, or with the path and other methods, as plain data.

    `link` is a path of the route that a browser can open, or None.
    """
    segments = _segments(path)
    found = []
    for route in islice(routes, MAX_ROUTES):
        miss = _path_mismatch(route, segments)
        if miss is None or miss[0] > NEAR or (not miss[0] and method in route.methods):
            continue
        row: dict[str, Any] = {"methods": list(route.methods), "path": route.pattern, "link": None}
        if not {"GET", ANY_METHOD}.isdisjoint(route.methods):
            row["link"] = _corrected(route, segments)
        found.append((miss[0], row))
    found.sort(key=lambda each: each[0])
    return [row for _, row in found[:MAX_MISSES]]


def _corrected(route: Route, segments: list[str]) -> str | None:
    """Return the path with its difference from a route mended, encoded for a link."""
    parts = route.parsed.parts
    if parts[-1].takes_rest and len(segments) >= len(parts):
        before = len(parts) - 1
        segments = [*segments[:before], "/".join(segments[before:])]
    corrected = []
    padded = segments + [""] * len(parts)
    for part, segment in zip(parts, padded):
        if part.match is None:
            corrected.append(_text_of(part))
        elif part.match(segment) is not None:
            corrected.append(segment)
        else:
            return None
    path = "/" + "/".join(map(quote, corrected))
    return None if path.startswith("//") else path


def matching_order(table: RouteTable) -> list[str]:
    """List the ids of the routes in the order of the lookup."""

    def key(route: Route) -> list[tuple[Any, ...]]:
        return [
            (1, *part.order) if part.match else (0, "".join(map(str, part.pieces)))
            for part in route.parsed.parts
        ]

    return [route.id for route in sorted(table.routes, key=key)]


def _named(route: Route) -> dict[str, Any]:
    return {
        "methods": list(route.methods),
        "path": route.pattern,
        "handler": route.handler_name,
    }


def _segments(path: str) -> list[str]:
    if path[:2] == "//":  # several slashes at the start count as one
        path = "/" + path.lstrip("/")
    return path.split("/")[1:]


def _mismatch(
    route: Route, method: str, segments: list[str], winner: Route | None
) -> tuple[int, str] | None:
    """Return the distance of a route from the request, and the reason; None if it is not near."""
    miss = _path_mismatch(route, segments)
    if miss is None:
        return None
    distance, why = miss
    accepted = {method, ANY_METHOD, "GET" if method == "HEAD" else method}
    if accepted.isdisjoint(route.methods):
        only = f"accepts only {', '.join(route.methods)}"
        return distance + 1, f"{why}, and {only}" if why else only
    if why:
        return distance, why
    if winner is None:
        return None
    return 0, f"`{winner.pattern}` is more specific and comes first"


def _path_mismatch(route: Route, segments: list[str]) -> tuple[int, str] | None:
    """Return the distance of a route from the path, and the difference, "" if there is none."""
    parts = route.parsed.parts
    if parts[-1].takes_rest and len(segments) >= len(parts):
        before = len(parts) - 1
        segments = [*segments[:before], "/".join(segments[before:])]
    differing = [pair for pair in zip(parts, segments) if not _fits(*pair)]
    fitting = min(len(parts), len(segments)) - len(differing)
    if len(segments) != len(parts):
        rest = segments[len(parts) :] or [_text_of(part) for part in parts[len(segments) :]]
        if differing or len(rest) > 1:
            return None
        is_longer = len(segments) > len(parts)
        if rest == [""]:
            return 1, "has no slash at its end" if is_longer else "ends with a slash"
        if segments == [""] or _text_of(parts[0]) == "":
            return None  # they share only the first slash
        ends = f"ends before `/{rest[0]}`"
        return 4, f"is too short: {ends}" if is_longer else f"is too long: the path {ends}"
    if not differing:
        return 0, ""
    if len(differing) > 1:
        return None
    part, segment = differing[0]
    difference = f"has `{_text_of(part)}` where the path has `{segment}`"
    if part.match is not None or _is_similar(_text_of(part), segment):
        return 2, difference
    return (5, difference) if fitting else None


def _fits(part: Part, segment: str) -> bool:
    """Report whether a part matches a segment, or the rest of the path."""
    return _text_of(part) == segment if part.match is None else part.match(segment) is not None


def _text_of(part: Part) -> str:
    """Write a part as in a pattern, without the names of its parameters."""
    return "".join(p if isinstance(p, str) else f"<{p.name}>" for p in part.pieces)


def _is_similar(one: str, other: str) -> bool:
    """Report whether one segment may be the other, mistyped."""
    from difflib import SequenceMatcher  # imported with the first mistyped path

    return SequenceMatcher(None, one.lower(), other.lower()).ratio() >= SIMILAR
