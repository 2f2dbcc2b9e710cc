"""Calls the handler of a request: right here, on the loop, or in a thread with the pool.

Owns the way from the route table to the handler. Never sends a result (`respond`), but for the
requests that have no handler.
"""

from __future__ import annotations

import contextvars
import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .._core.hooks import HookSet
from .._core.unmatched import ImpliedOptions, MethodNotAllowed, NotFound, UpgradeRequired
from .._host import Exchange, to_json
from ..http import HTTPError, Request, Response
from ..routing import Match, Route
from . import generations, respond, trace_context
from .generations import Generation
from .hook_chain import HookedRoute, UnmatchedRoute
from .leases import Lease, lease_of, pin_thread, unpin_thread
from .runtime import running
from .streamed_request import StreamedRequest

if TYPE_CHECKING:
    from types import ModuleType

    from .._pool.request_pool import RequestPool

# The methods of a framework's route, sorted.
_FRAMEWORK_METHODS = ("GET", "HEAD", "OPTIONS")
Runner = Callable[[Exchange, Generation, Route, Request], None]
LOOPS_BLOCKED = "async handlers block every event loop; see the log"


def dispatch_request(
    exchange: Exchange,
    generation: Generation,
    method: str,
    path: str,
    make_request: Callable[[Exchange, dict[str, Any]], Request] = Request,
) -> None:
    """Match a request to a route of `generation`, and run its handler."""
    found = generation.table.match(method, path)
    if type(found) is tuple:
        route, params = found
        if respond.is_timed:
            record_route(exchange, route)
        request = make_request(exchange, params or {})
        runner_of(route)(exchange, generation, route, request)
    else:
        _dispatch_unmatched(exchange, generation, found)


def record_route(exchange: Exchange, route: Route) -> None:
    """Record the route of a request that is observed, before its handler runs."""
    exchange.found(route.id)
    if trace_context.is_on:
        trace_context.attach(exchange)


def runner_of(route: Route) -> Runner:
    """Return the function that runs the handler of a route: with the pool, on the loop, or here."""
    if route.is_async:
        return run_async
    return run_with_pool if route.use_process_pool else run_sync


def _dispatch_unmatched(exchange: Exchange, generation: Generation, found: Match) -> None:
    """Respond to a request that no route matches, through the hooks for all routes."""
    own = _framework_route(exchange.path, found)
    if own is not None:
        if exchange.method in own.methods or exchange.method == "HEAD":
            _dispatch_own(exchange, generation, own)
            return
        is_question = exchange.method == "OPTIONS"
        found = (ImpliedOptions if is_question else MethodNotAllowed)(_FRAMEWORK_METHODS)
    if type(found) is NotFound and generation.broken:
        _fail_broken(exchange, generation)
        return
    refusal = _refusal(exchange, generation, found)
    if generation.hooks != HookSet():
        route = UnmatchedRoute(refusal, generation.hooks)
        run = run_async if route.is_async else run_sync
        run(exchange, generation, route, Request(exchange, {}))
    elif isinstance(refusal, HTTPError):
        headers = list(refusal.headers)
        members = respond.extensions_of(refusal)
        exchange.fail(
            generation.number, None, refusal.status, refusal.detail, headers, None, members
        )
    else:
        headers = refusal.headers.multi_items()
        exchange.respond(generation.number, None, refusal.status, headers, b"")


def _framework_route(path: str, found: Match) -> Route | None:
    """Return the framework's route of a path that the user has no route for."""
    if type(found) is not NotFound:
        return None
    return generations.framework_routes.get(path)


def _dispatch_own(exchange: Exchange, generation: Generation, route: Route) -> None:
    if generation.hooks != HookSet():
        route = HookedRoute(route, generation.hooks)
    run = run_async if route.is_async else run_sync
    run(exchange, generation, route, Request(exchange, {}))


def _refusal(exchange: Exchange, generation: Generation, found: Match) -> HTTPError | Response:
    """Return the response to a request that no route matches, or the error."""
    method, path = exchange.method, exchange.path
    if type(found) is MethodNotAllowed:
        allow = ", ".join(found.allow)
        detail = f"{path} does not allow {method}; use {allow}"
        members = _near_routes(generation, path, method) if respond.is_observed else {}
        return HTTPError(405, detail, {"allow": allow}, members=members)
    if type(found) is ImpliedOptions:
        return Response(headers={"allow": ", ".join(found.allow)})
    if type(found) is UpgradeRequired:
        detail = f"{path} is a WebSocket; connect with `ws:` or `wss:`"
        return HTTPError(426, detail, {"upgrade": "websocket", "sec-websocket-version": "13"})
    detail, members = f"no route for {path}", {}
    if respond.is_observed:
        members = _near_routes(generation, path, method)
        from .._debug.route_lookup import near_misses
        from ..static_files import missing_file

        if near := near_misses(generation.routes, path):
            detail += "; near it: " + ", ".join(near)
        if missing := missing_file(generation.static_mounts, path):
            detail += "; " + missing
        if unloaded := _find_unloaded(method, path):
            detail += "; " + unloaded
    return HTTPError(404, detail, members=members)


