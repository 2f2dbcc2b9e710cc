"""Runs `async def` handlers and async streams on the loop.

Owns the coroutines of a request. Separate from `dispatch`, because a server without them needs no
asyncio.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any

from .._core.event_head import EventHead
from .._core.objects import is_a
from .._host import BodyStream, Exchange
from ..http import Request
from ..routing import Route
from . import respond
from .event_loop import LoopThread
from .leases import Lease, pin_task
from .runtime import running


async def run(
    loop: LoopThread, exchange: Exchange, lease: Lease, route: Route, request: Request
) -> None:
    """Await the handler on the loop, and end its request."""
    generation, number = lease.generation, exchange.id
    pin_task(generation, number)
    loop.exchanges[number] = exchange
    try:
        if exchange.cancelled():
            return  # before it began
        try:
            if respond.is_timed:
                exchange.began()
                try:
                    result = await timed(_called(route, request, exchange), exchange)
                finally:
                    exchange.returned()
            else:
                result = await _called(route, request, exchange)
        except BaseException as error:
            if is_a(error, asyncio.CancelledError) and exchange.cancelled():
                running().drop_background(number)
                raise  # the client is gone, so there is no request to respond to
            respond.send_error(exchange, generation, route, error, request)
            return
        stream = respond.send_result(exchange, generation, route, result)
        if stream is not None:
            loop.flush_soon()
            await _send_chunks(loop, *stream, lease, route)
    finally:
        running().pools.pop(number, None)
        loop.end(number)
        lease.end()


def _called(route: Route, request: Request, exchange: Exchange) -> Awaitable[Any]:
    if route.use_process_pool:
        from .thread_hops import call_with_pool  # few handlers need it

        return call_with_pool(running(), exchange, route.call, request)
    result: Awaitable[Any] = route.call(request)
    return result


def timed(awaitable: Awaitable[Any], exchange: Exchange) -> Awaitable[Any]:
    """Report each time that `awaitable` runs on the loop, in dev mode."""
    if not respond.is_observed:
        return awaitable
    # A generator of `types.coroutine` can be awaited, and has no `__await__`.
    return TimedAwaitable(awaitable, exchange) if hasattr(awaitable, "__await__") else awaitable


class TimedAwaitable:
    """Awaits a handler and reports each time that it runs on the loop, from a resume to a wait.

    Values and exceptions pass through in both directions, as with `yield from` (PEP 380).
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


async def stream(
    loop: LoopThread,
    exchange: Exchange,
    body: BodyStream,
    chunks: AsyncIterator[bytes],
    lease: Lease,
    route: Route,
) -> None:
    """Send the async stream that a plain handler has returned."""
    exchanges = running().exchanges
    exchanges[exchange.id] = exchange
    try:
        await _send_chunks(loop, body, chunks, lease, route)
    finally:
        exchanges.pop(exchange.id, None)
        loop.forget(exchange.id)


async def _send_chunks(
    loop: LoopThread,
    stream: BodyStream,
    chunks: AsyncIterator[bytes],
    lease: Lease,
    route: Route,
) -> None:
    """Send an async stream, and end its request."""
    pin_task(lease.generation, stream.id)
    try:
        try:
            # The client may have left while the handler ran; only later is this task cancelled.
            if not stream.cancelled():
                async for chunk in chunks:
                    if type(chunk) is EventHead:
                        respond.become_events(stream, chunk)
                    elif not await loop.send(stream, chunk):
                        break
                else:
                    stream.finish()
        finally:
            close = getattr(chunks, "aclose", None)
            if close is not None:
                await close()
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        respond.break_off(stream, route, error)
    finally:
        lease.end()
