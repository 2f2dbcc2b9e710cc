"""Sends responses: a handler's result, or its error, through the `Exchange` that Rust lends.

Owns the end of every request, in a thread and on the loop alike. Never calls a handler, and never
imports asyncio: an async stream goes back to its caller.
"""

from __future__ import annotations

import contextvars
import functools
import os
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, NoReturn, cast

from .._core.event_head import EventHead
from .._core.json_encoding import dumps, simplify
from .._core.late_log import late_log
from .._core.late_module import late_module
from .._core.objects import is_a
from .._host import BodyStream, Exchange, to_json
from ..capture import is_private
from ..headers import MissingField
from ..http import HTTPError, Request, to_response
from ..response import PLAIN_CLASSES, PLAIN_TYPES, file_error
from ..routing import Route
from .generations import Generation
from .hook_chain import HandlerFailed
from .leases import Lease, pin_thread, unpin_thread
from .request_threads import Interrupted
from .runtime import running

if TYPE_CHECKING:
    import pathlib

    from .._debug import traceback
else:
    pathlib = late_module("pathlib")
    traceback = late_module("snaxum._debug.traceback")

_log = late_log()

# Tests set it: called with the id of a request and the exception that its handler raised.
on_exception: Callable[[int, BaseException], None] | None = None

# Whether the console shows each request: in dev mode only.
is_observed = False

# Whether Rust uses the times of a request that `Exchange` takes: in dev mode, and for metrics and
# the access log.
is_timed = False


class CalledFunctionError(Exception):
    """Stands for an exception of a function that Rust has called, where a handler's exception would
    be a response: the caller gets its traceback."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error


AsyncStream = tuple[BodyStream, AsyncIterator[bytes]]


def send_result(
    exchange: Exchange, generation: Generation, route: Route, result: object
) -> AsyncStream | None:
    """Send what a handler returned; return the two ends of an async stream, for the loop."""
    try:
        kind = type(result)
        if (kind is dict or kind is list) and exchange.respond_json(
            generation.number, route.id, result, simplify
        ):
            return None
        plain = PLAIN_TYPES.get(kind) or PLAIN_CLASSES.of_class(kind)
        if plain is not None:
            content_type, encode = plain
            exchange.respond_ok(generation.number, route.id, content_type, encode(result))
            return None
        status, headers, body = to_response(result).parts(exchange.headers)
        is_async = not is_a(body, bytes) and isinstance(body, AsyncIterator)
    except BaseException as error:
        send_error(exchange, generation, route, error)
        return None
    if is_a(body, bytes):
        content = cast(bytes, body)
        exchange.respond(generation.number, route.id, status, headers, content)
    elif is_a(body, pathlib.Path):
        _send_file(exchange, generation, route, status, headers, cast(pathlib.Path, body))
    elif is_async:
        keep_alive = getattr(body, "keep_alive", None)
        stream = exchange.stream(generation.number, route.id, status, headers, keep_alive)
        return stream, cast("AsyncIterator[bytes]", body)
    else:
        chunks = cast("Iterator[bytes]", body)
        _send_stream(exchange, generation, route, status, headers, chunks)
    return None


def send_error(
    exchange: Exchange,
    generation: Generation,
    route: Route,
    error: BaseException,
    request: Request | None = None,
) -> None:
    """Send an HTTPError as it is, and any other exception as 500 with its traceback.

    With the request, a handler that failed because the body is not JSON is a fault of the client.
    """
    response = None
    if type(error) is HandlerFailed:
        response, error = error.response, error.response.error
    failure = _failure(route, error)
    from .._debug import unparsed_body

    explained = None if request is None else unparsed_body.explain(error, request)
    if explained is not None:
        failure = (*explained, *failure[2:])
    if failure[3] is not None:
        running().drop_background(exchange.id)
        if on_exception is not None:
            on_exception(exchange.id, error)
    if response is not None:
        headers = response.headers.multi_items()
        failure = (response.status, failure[1], headers, *failure[3:])
    exchange.fail(generation.number, route.id, *failure)


def send_lookup_error(exchange: Exchange, generation: Generation, error: Exception) -> None:
    """Send an exception of the user's code before a route is known, with its traceback."""
    failure = to_json(traceback.capture(error, with_locals=False))
    exchange.fail(generation.number, None, 500, "", [], failure)


def send_busy(
    exchange: Exchange, generation: Generation, route_id: str | None, detail: str
) -> None:
    """Fail a request with a 503 that its client may soon repeat."""
    exchange.fail(generation.number, route_id, 503, detail, [("retry-after", "1")], None)


