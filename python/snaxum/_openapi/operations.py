"""One route as an operation, or as the description of a WebSocket.

Owns names, tags and texts of an operation, and the failures that it may have. The values are in
`inputs` and `outputs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._core.patterns import Converter
from .._runtime.chains import HookedRoute
from ..http_errors import HTTPError, ValidationError
from ..routing import Route
from ..websocket_routes import WebSocketRoute
from .components import PREFIX, Schema
from .inputs import may_be_invalid, parameters, request_body
from .outputs import responses
from .schemas import Schemas

PROBLEM, VALIDATION = "Problem", "ValidationProblem"
# The methods whose body has no meaning (RFC 9110, 9.3).
_WITHOUT_BODY = ("GET", "HEAD", "TRACE")
PROBLEM_TYPE = "application/problem+json"
_FAULT: Schema = {
    "type": "object",
    "description": "One value that does not fit",
    "properties": {
        "in": {"type": "string", "description": "The part of the request", "examples": ["query"]},
        "loc": {
            "type": "array",
            "items": {"type": ["string", "integer"]},
            "description": "Its place there: names and positions",
        },
        "msg": {"type": "string"},
        "type": {"type": "string", "description": "A name of the fault, for programs"},
    },
    "required": ["in", "loc", "msg", "type"],
}
# The components of failures.
PROBLEMS: dict[str, Schema] = {
    PROBLEM: {
        "title": PROBLEM,
        "type": "object",
        "description": "A failure, as RFC 9457 describes it",
        "properties": {
            "type": {"type": "string", "format": "uri-reference"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "request_id": {"type": "string"},
        },
        "required": ["type", "title", "status", "detail"],
    },
    VALIDATION: {
        "title": VALIDATION,
        "description": "Values of a request that do not fit, all of them",
        "allOf": [{"$ref": PREFIX + PROBLEM}],
        "type": "object",
        "properties": {"errors": {"type": "array", "items": _FAULT}},
        "required": ["errors"],
    },
}


def template(route: Route) -> tuple[str, list[tuple[str, Converter]]]:
    """Return the path with `{}` for each parameter, and the parameters in their order."""
    path = ""
    for part in route.parsed.parts:
        path += "/"
        for piece in part.pieces:
            text = piece if isinstance(piece, str) else "{}"
            path += text.replace("{", "%7B").replace("}", "%7D") if piece is text else text
    return path, list(route.parsed.params)


def operation(
    route: Route, method: str, identifier: str, names: Mapping[str, str], schemas: Schemas
) -> dict[str, Any]:
    """Describe a method of a route; `names` are the names of its path's parameters in it."""
    arguments = route.arguments or []
    found = _texts(route, identifier)
    if described := parameters(arguments, route.parsed.params, names, schemas):
        found["parameters"] = described
    body = None
    if method not in _WITHOUT_BODY:
        body = request_body(arguments, schemas, streams_body=bool(route.streams_body))
    if body is not None:
        found["requestBody"] = body
    found["responses"] = responses(route, schemas)
    if may_be_invalid(arguments) and "422" not in found["responses"]:
        found["responses"]["422"] = _problem(
            route, "Values of the request do not fit", VALIDATION, 422, ValidationError
        )
    found["responses"]["default"] = _problem(route, "A failure", PROBLEM, 0, HTTPError)
    return found


def websocket(
    route: WebSocketRoute, identifier: str, names: Mapping[str, str], schemas: Schemas
) -> dict[str, Any]:
    """Describe a WebSocket, for which OpenAPI has no words of its own."""
    found = _texts(route, identifier)
    if described := parameters(route.arguments or [], route.parsed.params, names, schemas):
        found["parameters"] = described
    if route.subprotocols:
        found["subprotocols"] = list(route.subprotocols)
    return found


def identifier_of(route: Route) -> str:
    """Return the id of an operation: `blueprint.function`, or `module.function`."""
    if route.scope is None:
        return route.handler_name
    return f"{route.scope.name}.{route.qualname}"


def tags_of(route: Route) -> list[str]:
    """Return the tags of a route: its own, else the name of its blueprint, or of its module."""
    return list(route.tags) or [route.scope.name if route.scope else route.module]


def _texts(route: Route, identifier: str) -> dict[str, Any]:
    summary, _, description = route.doc.partition("\n\n")
    if route.summary:
        summary, description = route.summary, route.doc
    if not summary:
        summary = route.qualname.rpartition(".")[2].replace("_", " ").strip("<> ").capitalize()
    found: dict[str, Any] = {"operationId": identifier, "tags": tags_of(route)}
    if summary := " ".join(summary.split()):
        found["summary"] = summary
    if description := description.strip():
        found["description"] = description
    if getattr(route.handler, "__deprecated__", None) is not None:
        found["deprecated"] = True
    return found


def _problem(
    route: Route, description: str, name: str, status: int, kind: type[Exception]
) -> dict[str, Any]:
    """Describe a failure: a problem document, unless an error handler responds in its own form."""
    conditions = [
        condition
        for level in (route.hooks.errors if isinstance(route, HookedRoute) else ())
        for condition in level
    ]
    is_handled = any(
        issubclass(kind, each) if isinstance(each, type) else each == status or not status
        for each in conditions
    )
    if is_handled:
        return {"description": description}
    return {
        "description": description,
        "content": {PROBLEM_TYPE: {"schema": {"$ref": PREFIX + name}}},
    }
