"""The names that resemble another one, for the hints of errors.

Owns the import of `difflib`: a server that starts without an error does not need it.
"""

from __future__ import annotations

from collections.abc import Iterable


def near_names(name: str, names: Iterable[str], count: int = 1, cutoff: float = 0.6) -> list[str]:
    """Return the nearest of `names`, the nearest first, at most `count`."""
    from difflib import get_close_matches

    return get_close_matches(name, list(names), count, cutoff)
