"""The responses of an operation, from the annotation of a handler's result.

Owns the content types and statuses that a result has by its type. Never describes a request.
"""

from __future__ import annotations

import io
import pathlib
import typing
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Generator,
    Iterable,
    Iterator,
    Sequence,
)
from http import HTTPStatus
from typing import Any, Literal

from .._core import frames, pictures, return_types
from .._core.event_head import CONTENT_TYPE
from .._core.events import Event
from .._core.handlers import code_of, innermost
from .._validation.hints import NONE, is_class, members, union, unwrap
from ..event_stream import JSON_LINES, content_type_of, stream_events, stream_json_lines
from ..markers import MISSING
from ..response import BYTES, HTML, JSON, TEXT, Response
from ..routing import Route
from .choices import values_of
from .components import Schema
from .inputs import BINARY, frame_content
from .schemas import Schemas

Content = dict[str, dict[str, Any]]
# The status, if the annotation has one, and the type of the body.
StatusAndType = tuple[int | None, Any]

_STREAMS = (Generator, Iterator, AsyncGenerator, AsyncIterator, AsyncIterable)
# The classes that are sent as they are, with their subclasses.
_TEXTS: dict[Any, tuple[str, Schema]] = {
    str: (HTML, {"type": "string"}),
    bytes: (BYTES, BINARY),
    bytearray: (BYTES, BINARY),
    memoryview: (BYTES, BINARY),
}


def result_type(route: Route) -> Any:
    """Return the type of a handler's result; MISSING if it is not known."""
    if route.response_model is not None:
        return route.response_model
    return return_types.read(route.called)


def responses(route: Route, schemas: Schemas) -> dict[str, Any]:
    """Describe the responses of a route by their status, but for failures."""
    kind = result_type(route)
    by_status: dict[int, Content] = {}
    for status, body in _results(kind):
        content = _stream(route, body, schemas) or _content(body, schemas)
        status = status or route.status or (204 if body is NONE or body is None else 200)
        by_status.setdefault(status, {}).update(content)
    found: dict[str, Any] = {}
    for status, content in sorted(by_status.items()):
        response: dict[str, Any] = {"description": phrase(status)}
        if content and status not in (204, 304):
            response["content"] = content
        found[str(status)] = response
    return found


def content_of(function: Any, schemas: Schemas) -> Content:
    """Describe the bodies that a function returns; nothing if that is not known."""
    found: Content = {}
    for _, body in _results(return_types.read(function)):
        found.update(_content(body, schemas))
    return found


def _results(kind: Any) -> list[StatusAndType]:
    """List the types of the bodies that a result may have, each with its status if it is known."""
    found: list[StatusAndType] = []
    for each in _members(kind):
        body: Any = each
        statuses: list[int | None] = [None]
        args = typing.get_args(each)
        # `(body, status)` or `(body, status, headers)`.
        if typing.get_origin(each) is tuple and 2 <= len(args) <= 3 and args[-1] is not Ellipsis:
            body, statuses = args[0], _statuses(args[1])
        found += [(status, inner) for inner in _members(body) for status in statuses]
    return found


def _members(kind: Any) -> list[Any]:
    """Return the types of a union; the types that are JSON stay together."""
    choices = [each for member in members(unwrap(kind)[0]) for each in _apart(unwrap(member)[0])]
    apart = [each for each in choices if each in (None, NONE) or not _is_json(each)]
    together = [each for each in choices if each not in apart]
    if not apart and choices:
        return [kind]
    joined: list[Any] = [union(together)] if together else []
    return [*joined, *apart]


def _apart(kind: Any) -> list[Any]:
    """Return the types of a type that are sent in different ways: the values of a `Literal`."""
    if getattr(kind, "_name", "") in ("NoReturn", "Never"):
        return []
    if getattr(kind, "_name", "") == "LiteralString":
        return [str]
    if typing.get_origin(kind) is not Literal:
        return [kind]
    by_type: dict[Any, list[Any]] = {}
    for value in typing.get_args(kind):
        sent = next((each for each in (*_TEXTS, NONE) if isinstance(value, each)), object)
        by_type.setdefault(sent, []).append(value)
    return [NONE if each is NONE else Literal[tuple(by_type[each])] for each in by_type]


