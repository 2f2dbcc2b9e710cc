"""Runs WebSocket handlers: on the loop, or in a thread of their own.

Owns the way from the route table to the handler, and the close after it. The handshake completes as
late as possible, so that a handler may still respond otherwise. Never reads a frame.
"""

from __future__ import annotations

import contextvars
import functools
import logging
from collections.abc import Awaitable, Callable, Generator
from typing import TYPE_CHECKING, Any, cast

from .._core.hosted import Start
from .._core.objects import is_a
from .._core.websocket_routes import WebSocketRoute
from .._debug import traceback
from .._host import Exchange, HostApi, Socket, to_json
from ..capture import is_private
from ..headers import MissingField, Pairs
from ..http import HTTPError, Request
from ..routing import Route
from ..websockets import (
    BlockingWebSocket,
    InvalidMessage,
    WebSocket,
    WebSocketClosed,
    current,
    short_reason,
)
from . import generations, respond, trace_context
from .dispatch import LOOPS_BLOCKED, dispatch_request
from .generations import Generation
from .leases import Lease, pin_task, pin_thread, unpin_thread
from .request_threads import Interrupted
from .runtime import running
from .socket_hooks import await_hooks, call_hooks

if TYPE_CHECKING:
    import asyncio

    from .event_loop import LoopThread

_log = logging.getLogger("snaxum")


def dispatch_websocket(exchange: Exchange, generation: Generation, path: str) -> None:
    """Match a handshake to a route of `generation`, and run its handler.

    Without a WebSocket on the path, it is an ordinary request, as HTTP demands.
    """
    found = generation.table.match("WS", path)
    if type(found) is not tuple:
        dispatch_request(exchange, generation, "GET", path)
        return
    route, params = found
    if respond.is_timed:
        exchange.found(route.id)
        if trace_context.is_on:
            trace_context.attach(exchange)
    request = Request(exchange, params or {})
    if route.origin.is_async:
        hosted = route.origin.hosted
        start = _on_loop if hosted is None else hosted.start_websocket
        _run_async(exchange, generation, route, request, start)
    else:
        _run_blocking(exchange, generation, route, request)


def _run_async(
    exchange: Exchange, generation: Generation, route: Route, request: Request, start: Start
) -> None:
    runtime = running()
    if runtime.are_loops_blocked:
        respond.send_busy(exchange, generation, route.id, LOOPS_BLOCKED)
        return
    loop, lease = runtime.loop, Lease(generation)
    context = trace_context.of_task()
    loop.spawn(exchange.id, route, start, exchange, lease, route, request, context=context)


def _run_blocking(
    exchange: Exchange, generation: Generation, route: Route, request: Request
) -> None:
    lease = Lease(generation)

    def run() -> None:
        pin_thread(generation, exchange.id)
        exchanges = running().exchanges
        exchanges[exchange.id] = exchange
        link = SocketLink(exchange, generation, route, request)
        ws = BlockingWebSocket(request, link)
        current.set(ws)
        error: BaseException | None = None
        result = None
        try:
            if exchange.cancelled():
                return
            if respond.is_timed:
                exchange.began()
            result = call_hooks(exchange, generation, route, request)
            if result is None:
                result = route.origin.call(ws)
        except Interrupted:
            pass  # it did not notice that it is closed
        except BaseException as raised:
            error = raised
        finally:
            exchanges.pop(exchange.id, None)
            link.end(result, error)
            unpin_thread()
            lease.end()

    job = functools.partial(contextvars.copy_context().run, run)
    if not running().sockets.start(exchange.id, route.handler_name, job):
        detail = "too many WebSockets of `def` handlers are open"
        if respond.is_observed:
            detail += "; an `async def` handler has no such limit"
        respond.send_busy(exchange, generation, route.id, detail)


