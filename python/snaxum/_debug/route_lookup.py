"""Which route answers a request, in which order they are tried, and why those near it do not.

Only for people who develop: compares every route, one after the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from .._core.patterns import Part
from ..routing import ImpliedOptions, MethodNotAllowed, Route, RouteTable

MAX_MISSES = 5
# Routes that are named, and that are looked at.
MAX_NAMED = 3
MAX_ROUTES = 2000
# How alike two segments are that may be one mistyped, from 0 to 1 as difflib has it.
ALIKE = 0.6


def explain(table: RouteTable, method: str, path: str) -> dict[str, Any]:
    """Tell how `table` answers `method` on the decoded `path`, as plain data.

    `answer` is the route with its converted parameters, as Python writes them, or None; `misses`
    are the nearest of the others, each with the reason.
    """
    found = table.match(method, path)
    answer = None
    winner = None
    if isinstance(found, tuple):
        winner, values = found
        types = {param["name"]: param["type"] for param in winner.params}
        params = [
            {"name": name, "type": types[name], "value": repr(value)}
            for name, value in values.items()
        ]
        answer = {**_named(winner), "mode": winner.mode, "params": params}
    segments = _segments(path)
    misses = []
    for route in table.routes:
        if route is not winner and (miss := _mismatch(route, method, segments, winner)):
            misses.append((miss[0], {**_named(route), "why": miss[1]}))
    misses.sort(key=lambda miss: miss[0])
    allow = list(found.allow) if isinstance(found, (ImpliedOptions, MethodNotAllowed)) else []
    return {
        "v": 1,
        "method": method,
        "path": path,
        "status": 405 if isinstance(found, MethodNotAllowed) else 200 if answer or allow else 404,
        "allow": allow,
        "answer": answer,
        "misses": [miss for _, miss in misses[:MAX_MISSES]],
    }


def order(table: RouteTable) -> list[str]:
    """List the ids of the routes in the order in which they are tried."""

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
    """Give how far the route is from answering, and why it does not; None if it is not near."""
    miss = _path_miss(route, segments)
    if miss is None:
        return None
    distance, why = miss
    if method not in route.methods and not (method == "HEAD" and "GET" in route.methods):
        only = f"answers only {', '.join(route.methods)}"
        return distance + 1, f"{why}, and {only}" if why else only
    if why:
        return distance, why
    if winner is None:
        return None
    return 0, f"`{winner.pattern}` is narrower and comes first"


def _path_miss(route: Route, segments: list[str]) -> tuple[int, str] | None:
    """Tell what of the path does not fit; no text if all of it does."""
    parts = route.parsed.parts
    if parts[-1].takes_rest and len(segments) >= len(parts):
        before = len(parts) - 1
        segments = [*segments[:before], "/".join(segments[before:])]
    differing = [pair for pair in zip(parts, segments) if not fits(*pair)]
    fitting = min(len(parts), len(segments)) - len(differing)
    if len(segments) != len(parts):
        rest = segments[len(parts) :] or [text_of(part) for part in parts[len(segments) :]]
        if differing or len(rest) > 1:
            return None
        is_longer = len(segments) > len(parts)
        if rest == [""]:
            return 1, "has no slash at its end" if is_longer else "ends with a slash"
        if segments == [""] or text_of(parts[0]) == "":
            return None  # all that they share is the first slash
        ends = f"ends before `/{rest[0]}`"
        return 4, f"is too short: {ends}" if is_longer else f"is too long: the path {ends}"
    if not differing:
        return 0, ""
    if len(differing) > 1:
        return None
    part, segment = differing[0]
    if part.match is not None:
        return 2, f"takes no `{segment}` where it has `{text_of(part)}`"
    if is_alike(text_of(part), segment):
        return 2, f"has `{text_of(part)}` where the path has `{segment}`"
    return (5, f"has `{text_of(part)}` where the path has `{segment}`") if fitting else None


def near_misses(routes: Iterable[Route], path: str) -> list[str]:
    """Name routes that would have `path` but for one thing, each with that thing."""
    segments = path.split("/")[1:]
    looked_at = islice(routes, MAX_ROUTES)
    reasons = ((route.pattern, _near_mismatch(route.parsed.parts, segments)) for route in looked_at)
    named = (f"`{pattern}` {reason}" for pattern, reason in reasons if reason)
    return list(islice(named, MAX_NAMED))


def _near_mismatch(parts: Sequence[Part], segments: Sequence[str]) -> str | None:
    if len(segments) == len(parts) + 1:
        only_a_slash = segments[-1] == "" and all(map(fits, parts, segments))
        return "has no slash at its end" if only_a_slash else None
    if len(parts) == len(segments) + 1:
        only_a_slash = text_of(parts[-1]) == "" and all(map(fits, parts, segments))
        return "ends with a slash" if only_a_slash else None
    if len(parts) != len(segments):
        return None
    differences = [pair for pair in zip(parts, segments) if not fits(*pair)]
    if len(differences) != 1:
        return None
    part, segment = differences[0]
    if part.match is not None:
        return f"takes no `{segment}` where it has `{text_of(part)}`"
    alike = is_alike(text_of(part), segment)
    return f"has `{text_of(part)}` where the path has `{segment}`" if alike else None


def fits(part: Part, segment: str) -> bool:
    """Tell whether a part takes a segment, or what is left if it takes the rest."""
    return text_of(part) == segment if part.match is None else part.match(segment) is not None


def text_of(part: Part) -> str:
    """Write a part as in a pattern, without the names of its parameters."""
    return "".join(p if isinstance(p, str) else f"<{p.name}>" for p in part.pieces)


def is_alike(one: str, other: str) -> bool:
    """Tell whether one may be the other, mistyped."""
    from difflib import SequenceMatcher  # only once somebody mistypes

    return SequenceMatcher(None, one.lower(), other.lower()).ratio() >= ALIKE
