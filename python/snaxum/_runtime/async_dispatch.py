"""The same for `async def` handlers, and for async streams: what runs on the loop.

Owns the coroutines of a request. Apart from `_answers`, because without any of them a server needs
no asyncio.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any

from .._host import BodyStream, Exchange
from ..http import Request, to_response
from ..response import PLAIN_TYPES, encode_plainly
from ..routing import Route
from . import dispatch
from .leases import Lease, pin_task
from .runtime import running

_log = logging.getLogger("snaxum")


async def respond(exchange: Exchange, lease: Lease, route: Route, request: Request) -> None:
    """Await the handler on the loop, and end its request."""
    pin_task(lease.generation, exchange.id)
    try:
        await _run_async(exchange, lease, route, request)
    finally:
        loop = running().loop
        loop.wake_soon()
        loop.forget(exchange.id)
        lease.end()


async def _run_async(exchange: Exchange, lease: Lease, route: Route, request: Request) -> None:
    generation = lease.generation
    if exchange.cancelled():
        return  # before it began
    try:
        if dispatch.is_observed:
            exchange.began()
            try:
                result = await _observed(route.handler(request), exchange)
            finally:
                exchange.returned()
        else:
            result = await route.handler(request)
        content_type = PLAIN_TYPES.get(type(result))
        if content_type is not None:
            content = encode_plainly(result)
            exchange.respond_plainly(generation.number, route.id, content_type, content)
            return
        status, headers, body = to_response(result).parts()
    except asyncio.CancelledError as error:
        if exchange.cancelled():
            raise  # the client went away: nobody waits for an answer
        dispatch.fail(exchange, generation, route, error)
        return
    except BaseException as error:
        dispatch.fail(exchange, generation, route, error)
        return
    if isinstance(body, bytes):
        exchange.respond(generation.number, route.id, status, headers, body)
    elif isinstance(body, AsyncIterator):
        stream = exchange.stream(generation.number, route.id, status, headers)
        running().loop.wake_soon()
        await send(stream, body, lease, route)
    else:
        dispatch.stream(exchange, generation, route, status, headers, body)


def _observed(awaitable: Awaitable[Any], exchange: Exchange) -> Awaitable[Any]:
    # A generator of `types.coroutine` can be awaited, and has no `__await__`.
    return TimedAwaitable(awaitable, exchange) if hasattr(awaitable, "__await__") else awaitable


class TimedAwaitable:
    """Awaits a handler and says when it holds the loop: from each time it goes on to its next wait.

    What it yields, is sent and has raised in it passes through, as with `yield from` (PEP 380).
    """

    __slots__ = ("_awaitable", "_exchange")

    def __init__(self, awaitable: Awaitable[Any], exchange: Exchange) -> None:
        self._awaitable = awaitable
        self._exchange = exchange

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self._awaitable.__await__()
        if not isinstance(steps, Generator):
            return (yield from steps)
        resumed, suspended = self._exchange.resumed, self._exchange.suspended
        go_on: Callable[[Any], Any] = steps.send
        what: Any = None
        while True:
            resumed()
            try:
                waits_for = go_on(what)
            except StopIteration as end:
                return end.value
            finally:
                suspended()
            try:
                what = yield waits_for
                go_on = steps.send
            except GeneratorExit:
                steps.close()
                raise
            except BaseException as error:
                what, go_on = error, steps.throw


async def stream_async(
    exchange: Exchange,
    stream: BodyStream,
    chunks: AsyncIterator[bytes],
    lease: Lease,
    route: Route,
) -> None:
    """Send the async stream that a plain handler has returned."""
    try:
        await send(stream, chunks, lease, route)
    finally:
        running().loop.forget(exchange.id)


async def send(
    stream: BodyStream, chunks: AsyncIterator[bytes], lease: Lease, route: Route
) -> None:
    """Send an async stream, and end its request."""
    pin_task(lease.generation, stream.id)
    loop = running().loop
    try:
        async for chunk in chunks:
            if chunk and not await loop.send(stream, chunk):
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
            lease.end()
