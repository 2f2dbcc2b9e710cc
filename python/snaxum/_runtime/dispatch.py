"""From a request to its response: in the thread, on the loop, beside the pool, as a stream.

Owns the way from the route table through the handler to the `Exchange` that Rust lends. Never
raises into Rust on behalf of a handler.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator

# By name: the user's code may put something else into `json`.
from json import dumps
from typing import TYPE_CHECKING, Any

from .._debug import traceback
from .._debug.route_lookup import near_misses
from .._host import BodyStream, Exchange
from ..capture import is_private
from ..http import HTTPError, Request, to_response
from ..response import PLAIN_TYPES, encode_plainly
from ..routing import ImpliedOptions, MethodNotAllowed, Route
from .generations import Generation
from .leases import Lease, pin_thread, unpin_thread
from .runtime import STREAM_THREADS, running

if TYPE_CHECKING:
    from .._pool.pool import RequestPool

_log = logging.getLogger("snaxum")

# Whether anybody asks when a handler has returned.
is_observed = False


def dispatch_request(exchange: Exchange, generation: Generation, method: str, path: str) -> None:
    """Match a request to a route of `generation`, and run its handler."""
    found = generation.table.match(method, path)
    if type(found) is tuple:
        route, params = found
        request = Request(exchange, params or {})
        if route.use_process_pool:
            run_with_pool(exchange, generation, route, request)
        elif route.is_async:
            run_async(exchange, generation, route, request)
        else:
            run_sync(exchange, generation, route, request)
    elif type(found) is MethodNotAllowed:
        allow = ", ".join(found.allow)
        detail = f"{path} does not answer {method}; it answers {allow}"
        exchange.fail(generation.number, None, 405, detail, [("allow", allow)], None)
    elif type(found) is ImpliedOptions:
        headers = [("allow", ", ".join(found.allow))]
        exchange.respond(generation.number, None, 200, headers, b"")
    elif generation.broken:
        _fail_broken(exchange, generation)
    else:
        detail = f"no route for {path}"
        if is_observed and (near := near_misses(generation.routes, path)):
            detail += "; near it: " + ", ".join(near)
        exchange.fail(generation.number, None, 404, detail, [], None)


def _fail_broken(exchange: Exchange, generation: Generation) -> None:
    """Answer for a path that nobody has while a module has not loaded: it may be one of its own."""
    routes = generation.broken_routes
    name = routes.module_for(exchange.method, exchange.path) if routes else None
    if name is not None:
        failure = generation.broken[name]
        detail = f"`{name}`, which has this path, did not load: {failure['type']}"
        exchange.fail(generation.number, None, 500, detail, [], to_json(failure))
        return
    name, failure = next(iter(generation.broken.items()))
    detail = f"no route that loaded has this path; `{name}` did not load: {failure['type']}"
    exchange.fail(generation.number, None, 503, detail, [("retry-after", "1")], None)


def run_with_pool(
    exchange: Exchange, generation: Generation, route: Route, request: Request
) -> None:
    """Call a handler that gets the pool from a thread that may wait."""
    runtime = running()
    if len(runtime.pool_requests) >= runtime.max_queue:
        detail = "too many requests wait for the process pool"
        retry = [("retry-after", "1")]
        exchange.fail(generation.number, route.id, 503, detail, retry, None)
        return
    runtime.pool_requests.add(exchange.id)
    pool = runtime.pools[exchange.id] = runtime.pool.for_request(exchange.id, runtime.grace)
    lease = Lease(generation)

    def run() -> None:
        pin_thread(generation, exchange.id)
        try:
            if not exchange.cancelled():
                if is_observed:
                    exchange.began()
                run_sync(exchange, generation, route, request, pool)
        finally:
            runtime.pools.pop(exchange.id, None)
            runtime.pool_requests.discard(exchange.id)
            unpin_thread()
            lease.end()

    runtime.waiting.submit(run)


def run_sync(
    exchange: Exchange, generation: Generation, route: Route, request: Request, *more: Any
) -> None:
    """Call the handler right here."""
    try:
        try:
            result = route.handler(request, *more)
        finally:
            if is_observed:
                exchange.returned()
                if more:
                    _note_pool(exchange, *more)
        content_type = PLAIN_TYPES.get(type(result))
        if content_type is not None:
            content = encode_plainly(result)
            exchange.respond_plainly(generation.number, route.id, content_type, content)
            return
        status, headers, body = to_response(result).parts()
    except BaseException as error:
        fail(exchange, generation, route, error)
        return
    if isinstance(body, bytes):
        exchange.respond(generation.number, route.id, status, headers, body)
    elif isinstance(body, AsyncIterator):
        _stream_on_loop(exchange, generation, route, status, headers, body)
    else:
        stream(exchange, generation, route, status, headers, body)


def _note_pool(exchange: Exchange, pool: RequestPool) -> None:
    """Say what the pool did for the handler."""
    tasks, waited, ran = pool.times()
    if tasks:
        exchange.pooled(tasks, waited, ran)


def run_async(exchange: Exchange, generation: Generation, route: Route, request: Request) -> None:
    """Call an `async def` handler on the loop."""
    runtime = running()
    loop = runtime.loop  # makes the coroutines, too
    lease = Lease(generation)
    loop.spawn(exchange.id, runtime.coroutines.respond, exchange, lease, route, request)


def fail(exchange: Exchange, generation: Generation, route: Route, error: BaseException) -> None:
    if isinstance(error, HTTPError):
        headers = list(error.headers)
        detail = error.detail.encode("utf-8", "replace").decode()  # lone surrogates do not cross
        exchange.fail(generation.number, route.id, error.status, detail, headers, None)
        return
    with_locals = running().with_locals and not is_private(route.handler)
    failure = traceback.capture(error, with_locals=with_locals)
    exchange.fail(generation.number, route.id, 500, "", [], to_json(failure))


def stream(
    exchange: Exchange,
    generation: Generation,
    route: Route,
    status: int,
    headers: list[tuple[str, str]],
    chunks: Iterator[bytes],
) -> None:
    """Send a plain iterator from a thread of its own, or refuse while none is free."""
    runtime = running()
    if len(runtime.stream_requests) >= STREAM_THREADS:
        detail = "too many streams are open; an `async def` handler has no such limit"
        exchange.fail(generation.number, route.id, 503, detail, [("retry-after", "1")], None)
        return
    runtime.stream_requests.add(exchange.id)
    stream = exchange.stream(generation.number, route.id, status, headers)
    lease = Lease(generation)

    def run() -> None:
        pin_thread(generation, exchange.id)
        try:
            _send(stream, chunks, route)
        finally:
            runtime.stream_requests.discard(exchange.id)
            unpin_thread()
            lease.end()

    runtime.streaming.submit(run)


def _stream_on_loop(
    exchange: Exchange,
    generation: Generation,
    route: Route,
    status: int,
    headers: list[tuple[str, str]],
    chunks: AsyncIterator[bytes],
) -> None:
    """Send an async iterator that a plain handler has returned."""
    stream = exchange.stream(generation.number, route.id, status, headers)
    runtime, lease = running(), Lease(generation)
    loop = runtime.loop
    loop.spawn(exchange.id, runtime.coroutines.stream_async, exchange, stream, chunks, lease, route)


def _send(stream: BodyStream, chunks: Iterator[bytes], route: Route) -> None:
    """Send a streamed answer; the headers are out, so an error can only cut it short."""
    try:
        for chunk in chunks:
            if chunk and not stream.send(chunk):
                break
        else:
            stream.finish()
    except BaseException:
        _log.exception("the stream of %s broke off", route.handler_name)
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()


def to_json(value: object) -> bytes:
    """Encode for Rust. What no UTF-8 can hold, such as half a surrogate pair, becomes `?`."""
    return dumps(value, ensure_ascii=False).encode("utf-8", "replace")
