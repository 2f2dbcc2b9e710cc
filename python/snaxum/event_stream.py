"""Streams that a program reads value by value: server-sent events, and JSON lines.

Owns the functions that make such a response; an event is encoded in `_core.events`. Never waits for
a value and never sends one.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterable, Callable, Iterable
from typing import Any, overload

from ._core.chunks import encoded
from ._core.event_head import CONTENT_TYPE, HEADERS, KEEP_ALIVE_S
from ._core.events import encode_event
from ._core.json_encoding import dumps
from .response import Response

JSON_LINES = "application/x-ndjson"

StreamValues = Iterable[object] | AsyncIterable[object]


@overload
def stream_events(values: StreamValues, keep_alive: float | None = ...) -> Response: ...
@overload
def stream_events(
    values: Callable[..., StreamValues], keep_alive: float | None = ...
) -> Callable[..., Response]: ...
def stream_events(values: Any, keep_alive: float | None = KEEP_ALIVE_S) -> Any:
    """Respond with server-sent events, one for each value: a dict or other JSON, a str, an `Event`.

    `values` is a generator or another iterable, plain or async. It is closed when the client
    leaves; `request.last_event_id` is the id of the last event that a returning client has. After
    each `keep_alive` seconds without an event a comment is sent, so that no proxy closes the
    connection; None sends none. On a generator function it is a decorator, below `@route`.

    Raises TypeError for values that are not a stream, and ValueError for `keep_alive`.
    """
    if keep_alive is not None and not keep_alive > 0:
        raise ValueError(f"keep_alive={keep_alive!r} is not a number of seconds; None is never")
    if inspect.isgeneratorfunction(values) or inspect.isasyncgenfunction(values):
        respond = functools.partial(stream_events, keep_alive=keep_alive)
        return _decorated(values, respond, CONTENT_TYPE)
    chunks = encoded("stream_events", values, encode_event, keep_alive)
    return Response(chunks, headers=HEADERS, content_type=CONTENT_TYPE)


@overload
def stream_json_lines(values: StreamValues) -> Response: ...
@overload
def stream_json_lines(values: Callable[..., StreamValues]) -> Callable[..., Response]: ...
def stream_json_lines(values: Any) -> Any:
    """Respond with one line of JSON for each value (application/x-ndjson).

    `values` is a generator or another iterable, plain or async. It is closed when the client
    leaves. On a generator function it is a decorator, below `@route`. Raises TypeError for values
    that are not a stream.
    """
    if inspect.isgeneratorfunction(values) or inspect.isasyncgenfunction(values):
        return _decorated(values, stream_json_lines, JSON_LINES)
    chunks = encoded("stream_json_lines", values, _json_line)
    return Response(chunks, content_type=JSON_LINES)


def content_type_of(handler: object) -> str | None:
    """Return the content type of a handler that one of these functions has decorated."""
    while handler is not None:
        found = getattr(handler, "_snaxum_content_type", None)
        if isinstance(found, str):
            return found
        handler = getattr(handler, "__wrapped__", None)
    return None


def _decorated(
    function: Any, respond: Callable[[Any], Response], content_type: str
) -> Callable[..., Response]:
    @functools.wraps(function)
    def handler(*args: Any, **kwargs: Any) -> Response:
        return respond(function(*args, **kwargs))

    handler._snaxum_content_type = content_type  # type: ignore[attr-defined]
    return handler


def _json_line(value: object) -> bytes:
    return dumps(value) + b"\n"
