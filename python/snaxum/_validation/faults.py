"""Faults: the values of a request that do not have their type, each with its place.

Owns `Fault` and the exception for a type that no converter supports. Never converts anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

Loc = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """One value that is wrong: its place, the expectation, and a name for programs."""

    loc: Loc
    msg: str
    type: str


Faults = list[Fault]
# Converts a value at a place, or adds what is wrong with it and returns `INVALID`.
Convert = Callable[[Any, Loc, Faults], Any]


class _Invalid:
    def __repr__(self) -> str:
        return "INVALID"


INVALID: Final = _Invalid()


class Unsupported(Exception):
    """A type that no value of a request can become; the message has the reason."""


class Unresolved(Unsupported):
    """A type with a name that is not defined, or not yet."""
