"""The routes of a generation with their hooks: which hooks apply to a route, and in what order.

Owns the checks between modules: two error handlers for one thing, two blueprints of one name. Never
runs a hook (`_runtime.hook_chain`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from .._core.hooks import Condition, HookSet, RequestHook, Scope, name_of
from .._core.route_errors import RouteError
from .._core.websocket_routes import WebSocketRoute
from .._runtime.hook_chain import HookedRoute
from ..routing import Route
from .model import Node


class RoutePlans:
    """The hooks of the modules `nodes`, for their routes.

    `conflicts` maps a module to the error of a second declaration in it, which is left out.
    `refusals` are hooks before all others.
    """

    def __init__(self, nodes: Sequence[Node], refusals: Sequence[RequestHook] = ()) -> None:
        self.conflicts: dict[str, RouteError] = {}
        self._hooks: dict[str, dict[Scope | None, list[RequestHook]]] = {}
        if refusals:
            self._hooks["before_request"] = {None: list(refusals)}
        self._errors: dict[Scope | None, dict[Condition, RequestHook]] = {}
        scopes: dict[str, Scope] = {}
        for node in _importers_last(nodes):
            for scope in node.scopes:
                first = scopes.setdefault(scope.name, scope)
                if first is not scope:
                    self._refuse(node, _two_blueprints(first, scope))
            for hook in node.request_hooks:
                if hook.kind == "errorhandler":
                    self._add_errors(node, hook)
                else:
                    levels = self._hooks.setdefault(hook.kind, {})
                    levels.setdefault(hook.scope, []).append(hook)

    def routes(self, nodes: Iterable[Node], before: Iterable[Route]) -> list[tuple[str, Route]]:
        """Return the routes of `nodes` with their hooks, and the module of each.

        A route of `before` with equal hooks stays the same object.
        """
        known = {route.origin: route for route in before}
        of_scope: dict[Scope | None, HookSet] = {}
        planned: list[tuple[str, Route]] = []
        for node in nodes:
            for route in node.routes:
                if route.scope not in of_scope:
                    of_scope[route.scope] = self._set_of(route.scope)
                hooks = of_scope[route.scope]
                planned.append((node.name, _with_hooks(route, hooks, known)))
        return planned

    def of_no_route(self) -> HookSet:
        """Return the hooks of a request that no route matches."""
        return self._set_of(None)

    def _set_of(self, scope: Scope | None) -> HookSet:
        levels = [None] if scope is None else [None, scope]
        return HookSet(
            middleware=tuple(self._of("middleware", levels)),
            before=tuple(self._of("before_request", levels)),
            after=tuple(reversed(list(self._of("after_request", levels)))),
            errors=tuple(self._errors[x] for x in reversed(levels) if x in self._errors),
        )

    def _of(self, kind: str, levels: Iterable[Scope | None]) -> Iterator[RequestHook]:
        of_kind = self._hooks.get(kind, {})
        for level in levels:
            yield from of_kind.get(level, ())

    def _add_errors(self, node: Node, hook: RequestHook) -> None:
        level = self._errors.setdefault(hook.scope, {})
        for condition in hook.conditions:
            first = level.setdefault(condition, hook)
            if first is not hook:
                self._refuse(node, _two_handlers(condition, first, hook))

    def _refuse(self, node: Node, error: RouteError) -> None:
        self.conflicts.setdefault(node.name, error)


def _with_hooks(route: Route, hooks: HookSet, known: Mapping[Route, Route]) -> Route:
    if isinstance(route, WebSocketRoute):
        hooks = HookSet(before=hooks.before)  # the others are about a response
    if not hooks.all():
        return route
    before = known.get(route)
    if isinstance(before, HookedRoute) and before.hooks == hooks:
        return before
    return HookedRoute(route, hooks)


def _importers_last(nodes: Sequence[Node]) -> list[Node]:
    """Order modules so that each comes after its imports."""
    by_name = {node.name: node for node in nodes}
    ordered: dict[str, Node] = {}
    begun: set[str] = set()
    # Not recursive: a chain of imports may be long.
    waiting = [(name, False) for name in reversed(by_name)]
    while waiting:
        name, is_done = waiting.pop()
        if is_done:
            ordered[name] = by_name[name]
        elif name not in begun:
            begun.add(name)
            waiting.append((name, True))
            imports = by_name[name].imports
            waiting += [(each, False) for each in reversed(by_name) if each in imports]
    return list(ordered.values())


def _two_handlers(condition: Condition, first: RequestHook, second: RequestHook) -> RouteError:
    level = f"the blueprint {first.scope.name!r}" if first.scope else "all routes"
    return RouteError(
        f"two error handlers of {level} for {name_of(condition)}: {first.name} at {first.place} "
        f"and {second.name} at {second.place}; remove one of them"
    )


def _two_blueprints(first: Scope, second: Scope) -> RouteError:
    return RouteError(
        f"two blueprints have the name {first.name!r}: at {first.place} and at {second.place}; "
        "rename one of them, or import it where it is needed again"
    )