def break_off(stream: BodyStream, route: Route, error: BaseException) -> None:
    """End a stream with an error, which replaces the response unless that has begun."""
    failure = _failure(route, error)
    if on_exception is not None and failure[3] is not None:
        on_exception(stream.id, error)
    if not stream.fail(*failure):
        _log.error("the stream of %s broke off", route.handler_name, exc_info=error)


def _failure(
    route: Route, error: BaseException
) -> tuple[int, str, list[tuple[str, str]], bytes | None, bytes | None]:
    if type(error) is CalledFunctionError:
        error = error.error
    # Rust has no lone surrogates.
    elif is_a(error, HTTPError):
        error = cast(HTTPError, error)
        detail = error.detail.encode("utf-8", "replace").decode()
        return error.status, detail, list(error.headers), None, extensions_of(error)
    elif is_a(error, MissingField):
        return 400, str(error).encode("utf-8", "replace").decode(), [], None, None
    with_locals = running().with_locals and not is_private(route.handler)
    failure = traceback.capture(error, with_locals=with_locals)
    traceback.add_handler(failure, route.handler)
    return 500, "", [], to_json(failure), None


def extensions_of(error: HTTPError) -> bytes | None:
    """Return further members of the problem document, as JSON for Rust."""
    members = error.extensions()
    if not members:
        return None
    try:
        return dumps(members)
    except Exception:  # an object of the user's; the status and the detail still go out
        _log.exception("the members of an HTTPError are not JSON: %s", error)
        return None


def end_in_child() -> None:
    """Let a handler that forks respond once: where it returns in the child, the child ends."""
    global send_result, send_error
    send_result = send_error = _end_process  # type: ignore[assignment]


def _end_process(*_: object) -> NoReturn:
    os._exit(0)


def _send_file(
    exchange: Exchange,
    generation: Generation,
    route: Route,
    status: int,
    headers: list[tuple[str, str]],
    path: pathlib.Path,
) -> None:
    try:
        exchange.send_file(generation.number, route.id, status, headers, os.fspath(path))
    except OSError as error:
        send_error(exchange, generation, route, file_error(path, error))


def _send_stream(
    exchange: Exchange,
    generation: Generation,
    route: Route,
    status: int,
    headers: list[tuple[str, str]],
    chunks: Iterator[bytes],
) -> None:
    """Send a plain iterator from a thread of its own, or refuse if all of them are in use."""
    lease = Lease(generation)

    def run() -> None:
        pin_thread(generation, exchange.id)
        exchanges = running().exchanges
        exchanges[exchange.id] = exchange
        try:
            keep_alive = getattr(chunks, "keep_alive", None)
            stream = exchange.stream(generation.number, route.id, status, headers, keep_alive)
            _send_chunks(stream, chunks, route)
        finally:
            exchanges.pop(exchange.id, None)
            unpin_thread()
            lease.end()

    job = functools.partial(contextvars.copy_context().run, run)
    if not running().streaming.start(exchange.id, route.handler_name, job):
        detail = "too many streams are open"
        if is_observed:
            detail += "; an `async def` handler has no such limit"
        send_busy(exchange, generation, route.id, detail)
        _close_unsent(chunks, route)


def _close_unsent(chunks: Iterator[bytes], route: Route) -> None:
    """Close a body that no client gets: its `finally` blocks run, and the `close` of WSGI."""
    close = getattr(chunks, "close", None)
    try:
        if close is not None:
            close()
    except Exception:
        _log.exception("the stream of %s, which was refused, did not close", route.handler_name)


def become_events(stream: BodyStream, head: EventHead) -> None:
    """Make a response an event stream: its handler has yielded an event first."""
    if not stream.become_events(list(head.headers), head.keep_alive):
        raise RuntimeError(
            "the response began as plain text before its first event; pass the generator to "
            "stream_events"
        )


def _send_chunks(stream: BodyStream, chunks: Iterator[bytes], route: Route) -> None:
    """Send the body of a stream; an empty first chunk begins the response without a byte."""
    try:
        try:
            # The client may have left while the handler ran; only later is the stream cancelled.
            if not stream.cancelled():
                for chunk in chunks:
                    if type(chunk) is EventHead:
                        become_events(stream, chunk)
                    elif not stream.send(chunk):
                        break
                else:
                    stream.finish()
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
    except Interrupted:
        pass  # its client has left
    except BaseException as error:
        break_off(stream, route, error)
