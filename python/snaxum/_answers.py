"""From a matched route to an answer: in the thread, on the loop, beside the pool, as a stream.

Owns what happens between a handler's call and its answer on the `Exchange` that Rust lends. Never
matches a route, and never raises into Rust on behalf of a handler.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any, Protocol

from . import _pool, _traceback, state
from ._runtime import STREAM_THREADS, running
from .http import HTTPError, Request, to_response
from .routing import Route

_log = logging.getLogger("snaxum")


class BodyStream(Protocol):
    """The sending end of a streamed answer; implemented in Rust."""

    def send(self, chunk: bytes) -> bool:
        """Wait for room and send; False when the client is gone."""

    def try_send(self, chunk: bytes) -> bool | None:
        """Send if there is room now; None when there is none, False when the client is gone."""

    def finish(self) -> None:
        """End the answer as complete."""


class Exchange(Protocol):
    """One request and its answer; implemented in Rust. Exactly one of the last three is called."""

    id: int
    method: str
    path: str
    query: str

    def headers(self) -> list[tuple[str, str]]: ...
    def body(self) -> bytes: ...
    def cancelled(self) -> bool: ...
    def returned(self) -> None: ...
    def respond(
        self,
        generation: int,
        route: str | None,
        status: int,
        headers: list[tuple[str, str]],
        body: bytes,
    ) -> None: ...
    def stream(
        self, generation: int, route: str | None, status: int, headers: list[tuple[str, str]]
    ) -> BodyStream: ...
    def fail(
        self,
        generation: int,
        route: str | None,
        status: int,
        detail: str,
        headers: list[tuple[str, str]],
        traceback: bytes | None,
    ) -> None: ...


def aside(exchange: Exchange, generation: state.Generation, route: Route, request: Request) -> bool:
    runtime = running()
    if len(runtime.at_pool) >= runtime.max_queue:
        detail = "too many requests wait for the process pool"
        exchange.fail(generation.number, route.id, 503, detail, [("retry-after", "1")], None)
        return True
    runtime.at_pool.add(exchange.id)
    pool = runtime.pools[exchange.id] = _pool.RequestPool(runtime.pool, runtime.grace)

    def run() -> None:
        state.pin(generation)
        ended = True
        try:
            if not exchange.cancelled():
                ended = answer(exchange, generation, route, request, pool)
        finally:
            runtime.pools.pop(exchange.id, None)
            runtime.at_pool.discard(exchange.id)
            state.unpin()
            if ended:
                state.leave(generation)

    runtime.waiting.submit(run)
    return False


def answer(
    exchange: Exchange, generation: state.Generation, route: Route, request: Request, *more: Any
) -> bool:
    try:
        result = route.handler(request, *more)
        exchange.returned()
        status, headers, body = to_response(result).parts()
    except BaseException as error:
        _fail(exchange, generation, route, error)
        return True
    if isinstance(body, bytes):
        exchange.respond(generation.number, route.id, status, headers, body)
        return True
    if isinstance(body, AsyncIterator):
        chunks, stream = body, exchange.stream(generation.number, route.id, status, headers)
        running().loop.spawn(exchange.id, lambda: _send_async(stream, chunks, generation, route))
        return False
    return _stream(exchange, generation, route, status, headers, body)


async def answer_async(
    exchange: Exchange, generation: state.Generation, route: Route, request: Request
) -> None:
    state.pin(generation)
    ended = True
    try:
        ended = await _run_async(exchange, generation, route, request)
    finally:
        if ended:
            state.leave(generation)


async def _run_async(
    exchange: Exchange, generation: state.Generation, route: Route, request: Request
) -> bool:
    if exchange.cancelled():
        return True  # before it began
    try:
        result = await route.handler(request)
        exchange.returned()
        status, headers, body = to_response(result).parts()
    except asyncio.CancelledError as error:
        if exchange.cancelled():
            raise  # the client went away: nobody waits for an answer
        _fail(exchange, generation, route, error)
        return True
    except BaseException as error:
        _fail(exchange, generation, route, error)
        return True
    if isinstance(body, bytes):
        exchange.respond(generation.number, route.id, status, headers, body)
        return True
    if isinstance(body, AsyncIterator):
        stream = exchange.stream(generation.number, route.id, status, headers)
        await _send_async(stream, body, generation, route)
        return False
    return _stream(exchange, generation, route, status, headers, body)


def _fail(
    exchange: Exchange, generation: state.Generation, route: Route, error: BaseException
) -> None:
    if isinstance(error, HTTPError):
        headers = list(error.headers)
        detail = error.detail.encode("utf-8", "replace").decode()  # lone surrogates do not cross
        exchange.fail(generation.number, route.id, error.status, detail, headers, None)
        return
    traceback = _traceback.capture(error, with_locals=running().with_locals)
    exchange.fail(generation.number, route.id, 500, "", [], to_json(traceback))


def _stream(
    exchange: Exchange,
    generation: state.Generation,
    route: Route,
    status: int,
    headers: list[tuple[str, str]],
    chunks: Iterator[bytes],
) -> bool:
    """Send a plain iterator from a thread of its own, or refuse while none is free."""
    runtime = running()
    if len(runtime.at_stream) >= STREAM_THREADS:
        detail = "too many streams are open; an `async def` handler has no such limit"
        exchange.fail(generation.number, route.id, 503, detail, [("retry-after", "1")], None)
        return True
    runtime.at_stream.add(exchange.id)
    stream = exchange.stream(generation.number, route.id, status, headers)

    def run() -> None:
        state.pin(generation)
        try:
            _send(stream, chunks, route)
        finally:
            runtime.at_stream.discard(exchange.id)
            state.unpin()
            state.leave(generation)

    runtime.streaming.submit(run)
    return False


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


async def _send_async(
    stream: BodyStream, chunks: AsyncIterator[bytes], generation: state.Generation, route: Route
) -> None:
    """Send an async stream, and end its request."""
    state.pin(generation)
    loop = asyncio.get_running_loop()
    try:
        async for chunk in chunks:
            sent = stream.try_send(chunk) if chunk else True
            if sent is None:
                sent = await loop.run_in_executor(running().slow, stream.send, chunk)
            if not sent:
                break
        else:
            stream.finish()
    except asyncio.CancelledError:
        raise
    except BaseException:
        _log.exception("the stream of %s broke off", route.handler_name)
    finally:
        try:
            close = getattr(chunks, "aclose", None)
            if close is not None:
                await close()
        finally:
            state.leave(generation)


def to_json(value: object) -> bytes:
    """Encode for Rust. What no UTF-8 can hold, such as half a surrogate pair, becomes `?`."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
