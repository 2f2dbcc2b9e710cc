"""Whether the models of a route can be described, asked when its module loads.

Owns the error. Only pydantic has models that it validates and cannot describe, so a process without
pydantic has nothing to check. Every other type without a schema is left open.
"""

from __future__ import annotations

import contextlib
from typing import Any

from .._core.handlers import where
from .._core.route_errors import RouteError
from .._validation.faults import Unsupported
from .._validation.hints import name_of
from ..markers import MISSING
from ..mounts import Mount
from ..routing import Route
from .components import Mode
from .outputs import result_type
from .schemas import Schemas


def check(route: Route) -> None:
    """Raise RouteError if a model of a planned route has no schema."""
    if isinstance(route, Mount):
        return
    for argument in route.arguments or ():
        if argument.source == "body" and argument.reader is None:
            _check(route, argument.annotation, "input", f"the body `{argument.name}`")
    result = result_type(route)
    if result is not MISSING:
        _check(route, result, "output", "the result")


def _check(route: Route, annotation: Any, mode: Mode, subject: str) -> None:
    schemas = Schemas()
    with contextlib.suppress(Exception):  # the document leaves a type open that raises
        schemas.of(annotation, mode)
    try:
        schemas.check()
    except Unsupported as error:
        raise RouteError(
            f"route `{route.pattern}` at {where(route.handler)}: {subject} is a "
            f"`{name_of(annotation)}`, which OpenAPI cannot describe: {error}; change the type of "
            "that field, annotate it with `pydantic.WithJsonSchema`, or set `openapi-url` to an "
            "empty text"
        ) from None