async def _on_loop(
    loop: LoopThread, exchange: Exchange, lease: Lease, route: Route, request: Request
) -> None:
    """Run an `async def` handler as a task of the loop."""
    from .async_dispatch import timed

    link = SocketLink(exchange, lease.generation, route, request, loop)
    ws = WebSocket(request, link)
    current.set(ws)
    call = functools.partial(route.origin.call, ws)
    await run_on_loop(loop, lease, link, lambda: timed(_UntilWait(call, link.complete), exchange))


async def run_on_loop(
    loop: LoopThread,
    lease: Lease,
    link: SocketLink,
    handle: Callable[[], Awaitable[Any]],
    is_expected: Callable[[BaseException], bool] = lambda error: False,
) -> None:
    """Run a WebSocket as the calling task: the hooks before it, then `handle`; and end it.

    An exception that `is_expected` only ends it.
    """
    exchange = link.exchange
    pin_task(lease.generation, exchange.id)
    exchanges = running().exchanges
    exchanges[exchange.id] = exchange
    error: BaseException | None = None
    result = None
    try:
        if exchange.cancelled():
            return  # before it began
        if respond.is_timed:
            exchange.began()
        result = await await_hooks(exchange, link.route, link.request)
        if result is None:
            result = await handle()
    except BaseException as raised:
        error = None if is_expected(raised) else raised
    finally:
        exchanges.pop(exchange.id, None)
        link.end(result, error)
        loop.forget(exchange.id)
        lease.end()


