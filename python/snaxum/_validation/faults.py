"""Faults: the values of a request that do not have their type, each with its place.

Owns `Fault`, the bounded list of them, and the exception for a type that no converter supports.
Never converts anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

Loc = tuple[str | int, ...]


class Fault:
    """One value that is wrong: its place, the expectation, and a name for programs."""

    __slots__ = ("loc", "msg", "type")

    def __init__(self, loc: Loc, msg: str, type: str) -> None:
        self.loc, self.msg, self.type = loc, msg, type

    def __repr__(self) -> str:
        return f"Fault({self.loc!r}, {self.msg!r}, {self.type!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Fault):
            return NotImplemented
        return (self.loc, self.msg, self.type) == (other.loc, other.msg, other.type)


# The most faults of one value: a body of many small values may have a million.
MAX_FAULTS = 1000


class TooManyFaults(Exception):
    """Ends a conversion; `fault` is the first beyond the limit."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.msg)
        self.fault = fault


class Faults(list[Fault]):
    """The faults of a value. Raises TooManyFaults after `MAX_FAULTS`.

    Within a union, `refused` has the faults of each value that a member of a union has refused, by
    the `id` of the value and that of the member; with the value, so that no other gets its `id`.
    """

    __slots__ = ("open", "refused")

    def __init__(self, refused: dict[tuple[int, int], tuple[Any, Faults]] | None = None) -> None:
        super().__init__()
        self.refused = refused
        # The objects of a result around this place, each by its `id` and that of its model.
        self.open: set[tuple[int, int]] | None = None

    def attempt(self, refused: dict[tuple[int, int], tuple[Any, Faults]]) -> Faults:
        """Return the faults of an attempt at the same place."""
        found = Faults(refused)
        found.open = self.open
        return found

    def append(self, fault: Fault, /) -> None:
        if len(self) >= MAX_FAULTS:
            raise TooManyFaults(fault)
        super().append(fault)

    def extend(self, faults: Iterable[Fault], /) -> None:
        for each in faults:
            self.append(each)

    def __iadd__(self, faults: Iterable[Fault], /) -> Faults:  # type: ignore[override,misc]
        self.extend(faults)
        return self


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
