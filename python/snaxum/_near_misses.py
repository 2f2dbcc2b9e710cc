"""Why no route has a path: those that nearly have it, and what keeps each from it.

Only for people who develop: compares every route, one after the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from .patterns import Part
from .routing import Route

# Routes that are named, and that are looked at.
MAX_NAMED = 3
MAX_ROUTES = 2000
# How alike two segments are that may be one mistyped, from 0 to 1 as difflib has it.
ALIKE = 0.6


def near_misses(routes: Iterable[Route], path: str) -> list[str]:
    """Name routes that would have `path` but for one thing, each with that thing."""
    segments = path.split("/")[1:]
    looked_at = islice(routes, MAX_ROUTES)
    reasons = ((route.pattern, _why_not(route.parsed.parts, segments)) for route in looked_at)
    named = (f"`{pattern}` {reason}" for pattern, reason in reasons if reason)
    return list(islice(named, MAX_NAMED))


def _why_not(parts: Sequence[Part], segments: Sequence[str]) -> str | None:
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
