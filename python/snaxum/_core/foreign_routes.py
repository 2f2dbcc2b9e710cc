"""The routes of an application of another framework, as far as it shows them.

Owns the way through the tables of Starlette, FastAPI, Flask, Quart, Litestar, Django and Bottle, by
their attributes. Never imports a framework, and never calls a handler. An application that is
unlike them has no routes here.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from .late_regex import late
from .records import record

# The most routes that are listed of one application.
MAX_ROUTES = 2000
# The most applications around another one, such as middleware.
MAX_LAYERS = 20
ANY = ("ANY",)


@record(eq=False, repr=False)
class ForeignRoute:
    """One route: its methods, its path below the application, its handler.

    `keys` are the objects by which a request refers to it.
    """

    methods: tuple[str, ...]
    path: str
    handler: Any
    keys: tuple[Any, ...] = ()


def routes_of(app: object) -> list[ForeignRoute]:
    """List the routes of an application; none if it shows none."""
    found: list[ForeignRoute] = []
    try:
        for route in _routes_of(app):
            found.append(route)
            if len(found) >= MAX_ROUTES:
                break
    except Exception:  # an attribute of the framework's is not what it seems
        pass
    return found


def parameters_of(path: str) -> tuple[str, list[dict[str, str]]]:
    """Return a path in the syntax of axum, and its parameters."""
    params: list[dict[str, str]] = []

    def replace(match: re.Match[str]) -> str:
        kind, name = (match[2], match[1]) if match[1] else (match[3], match[4])
        known = {"int": "int", "float": "float", "uuid": "uuid", "path": "path"}
        params.append({"name": name, "type": known.get(kind or "", "string")})
        return f"{{*{name}}}" if kind == "path" else f"{{{name}}}"

    return _PARAMETER.sub(replace, path), params


# `{name:kind}` of Starlette, or `<kind:name>` of Werkzeug and Django.
_PARAMETER = late(r"\{(\w+)(?::(\w+))?\}|<(?:([^<>:]+):)?(\w+)>")


def is_of_django(app: object) -> bool:
    """Report whether an application is Django's, whose routes belong to the process."""
    try:
        return any(_is_django(layer) for layer in _layers(app))
    except Exception:  # an attribute of the application's is not what it seems
        return False


def _is_django(app: Any) -> bool:
    return type(app).__module__.startswith("django.")


def _layers(app: Any) -> Iterator[Any]:
    """Yield an application, and each application that it wraps."""
    for _ in range(MAX_LAYERS):
        yield app
        app = getattr(app, "app", None)
        if app is None:
            return


def _routes_of(app: Any) -> Iterator[ForeignRoute]:
    for layer in _layers(app):
        if hasattr(layer, "url_map") and hasattr(layer, "view_functions"):
            return _of_werkzeug(layer)
        if _is_django(layer):
            return _of_django()
        routes = getattr(layer, "routes", None)
        if isinstance(routes, list | tuple):
            if any(hasattr(route, "route_handlers") for route in routes):
                return _of_litestar(routes)
            if any(hasattr(route, "rule") for route in routes):
                return _of_bottle(routes)
            return _of_starlette(routes, "")
    return iter(())


def _of_starlette(
    routes: Iterable[Any], prefix: str, context: Any = None
) -> Iterator[ForeignRoute]:
    """Yield the routes of a router; `context` is that of an included router of FastAPI."""
    for route in routes:
        included = getattr(route, "include_context", None)
        if included is not None:
            combined = included if context is None else context.combine(included)
            yield from _of_starlette(route.original_router.routes, prefix, combined)
            continue
        path = getattr(route, "path", "") if context is None else context.path_for(route)
        path = prefix + path
        inner = getattr(route, "routes", None)
        endpoint = getattr(route, "endpoint", None)
        if endpoint is not None:
            methods = getattr(route, "methods", None)
            if methods is None:
                methods = {"WS"} if "WebSocket" in type(route).__name__ else set(ANY)
            yield ForeignRoute(_plain(methods), path, endpoint, (route, endpoint))
        elif inner:
            yield from _of_starlette(inner, path)
        elif hasattr(route, "app"):
            yield ForeignRoute(ANY, path + "/{path:path}", route.app)


def _of_werkzeug(app: Any) -> Iterator[ForeignRoute]:
    for rule in app.url_map.iter_rules():
        handler = app.view_functions.get(rule.endpoint)
        is_websocket = getattr(rule, "websocket", False)
        methods = {"WS"} if is_websocket else (rule.methods or set(ANY))
        yield ForeignRoute(_plain(methods), rule.rule, handler, (rule,))


def _of_litestar(routes: Iterable[Any]) -> Iterator[ForeignRoute]:
    for route in routes:
        for handler in getattr(route, "route_handlers", None) or [route.route_handler]:
            methods = getattr(handler, "http_methods", None) or {"WS"}
            function = getattr(handler, "fn", handler)
            if methods == {"OPTIONS"} and "litestar" in str(getattr(function, "__module__", "")):
                continue  # its own, for each path
            yield ForeignRoute(_plain(map(str, methods)), route.path, function, (handler,))


def _of_bottle(routes: Iterable[Any]) -> Iterator[ForeignRoute]:
    for route in routes:
        yield ForeignRoute((str(route.method),), route.rule, route.callback)


def _of_django() -> Iterator[ForeignRoute]:
    urls = sys.modules.get("django.urls")
    settings = sys.modules.get("django.conf")
    if urls is None or settings is None:
        return
    # Otherwise the first request imports it.
    if getattr(settings.settings, "ROOT_URLCONF", None) in sys.modules:
        yield from _of_patterns(urls.get_resolver().url_patterns, "/")


def _of_patterns(patterns: Iterable[Any], prefix: str) -> Iterator[ForeignRoute]:
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        inner = getattr(pattern, "url_patterns", None)
        if inner is not None:
            yield from _of_patterns(inner, path)
        else:
            callback = pattern.callback
            handler = getattr(callback, "view_class", None) or callback
            yield ForeignRoute(ANY, path, handler, (callback,))


def _plain(methods: Iterable[str]) -> tuple[str, ...]:
    """Return the methods without the implied ones."""
    names = set(methods)
    if len(names) > 1:
        names -= {"OPTIONS"}
    if "GET" in names:
        names -= {"HEAD"}
    return tuple(sorted(names))
