"""Streams that a program reads value by value: server-sent events, and JSON lines.

Owns `Event` and both encodings (section 9.2 of the HTML standard; ndjson). Never waits for a value
and never sends one.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import AsyncIterable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, overload

from ._core.chunks import encoded
from ._core.json_encoding import dumps
from .response import Response, encode_plainly

# A proxy may close a connection that is silent for longer, often after 60 s.
KEEP_ALIVE_S = 15.0

_LINE_BREAK = re.compile("\r\n|\r|\n")

Values = Iterable[object] | AsyncIterable[object]


@dataclass(frozen=True)
class Event:
    """One server-sent event.

    - `data`: a str as it is, of any number of lines; any other value as JSON; None for none, which
      the browser does not report as an event
    - `event`: the name that the browser's listener has; without one it is `message`
    - `id`: what the browser sends as `Last-Event-ID` when it connects again
    - `retry`: the milliseconds after which it connects again

    Raises TypeError or ValueError for a field that an event cannot have.
    """

    data: object
    event: str | None = None
    id: str | int | None = None
    retry: int | None = None

    def __post_init__(self) -> None:
        for name, value, forbidden in (("event", self.event, "\r\n"), ("id", self.id, "\r\n\0")):
            if isinstance(value, str):
                if any(character in value for character in forbidden):
                    raise ValueError(f"the {name} {value!r} of an event has a line break or NUL")
            elif value is not None and (name != "id" or type(value) is not int):
                kind = type(value).__name__
                raise TypeError(f"the {name} {value!r} of an event is a {kind}; use a str")
        if self.retry is not None and (type(self.retry) is not int or self.retry < 0):
            raise ValueError(
                f"the retry {self.retry!r} of an event is not a number of milliseconds, as an int"
            )

    def encode(self) -> bytes:
        """Return the event as it is sent, with the empty line that ends it."""
        fields = (("event", self.event), ("id", self.id), ("retry", self.retry))
        lines = [f"{name}: {value}\n".encode() for name, value in fields if value is not None]
        if self.data is not None:
            lines.append(_data(self.data))
        return b"".join(lines) + b"\n"


@overload
def stream_events(values: Values, keep_alive: float | None = ...) -> Response: ...
@overload
def stream_events(
    values: Callable[..., Values], keep_alive: float | None = ...
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
        return _decorated(values, functools.partial(stream_events, keep_alive=keep_alive))
    chunks = encoded("stream_events", values, _event, keep_alive)
    # nginx and its kind collect a response before they forward it, unless a header forbids it.
    headers = {"cache-control": "no-cache", "x-accel-buffering": "no"}
    return Response(chunks, headers=headers, content_type="text/event-stream")


@overload
def stream_json_lines(values: Values) -> Response: ...
@overload
def stream_json_lines(values: Callable[..., Values]) -> Callable[..., Response]: ...
def stream_json_lines(values: Any) -> Any:
    """Respond with one line of JSON for each value (application/x-ndjson).

    `values` is a generator or another iterable, plain or async. It is closed when the client
    leaves. On a generator function it is a decorator, below `@route`. Raises TypeError for values
    that are not a stream.
    """
    if inspect.isgeneratorfunction(values) or inspect.isasyncgenfunction(values):
        return _decorated(values, stream_json_lines)
    chunks = encoded("stream_json_lines", values, _json_line)
    return Response(chunks, content_type="application/x-ndjson")


def _decorated(function: Any, respond: Callable[[Any], Response]) -> Callable[..., Response]:
    @functools.wraps(function)
    def handler(*args: Any, **kwargs: Any) -> Response:
        return respond(function(*args, **kwargs))

    return handler


def _event(value: object) -> bytes:
    return value.encode() if isinstance(value, Event) else _data(value) + b"\n"


def _data(value: object) -> bytes:
    if not isinstance(value, str):
        return b"data: " + dumps(value) + b"\n"
    lines = _LINE_BREAK.split(value)
    return encode_plainly("".join([f"data: {line}\n" for line in lines]))


def _json_line(value: object) -> bytes:
    return dumps(value) + b"\n"
