"""The header `Accept`: how much a client wants a media type (RFC 9110, 12.5.1).

Knows no media type itself.
"""

from __future__ import annotations


def quality(accept: str, mime: str) -> float:
    """Return the quality of a type in an `Accept` header (RFC 9110, 12.5.1)."""
    wildcards = ("*/*", mime.partition("/")[0] + "/*", mime)
    best = (-1, 0.0)
    for item in accept.split(",") if accept.strip() else ["*/*"]:
        name, *parameters = (part.strip().lower() for part in item.split(";"))
        if name in wildcards:
            best = max(best, (wildcards.index(name), _weight(parameters)))
    return best[1]


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                weight = float(parameter[2:])
            except ValueError:
                return 0.0
            # Not a number, or one that the standard does not have.
            return weight if 0.0 <= weight <= 1.0 else 0.0
    return 1.0
