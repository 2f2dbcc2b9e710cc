"""One route as an operation, or as the description of a WebSocket.

Owns names, tags and texts of an operation, and the failures that it may have. The values are in
`inputs` and `outputs`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .._core.hooks import Condition, RequestHook
from .._core.patterns import Converter
from .._core.websocket_routes import WebSocketRoute
from .._runtime.hook_chain import HookedRoute
from ..http_errors import HTTPError, ValidationError
from ..routing import Route
from .components import PREFIX, Schema
from .inputs import may_be_invalid, parameters, request_body
from .outputs import content_of, phrase, responses
from .schemas import Schemas

# The error handlers of the application, or of one blueprint.
Errors = Mapping[Condition, RequestHook]

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
    sent = responses(route, schemas)
    failures = _failures(route, schemas)
    found["responses"] = {**sent, **{each: failures[each] for each in failures if each not in sent}}
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


def _failures(route: Route, schemas: Schemas) -> dict[str, Any]:
    """Describe the failures by status: problem documents, or the results of error handlers."""
    found: dict[int, Any] = {}
    levels = route.hooks.errors if isinstance(route, HookedRoute) else ()
    for level in levels:  # the nearest first
        for condition, hook in level.items():
            if isinstance(condition, int):
                found.setdefault(int(condition), _handled(phrase(condition), hook, schemas))
    if may_be_invalid(route.arguments or []) and 422 not in found:
        text = "Values of the request do not fit"
        found[422] = _failure(text, VALIDATION, ValidationError, levels, schemas)
    default = _failure("A failure", PROBLEM, HTTPError, levels, schemas)
    return {**{str(status): found[status] for status in sorted(found)}, "default": default}


def _failure(
    text: str, name: str, kind: type[Exception], levels: Iterable[Errors], schemas: Schemas
) -> dict[str, Any]:
    """Describe an exception as the handler of its class responds to it, or else as a problem."""
    hooks = (level[each] for level in levels for each in kind.__mro__ if each in level)
    hook = next(hooks, None)
    if hook is not None:
        return _handled(text, hook, schemas)
    content = {PROBLEM_TYPE: {"schema": {"$ref": PREFIX + name}}}
    return {"description": text, "content": content}


def _handled(text: str, hook: RequestHook, schemas: Schemas) -> dict[str, Any]:
    content = content_of(hook.function, schemas)
    return {"description": text, **({"content": content} if content else {})}
