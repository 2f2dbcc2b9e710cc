"""The results of a lookup that finds no route.

Owns the types, and nothing else.
"""

from __future__ import annotations


class Unmatched:
    """A result without a route; two of equal type and methods are equal."""

    # No dataclasses: four would take a good part of the start.
    __slots__ = ("allow",)

    allow: tuple[str, ...]

    def __init__(self, allow: tuple[str, ...] = ()) -> None:
        self.allow = allow

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.allow == self.allow

    def __hash__(self) -> int:
        return hash((type(self), self.allow))


class MethodNotAllowed(Unmatched):
    """The path is known, the method is not; `allow` lists the known methods."""

    __slots__ = ()


class ImpliedOptions(Unmatched):
    """OPTIONS on a known path without a handler for it; `allow` lists the methods."""

    __slots__ = ()


class UpgradeRequired(Unmatched):
    """Only a WebSocket has this path."""

    __slots__ = ()


class NotFound(Unmatched):
    """No route has this path."""

    __slots__ = ()
