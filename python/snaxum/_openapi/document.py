"""The document: every route of a generation as OpenAPI 3.1.

Owns paths, ids and the list of what OpenAPI cannot express. A type that cannot be described is left
open; `check` reports it instead.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

from .._core.json_encoding import dumps
from .._core.websocket_routes import WebSocketRoute
from ..mounts import Mount
from ..routing import Route
from .operations import PROBLEMS, identifier_of, operation, tags_of, template, websocket
from .schemas import Schemas

_log = logging.getLogger("snaxum")

# The methods of a path item.
_METHODS = ("GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE")


def document(
    routes: Iterable[Route], modules: Mapping[str, ModuleType], info: Mapping[str, str]
) -> str:
    """Return the document as JSON; `info` is its object of that name."""
    found = describe(routes, modules, info)
    try:
        return dumps(found).decode()
    except Exception:  # a value in it has no JSON form, as in `json_schema_extra` of pydantic
        _omit_unencodable(found)
        return dumps(found).decode()


def describe(
    routes: Iterable[Route], modules: Mapping[str, ModuleType], info: Mapping[str, str]
) -> dict[str, Any]:
    """Return the document."""
    made = _Document()
    for route in routes:
        try:
            made.add(route)
        except Exception as error:  # a class of the user's may raise on any question
            # A client may read it, so it has no text of the exception.
            made.omitted.append(f"{route.pattern} cannot be described; the log has the reason")
            _log.warning("%s cannot be described", route.handler_name, exc_info=error)
    found: dict[str, Any] = {"openapi": "3.1.0", "info": dict(info), "paths": made.paths}
    components = made.schemas.finish(PROBLEMS)
    found["components"] = {"schemas": {**components, **PROBLEMS}}
    if tags := _tags(made.tags, modules):
        found["tags"] = tags
    if made.websockets:
        found["x-websockets"] = made.websockets
    if made.omitted:
        found["x-omitted"] = made.omitted
    return found


def _omit_unencodable(document: dict[str, Any]) -> None:
    """Remove the parts that have no JSON form; a component without one may be anything."""
    omitted = document.setdefault("x-omitted", [])
    schemas = document["components"]["schemas"]
    for name in schemas:
        if not _has_json_form(schemas[name]):
            schemas[name] = {}
            omitted.append(f"the schema {name} has a value that JSON cannot express")
    websockets = document.get("x-websockets", {})
    places = [
        *(
            (item, key, f"{key.upper()} {path}")
            for path, item in document["paths"].items()
            for key in item
        ),
        *((websockets, path, f"the WebSocket {path}") for path in websockets),
    ]
    for owner, key, name in places:
        if not _has_json_form(owner[key]):
            del owner[key]
            omitted.append(f"{name} has a value that JSON cannot express")
    if "tags" in document:
        document["tags"] = [each for each in document["tags"] if _has_json_form(each)]


def _has_json_form(value: Any) -> bool:
    try:
        dumps(value)
    except Exception as error:
        _log.warning("a part of the OpenAPI document cannot be encoded: %s", error)
        return False
    return True


class _Document:
    """The parts of a document, one route after the other."""

    def __init__(self) -> None:
        self.schemas = Schemas()
        self.paths: dict[str, dict[str, Any]] = {}
        self.websockets: dict[str, dict[str, Any]] = {}
        # The routes that have no place in it, as sentences.
        self.omitted: list[str] = []
        # The tags that are used, each with its module if that is one.
        self.tags: dict[str, str | None] = {}
        self._identifiers: set[str] = set()
        # By path without names, the names of its parameters.
        self._names: dict[str, list[str]] = {}

    def add(self, route: Route) -> None:
        if isinstance(route.origin, Mount):
            self.omitted.append(f"an application of its own: {route.pattern}")
            return
        shape, params = template(route)
        # Two paths that differ in the names of their parameters are one path to OpenAPI.
        given = self._names.setdefault(shape, [name for name, _ in params])
        names = dict(zip((name for name, _ in params), given))
        path = shape.replace("{}", "{{{}}}").format(*given) if given else shape
        for tag in tags_of(route):
            is_module = not route.tags and route.scope is None
            self.tags.setdefault(tag, route.module if is_module else None)
        if isinstance(route.origin, WebSocketRoute):
            if path in self.websockets:
                self.omitted.append(
                    f"another route already has the WebSocket {path}: {route.handler_name}"
                )
                return
            identifier = self._unique(identifier_of(route))
            self.websockets[path] = websocket(route.origin, identifier, names, self.schemas)
            return
        for method in route.methods:
            key = method.lower()
            if method not in _METHODS:
                self.omitted.append(f"OpenAPI has no method {method}: {route.pattern}")
            elif key in self.paths.get(path, {}):
                self.omitted.append(
                    f"another route already has {method} {path}: {route.handler_name}"
                )
            else:
                name = identifier_of(route) + (f".{key}" if len(route.methods) > 1 else "")
                self.paths.setdefault(path, {})[key] = operation(
                    route, method, self._unique(name), names, self.schemas
                )

    def _unique(self, name: str) -> str:
        """Make an id unique: a handler may have several routes."""
        found, count = name, 1
        while found in self._identifiers:
            count += 1
            found = f"{name}.{count}"
        self._identifiers.add(found)
        return found


def _tags(
    used: Mapping[str, str | None], modules: Mapping[str, ModuleType]
) -> list[dict[str, str]]:
    """List the tags, with the first line of a module's docstring."""
    found = []
    for name, module in used.items():
        text = inspect.cleandoc(getattr(modules.get(module or ""), "__doc__", None) or "")
        first = " ".join(text.partition("\n\n")[0].split())
        found.append({"name": name, **({"description": first} if first else {})})
    return found