def _statuses(kind: Any) -> list[int | None]:
    """Return 201 for `Literal[201]`; None for a status that is not known."""
    values = [value for each in members(unwrap(kind)[0]) for value in _literals(each)]
    return [int(each) if isinstance(each, int) and each is not True else None for each in values]


def _literals(kind: Any) -> Sequence[Any]:
    return typing.get_args(kind) if typing.get_origin(kind) is Literal else [None]


def _text_class(kind: Any) -> Any:
    """Return the class of texts or bytes that is sent as it is, for a type; None for another."""
    classes = [kind] if is_class(kind) else []
    if typing.get_origin(kind) is Literal:
        classes = [type(each) for each in typing.get_args(kind)]
    for text in _TEXTS:
        if classes and all(issubclass(each, text) for each in classes):
            return text
    return None


def _is_json(kind: Any) -> bool:
    """Report whether a value of a type is sent as JSON."""
    base = typing.get_origin(kind) or kind
    if kind in (MISSING, Any, object, None, NONE) or base in _STREAMS or _text_class(kind):
        return False
    if base is tuple and typing.get_args(kind):
        return False  # a body with its status
    if not is_class(base):
        return True
    if issubclass(base, Response | pathlib.PurePath | io.IOBase | Event):
        return False
    return frames.library_of(base) is None and not pictures.is_picture_class(base)


def _content(kind: Any, schemas: Schemas) -> Content:
    base = typing.get_origin(kind) or kind
    if len(members(kind)) > 1 or _is_json(kind):
        return {JSON: {"schema": schemas.of(kind, "output")}}
    text = _text_class(kind)
    if text is not None:
        content_type, plain = _TEXTS[text]
        schema = schemas.of(kind, "output") if values_of(kind) else dict(plain)
        return {content_type.partition(";")[0]: {"schema": schema}}
    if base in _STREAMS:
        if _item_type(kind) is Event:
            return {CONTENT_TYPE: {"schema": {"type": "string"}}}
        return {TEXT.partition(";")[0]: {"schema": {"type": "string"}}}
    if is_class(base) and frames.library_of(base) is not None:
        return frame_content()
    if is_class(base) and pictures.is_picture_class(base):
        return {each: {"schema": dict(BINARY)} for each in (pictures.PNG, pictures.SVG)}
    if is_class(base) and issubclass(base, pathlib.PurePath | io.IOBase):
        return {BYTES: {"schema": dict(BINARY)}}
    return {}


def _stream(route: Route, kind: Any, schemas: Schemas) -> Content | None:
    """Describe a stream of events or of JSON lines; None for another result."""
    content_type = content_type_of(route.handler) or _called(route, kind)
    if content_type is None:
        return None
    media: dict[str, Any] = {"schema": {"type": "string"}}
    item = _item_type(kind)
    if item not in (MISSING, Any, object, Event, str):
        media["x-item-schema"] = schemas.of(item, "output")
    return {content_type: media}


def _called(route: Route, kind: Any) -> str | None:
    """Return the content type of a stream that a handler without a type returns by name."""
    code, function = code_of(route.handler), innermost(route.handler)
    if code is None or not (kind is MISSING or (is_class(kind) and issubclass(kind, Response))):
        return None
    scope = getattr(function, "__globals__", {})
    for name in code.co_names:
        for made, content_type in _STREAM_FUNCTIONS:
            if scope.get(name) is made or (name == made.__name__ and "snaxum" in code.co_names):
                return content_type
    return None


_STREAM_FUNCTIONS: tuple[tuple[Any, str], ...] = (
    (stream_events, CONTENT_TYPE),
    (stream_json_lines, JSON_LINES),
)


def _item_type(kind: Any) -> Any:
    """Return the type of the values of a stream; MISSING if it is not known."""
    base, args = typing.get_origin(kind) or kind, typing.get_args(kind)
    is_stream = base in (*_STREAMS, Iterable)
    return unwrap(args[0])[0] if is_stream and args else MISSING


def phrase(status: int) -> str:
    """Return the name of a status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Response"