def _near_routes(generation: Generation, path: str, method: str) -> dict[str, Any]:
    """Return the member of a problem document that has the routes near a request."""
    from .._debug.route_lookup import near_routes

    near = near_routes(generation.routes, path, method)
    return {"near_routes": near} if near else {}


def dispatch_before_body(
    exchange: Exchange, generation: Generation, method: str, path: str
) -> None:
    """Do the same for a request whose body has not arrived, or ask for its body first."""
    found = generation.table.match(method, path)
    if type(found) is tuple and found[0].streams_body:
        dispatch_request(exchange, generation, method, path, StreamedRequest)
    else:
        exchange.need_body(generation.number)


def calls_plain_handler(generation: Generation, method: str, path: str) -> bool:
    """Report whether `dispatch_request` would call a handler in its own thread."""
    found = generation.table.match(method, path)
    if method == "WS":
        if type(found) is tuple:
            return False
        found = generation.table.match("GET", path)
    if type(found) is not tuple:
        hooks = generation.hooks.all()
        is_answered = bool(hooks) or _framework_route(path, found) is not None
        return is_answered and not any(hook.is_async for hook in hooks)
    route = found[0]
    return not (route.use_process_pool or route.is_async)


def run_sync(
    exchange: Exchange,
    generation: Generation,
    route: Route,
    request: Request,
    pool: RequestPool | None = None,
) -> None:
    """Call a handler in this thread, and send its result."""
    try:
        try:
            result = route.call(request) if pool is None else route.call(request, pool)
        finally:
            if respond.is_timed:
                exchange.returned()
                if pool is not None:
                    pool.report_to(exchange)
    except BaseException as error:
        respond.send_error(exchange, generation, route, error, request)
        return
    stream = respond.send_result(exchange, generation, route, result)
    if stream is not None:
        loop, lease = running().loop, Lease(generation)
        args = (exchange, *stream, lease, route)
        context = contextvars.copy_context()
        loop.spawn(exchange.id, route, _async_dispatch().stream, *args, context=context)


def run_async(exchange: Exchange, generation: Generation, route: Route, request: Request) -> None:
    """Call an `async def` handler on the loop."""
    runtime = running()
    if runtime.are_loops_blocked:
        respond.send_busy(exchange, generation, route.id, LOOPS_BLOCKED)
        return
    loop, lease = runtime.loop, lease_of(generation)
    start = _async_dispatch().run if route.hosted is None else route.hosted.start
    context = trace_context.of_task()
    loop.spawn(exchange.id, route, start, exchange, lease, route, request, context=context)


def run_with_pool(
    exchange: Exchange, generation: Generation, route: Route, request: Request
) -> None:
    """Call a handler that gets the pool, in a thread that may wait for it."""
    runtime = running()
    pool = runtime.pools[exchange.id] = runtime.pool_for_request(exchange.id)
    lease = Lease(generation)

    def run() -> None:
        pin_thread(generation, exchange.id)
        runtime.exchanges[exchange.id] = exchange
        try:
            if not exchange.cancelled():
                if respond.is_timed:
                    exchange.began()
                run_sync(exchange, generation, route, request, pool)
        finally:
            runtime.pools.pop(exchange.id, None)
            runtime.exchanges.pop(exchange.id, None)
            unpin_thread()
            lease.end()

    job = functools.partial(contextvars.copy_context().run, run)
    if not runtime.waiting.start(exchange.id, route.handler_name, job):
        del runtime.pools[exchange.id]
        detail = "too many requests are waiting for the process pool"
        respond.send_busy(exchange, generation, route.id, detail)


def _fail_broken(exchange: Exchange, generation: Generation) -> None:
    """Fail a request for an unknown path while a module has not loaded: it may be its path."""
    module_for = generation.broken_routes
    name = module_for(exchange.method, exchange.path) if module_for else None
    if name is not None:
        failure = generation.broken[name]
        detail = f"the module of this path, `{name}`, did not load: {failure['type']}"
        if not respond.is_observed:
            detail = "the server cannot handle this path; its log has the reason"
        exchange.fail(generation.number, None, 500, detail, [], to_json(failure))
        return
    name, failure = next(iter(generation.broken.items()))
    detail = f"no loaded route has this path; `{name}` did not load: {failure['type']}"
    if not respond.is_observed:
        detail = f"no route for {exchange.path} at present"
    respond.send_busy(exchange, generation, None, detail)


def _find_unloaded(method: str, path: str) -> str | None:
    """Describe a route for this path in a file that was not loaded."""
    found = running().reloader.find_unloaded_routes()
    return next((route.describe() for route in found if route.matches(method, path)), None)


@functools.cache
def _async_dispatch() -> ModuleType:
    """Import `async_dispatch` with the first request that needs it: asyncio is large."""
    from . import async_dispatch

    return async_dispatch