class SocketLink:
    """The connection of a handler's WebSocket: the `Link` of `snaxum.websockets`."""

    def __init__(
        self,
        exchange: Exchange,
        generation: Generation,
        route: Route,
        request: Request,
        loop: LoopThread | None = None,
    ) -> None:
        self.exchange = exchange
        self._generation = generation
        self.route = route
        self.request = request
        # The loop of the handler; None for one with a thread of its own.
        self._loop = loop
        self._host: HostApi = running().host
        # None until the handshake is complete.
        self._socket: Socket | None = None
        self._waiting: list[asyncio.Future[None]] = []
        self._calls: list[Callable[[], None]] = []
        self._watching: LoopThread | None = None
        self.subprotocol = self._negotiated()

    @property
    def is_stale(self) -> bool:
        return self._generation is not generations.serving

    def accept(self, subprotocol: str | None = None, headers: Pairs = ()) -> None:
        if self._socket is not None:
            raise RuntimeError("the handshake is complete; `accept` comes before any other use")
        if subprotocol is not None:
            self.subprotocol = subprotocol
        exchange = self.exchange
        if respond.is_timed:
            exchange.returned()
        number, route = self._generation.number, self.route
        self._socket = exchange.accept(number, route.id, self.subprotocol, list(headers))
        if self._loop is not None:
            self._loop.watch(exchange.id, self._on_signal)
            self._loop.flush_soon()

    def complete(self) -> Socket:
        """Complete the handshake, unless it is complete."""
        if self._socket is None:
            self.accept()
        assert self._socket is not None
        return self._socket

    def try_receive(self) -> str | bytes | tuple[int, str] | None:
        return self.complete().try_receive(self._host)

    def try_send(self, message: str | bytes) -> bool | None:
        return self.complete().try_send(message, self._host)

    async def wait(self) -> None:
        assert self._loop is not None, "a `def` handler's WebSocket blocks"
        future = self._loop.loop.create_future()
        self._waiting.append(future)
        try:
            await future
        finally:
            if future in self._waiting:
                self._waiting.remove(future)

    def receive(self) -> str | bytes | tuple[int, str]:
        return self.complete().receive()

    def send(self, message: str | bytes) -> bool:
        return self.complete().send(message)

    def close(self, code: int, reason: str) -> None:
        self.complete().close(code, reason)

    def closed(self) -> tuple[int, str] | None:
        return None if self._socket is None else self._socket.closed()

    def on_close(self, call: Callable[[], None]) -> None:
        socket = self.complete()
        self._calls.append(call)
        if self._loop is None and self._watching is None:
            self._watching = running().loop
            self._watching.watch(self.exchange.id, self._on_signal)
        if socket.watch_close(self._host):
            self._call_closed()

    def end(self, result: object, error: BaseException | None) -> None:
        """Close it after its handler, which has returned `result` or raised `error`.

        Before the handshake, both are an ordinary response.
        """
        try:
            self._end(result, error)
        finally:
            loop = self._loop or self._watching
            if loop is not None:
                loop.unwatch(self.exchange.id)
            if self._loop is not None:
                self._loop.flush_soon()
                self._on_signal()  # the tasks of the handler that still wait
            self._call_closed()

    def _end(self, result: object, error: BaseException | None) -> None:
        exchange, route = self.exchange, self.route
        if self._socket is None:
            if exchange.cancelled():
                return
            if error is not None:
                respond.send_error(exchange, self._generation, route, error, self.request)
                return
            if result is not None:
                self._respond(result)
                return
            self.accept()
        socket = self.complete()
        failure = None
        if error is None:
            if result is not None:
                kind = type(result).__name__
                _log.warning(
                    "%s returned a %s after the handshake of its WebSocket; it is ignored",
                    route.handler_name,
                    kind,
                )
            socket.close(1000, "")
        else:
            code, reason, failure = self._close_of(error)
            socket.close(code, reason)
        socket.finish(failure)

    def _respond(self, result: object) -> None:
        stream = respond.send_result(self.exchange, self._generation, self.route, result)
        if stream is not None:
            body = stream[0]
            detail = "a WebSocket handler cannot respond with an async stream"
            body.fail(500, detail, [], None)

    def _close_of(self, error: BaseException) -> tuple[int, str, bytes | None]:
        """Return the code and reason for an exception, and its traceback if it is a fault."""
        if is_a(error, WebSocketClosed):
            closed = cast(WebSocketClosed, error)
            if self.closed() == (closed.code, closed.reason):
                return 1000, "", None  # it is closed already
        if is_a(error, HTTPError):
            return 1008, short_reason(cast(HTTPError, error).detail), None
        if is_a(error, MissingField):
            return 1008, short_reason(str(error)), None
        if is_a(error, InvalidMessage):
            return 1007, short_reason(str(error)), None
        if _is_cancelled(error):
            return 1011, "the handler was cancelled", None
        route = self.route
        with_locals = running().with_locals and not is_private(route.handler)
        failure = traceback.capture(error, with_locals=with_locals)
        traceback.add_handler(failure, route.handler)
        return 1011, "internal error", to_json(failure)

    def _negotiated(self) -> str | None:
        """Return the first subprotocol of the route that the client offers."""
        route = cast(WebSocketRoute, self.route.origin)
        if not route.subprotocols:
            return None
        offered = ",".join(self.request.headers.get_all("sec-websocket-protocol")).split(",")
        offers = {offer.strip() for offer in offered}
        return next((name for name in route.subprotocols if name in offers), None)

    def _on_signal(self) -> None:
        """Resume what waits: there is a message or room, or it is closed. Runs on the loop."""
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)
        if self._calls and self.closed() is not None:
            self._call_closed()

    def _call_closed(self) -> None:
        calls, self._calls = self._calls, []
        for call in calls:
            call()


class _UntilWait:
    """Awaits a handler, and calls a function when it first waits for something."""

    __slots__ = ("_call", "_waits")

    def __init__(self, call: Callable[[], Any], waits: Callable[[], object]) -> None:
        self._call = call
        self._waits = waits

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self._call().__await__()
        try:
            waits_for = steps.send(None)
            self._waits()
            while True:
                try:
                    yield waits_for
                except GeneratorExit:
                    steps.close()
                    raise
                except BaseException as error:  # cancelled
                    waits_for = steps.throw(error)
                else:
                    break
        except StopIteration as end:
            return end.value
        return (yield from steps)


def _is_cancelled(error: BaseException) -> bool:
    import asyncio

    return is_a(error, asyncio.CancelledError)
