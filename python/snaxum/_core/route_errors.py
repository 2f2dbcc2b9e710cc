"""The errors of routes that cannot be made. Knows no route."""

from __future__ import annotations

from typing import Any


class RouteError(ValueError):
    """A route or hook that is not possible; the message has reason, place and correction."""


class DuplicateRoute(RouteError):
    """Two routes with the same method on the same paths; each is a `Route`."""

    method: str
    first: Any
    second: Any

    def __init__(self, method: str, first: Any, second: Any) -> None:
        self.method, self.first, self.second = method, first, second
        super().__init__(second.conflict_with(first, method))
