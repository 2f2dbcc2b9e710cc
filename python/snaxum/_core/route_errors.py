"""The errors of routes that cannot be made. Knows no route."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..routing import Route


class RouteError(ValueError):
    """A route or hook that is not possible; the message has reason, place and correction."""


class DuplicateRoute(RouteError):
    """Two routes with the same method on the same paths."""

    method: str
    first: Route
    second: Route

    def __init__(self, method: str, first: Route, second: Route) -> None:
        self.method, self.first, self.second = method, first, second
        super().__init__(second.conflict_with(first, method))
