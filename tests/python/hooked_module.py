"""A module that is being loaded, for tests of its hooks and routes."""

from __future__ import annotations

from types import SimpleNamespace

from snaxum import Request, Response
from snaxum._core.hooks import RequestHook, Scope
from snaxum._reload.model import Node
from snaxum._reload.route_plans import RoutePlans
from snaxum.routing import Route


class Module:
    """Receives declarations like the node of a module that is being loaded."""

    def __init__(self) -> None:
        self.node = Node("app", None)
        self.planned: list[Route] = []
        self.mounts: list[SimpleNamespace] = []

    def add_route(self, route: Route) -> None:
        self.node.routes.append(route)

    def add_request_hook(self, hook: RequestHook) -> None:
        self.node.request_hooks.append(hook)

    def add_scope(self, scope: Scope) -> None:
        self.node.scopes.append(scope)

    def routes(self) -> list[Route]:
        return self.planned

    def static_mounts(self) -> list[SimpleNamespace]:
        return self.mounts

    def plan(self) -> RoutePlans:
        plans = RoutePlans([self.node])
        self.planned = [route for _, route in plans.routes([self.node], self.planned)]
        return plans

    def get(self, path: str = "/", query: str = "") -> Response:
        """Respond to a request for the route with exactly this pattern."""
        self.plan()
        route = next(route for route in self.planned if route.pattern == path)
        response = route.call(Request.build(path=path, query=query))
        return response if isinstance(response, Response) else Response(response)
