"""Runs an ASGI 3 application as the tasks of the loop.

Owns the task of each request. A client that leaves is a message to the application, and does not
cancel its task. Never knows what a message contains (`asgi.rs`, `websocket_cycle`).
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from .._core.objects import is_a
from .._host import Exchange, to_json
from .._hosted_api import HttpCycle
from .._runtime import generations, leases, respond
from .._runtime.async_dispatch import timed
from .._runtime.event_loop import LoopThread
from .._runtime.generations import Generation
from .._runtime.leases import Lease, pin_task, request_of_task
from .._runtime.runtime import running
from .._runtime.sockets import SocketLink, run_on_loop
from ..http import Request, Response
from ..mounts import Mount
from ..routing import Route
from . import noted
from .failures import describe_failure
from .found_route import record_route
from .lifespan import Lifespan
from .replies import HOLD_S, DirectReply, HandedReply
from .scope import VERSIONS, ClientDisconnected, websocket_scope
from .websocket_cycle import WebSocketCycle

_log = logging.getLogger("snaxum")


class AsgiHost:
    """One ASGI application at its prefix."""

    def __init__(self, mount: Mount) -> None:
        self._mount = mount
        self._app = mount.app
        self.lifespan = Lifespan(mount)
        self._application = running().hosted.asgi_application(
            mount.prefix, mount.id, VERSIONS, self.lifespan.state, ClientDisconnected
        )

    def direct(self, generation: Generation) -> tuple[Any, ...]:
        """Return what a loop needs for a request that comes without a dispatch worker."""
        serve = self.serve_timed if respond.is_timed else self.serve
        return serve, self._application, generation.number, self._mount

    async def start(
        self, loop: LoopThread, exchange: Exchange, lease: Lease, route: Route, request: Request
    ) -> None:
        """Run a request whose route has no hooks, and end it."""
        number, generation = exchange.id, lease.generation
        pin_task(generation, number)
        exchanges = loop.exchanges
        exchanges[number] = exchange
        reply = DirectReply(exchange, generation, route, loop) if respond.is_timed else None
        cycle = loop.http_cycle(self._application, exchange, generation.number, reply)
        loop.on_left(number, cycle.disconnect)
        try:
            if exchange.cancelled():
                return  # before it began
            try:
                if reply is None:
                    await self._app(cycle.scope(), cycle.receive, cycle.send)
                else:
                    await self._observed(exchange, cycle, reply)
            except BaseException as error:
                self._fail(error, exchange, generation, route, cycle, reply)
            else:
                if (problem := cycle.end()) is not None:
                    early = RuntimeError(problem)
                    self._fail(early, exchange, generation, route, cycle, reply)
                elif reply is not None:
                    reply.release()
        finally:
            if reply is not None:
                reply.scope = {}  # without a circle of references
            loop.on_left(number, None)
            loop.end(number)
            lease.end()

    async def serve(
        self, loop: LoopThread, exchange: Exchange, cycle: HttpCycle, number: int
    ) -> None:
        """Do the same for a request that has come without a dispatch worker, and end it.

        Outside dev mode, and where nothing records times.
        """
        request_of_task.set(number)
        try:
            if exchange.cancelled():
                return  # before it began
            await self._app(cycle.scope(), cycle.receive, cycle.send)
        except BaseException as error:
            loop.flush_soon()
            self._fail(error, exchange, generations.current(), self._mount, cycle, None)
        else:
            if (problem := cycle.end()) is not None:
                loop.flush_soon()
                early = RuntimeError(problem)
                self._fail(early, exchange, generations.current(), self._mount, cycle, None)
        finally:
            loop.forget_call(number)

    async def serve_timed(
        self, loop: LoopThread, exchange: Exchange, _: HttpCycle, number: int
    ) -> None:
        """Do the same where something records times."""
        try:
            mount = self._mount
            exchange.found(mount.id)
            lease = leases.lease_of(generations.current())
            await self.start(loop, exchange, lease, mount, Request(exchange, {}))
        finally:
            loop.forget_call(number)

    async def _observed(self, exchange: Exchange, cycle: HttpCycle, reply: DirectReply) -> None:
        """Call the application, and record times and exceptions."""
        exchange.began()
        if respond.is_observed:
            reply.noted = noted.begin()
        scope = reply.scope = cycle.scope()
        await timed(self._app(scope, cycle.receive, cycle.send), exchange)

    def _fail(
        self,
        error: BaseException,
        exchange: Exchange,
        generation: Generation,
        route: Route,
        cycle: HttpCycle,
        reply: DirectReply | None,
    ) -> None:
        """Respond to an exception of the application, or log it if it has responded."""
        is_cancelled = is_a(error, asyncio.CancelledError)
        if (reply is not None and reply.release(error)) or self._is_over(error, cycle):
            pass
        elif cycle.has_begun:
            stream = cycle.stream if reply is None else reply.stream
            assert stream is not None, "the response has begun"
            respond.break_off(stream, route, error)
        elif not exchange.cancelled():
            if reply is not None:
                reply.record_route()
            respond.send_error(exchange, generation, route, error, Request(exchange, {}))
        cycle.end()
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
        cycle = thread.http_cycle(self._application, exchange, generation.number, reply)
        scope = cycle.scope()
        lease = Lease(generation)
        reply.on_left = cycle.disconnect

        async def run() -> None:
            if respond.is_observed:
                reply.noted = noted.begin()
            error: BaseException | None = None
            try:
                await self._app(scope, cycle.receive, cycle.send)
                if not cycle.is_complete and not cycle.is_gone:
                    raise RuntimeError(cycle.end())
            except BaseException as raised:
                error = raised
            finally:
                lease.end()
                reply.on_left = _ignore  # without a circle of references
            if error is not None:
                reply.noted.append(error)
                if not self._is_over(error, cycle):
                    reply.fail(error)
            cycle.end()

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
            scope = websocket_scope(self._application, exchange)
            await timed(self._app(scope, cycle.receive, cycle.send), exchange)
            error = cycle.missing()
            if error is not None:
                raise error

        try:
            await run_on_loop(loop, lease, link, handle, cycle.is_expected)
        finally:
            loop.on_left(exchange.id, None)


def _ignore() -> None: ...


# The tasks of applications whose routes have hooks: the loop has only weak references.
_running: set[asyncio.Task[None]] = set()
