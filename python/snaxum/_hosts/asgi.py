"""Runs an ASGI 3 application as the tasks of the loop.

Owns the task of each request. A client that leaves is a message to the application, and does not
cancel its task. Never knows what a message contains (`http_cycle`, `websocket_cycle`).
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from .._core.objects import is_a
from .._host import Exchange, to_json
from .._runtime import leases, respond
from .._runtime.async_dispatch import timed
from .._runtime.event_loop import LoopThread
from .._runtime.leases import Lease, pin_task
from .._runtime.runtime import running
from .._runtime.sockets import SocketLink, run_on_loop
from .._runtime.streamed_request import StreamedRequest
from ..http import Request, Response
from ..mounts import Mount
from ..routing import Route
from . import noted
from .failures import describe_failure
from .found_route import record_route
from .http_cycle import HttpCycle
from .lifespan import Lifespan
from .replies import HOLD_S, DirectReply, HandedReply
from .scope import http_scope, websocket_scope
from .websocket_cycle import WebSocketCycle

_log = logging.getLogger("snaxum")


class AsgiHost:
    """One ASGI application at its prefix."""

    def __init__(self, mount: Mount) -> None:
        self._mount = mount
        self._app = mount.app
        self._prefix = mount.prefix
        self.lifespan = Lifespan(mount)

    async def start(
        self, loop: LoopThread, exchange: Exchange, lease: Lease, route: Route, request: Request
    ) -> None:
        """Run a request whose route has no hooks, and end it."""
        pin_task(lease.generation, exchange.id)
        exchanges = running().exchanges
        exchanges[exchange.id] = exchange
        reply = DirectReply(exchange, lease.generation, route, loop)
        is_streamed = isinstance(request, StreamedRequest)
        cycle = HttpCycle(exchange, loop, reply, is_streamed=is_streamed)
        loop.on_left(exchange.id, cycle.disconnect)
        try:
            if exchange.cancelled():
                return  # before it began
            if respond.is_timed:
                exchange.began()
            if respond.is_observed:
                reply.noted = noted.begin()
            scope = reply.scope = http_scope(exchange, self._prefix, self.lifespan.state)
            try:
                await timed(self._app(scope, cycle.receive, cycle.send), exchange)
                error: BaseException | None = cycle.missing()
            except BaseException as raised:
                error = raised
            if error is not None:
                self._fail(error, exchange, lease, route, request, cycle, reply)
            else:
                reply.release()
        finally:
            loop.on_left(exchange.id, None)
            exchanges.pop(exchange.id, None)
            loop.flush_soon()
            loop.forget(exchange.id)
            lease.end()

    def _fail(
        self,
        error: BaseException,
        exchange: Exchange,
        lease: Lease,
        route: Route,
        request: Request,
        cycle: HttpCycle,
        reply: DirectReply,
    ) -> None:
        """Respond to an exception of the application, or log it if it has responded."""
        is_cancelled = is_a(error, asyncio.CancelledError)
        if reply.release(error) or self._is_over(error, cycle):
            pass
        elif cycle.has_begun:
            reply.break_off(error)
        elif not exchange.cancelled():
            if respond.is_timed:
                reply.record_route()
            respond.send_error(exchange, lease.generation, route, error, request)
        if is_cancelled:
            raise error

    def _is_over(self, error: BaseException, cycle: HttpCycle) -> bool:
        """Report whether the response needs no end, and log the exception."""
        if cycle.is_gone:
            _log.debug("%s raised after its client has left", self._mount.prefix, exc_info=error)
            return True
        if cycle.is_complete:
            if not is_a(error, asyncio.CancelledError):
                what = self._mount.handler_name
                _log.error("%s raised after its response", what, exc_info=error)
            return True
        return False

    async def respond(self, request: Request) -> Response:
        """Run a request whose route has hooks: they get the response."""
        exchange: Any = request._raw
        generation = leases.for_caller()
        assert generation is not None, "a request runs on a generation"
        thread = running().loop.that_runs(asyncio.get_running_loop()) or running().loop
        reply = HandedReply(asyncio.get_running_loop())
        is_streamed = isinstance(request, StreamedRequest)
        cycle = HttpCycle(exchange, thread, reply, is_streamed=is_streamed)
        scope = http_scope(exchange, self._prefix, self.lifespan.state)
        lease = Lease(generation)
        reply.on_left = cycle.disconnect

        async def run() -> None:
            if respond.is_observed:
                reply.noted = noted.begin()
            try:
                await self._app(scope, cycle.receive, cycle.send)
                error: BaseException | None = cycle.missing()
            except BaseException as raised:
                error = raised
            finally:
                lease.end()
            if error is None:
                return
            reply.noted.append(error)
            if not self._is_over(error, cycle):
                reply.fail(error)

        task = asyncio.get_running_loop().create_task(run())
        _running.add(task)
        task.add_done_callback(_running.discard)
        try:
            response = await reply.response
            if respond.is_timed:
                record_route(exchange, self._mount, scope)
            if respond.is_observed and response.status >= 500:
                await asyncio.wait({task}, timeout=HOLD_S)
                if reply.noted:
                    exchange.raised(to_json(describe_failure(reply.noted[-1], self._mount)))
        except asyncio.CancelledError:
            reply.close()  # the client has left
            raise
        return response

    async def start_websocket(
        self, loop: LoopThread, exchange: Exchange, lease: Lease, route: Route, request: Request
    ) -> None:
        """Run a WebSocket, and end it."""
        link = SocketLink(exchange, lease.generation, route, request, loop)
        cycle = WebSocketCycle(link, exchange, lease.generation, route, loop)
        loop.on_left(exchange.id, cycle.leave)

        async def handle() -> None:
            scope = websocket_scope(exchange, self._prefix, self.lifespan.state)
            await timed(self._app(scope, cycle.receive, cycle.send), exchange)
            error = cycle.missing()
            if error is not None:
                raise error

        try:
            await run_on_loop(loop, lease, link, handle, cycle.is_expected)
        finally:
            loop.on_left(exchange.id, None)


# The tasks of applications whose routes have hooks: the loop has only weak references.
_running: set[asyncio.Task[None]] = set()
