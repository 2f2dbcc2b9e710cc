"""The hooks before a WebSocket's handler, which may respond in place of the handshake.

Owns their calls. Never completes a handshake.
"""

from __future__ import annotations

import contextvars
from typing import Any

from .._core.hooks import RequestHook
from .._host import Exchange
from ..http import Request
from ..routing import Route
from .generations import Generation
from .hook_chain import HookedRoute
from .leases import Lease, pin_task
from .runtime import running


def _hooks_before(route: Route) -> tuple[RequestHook, ...]:
    return route.hooks.before if isinstance(route, HookedRoute) else ()


def call_hooks(exchange: Exchange, generation: Generation, route: Route, request: Request) -> Any:
    """Call the hooks before a `def` handler; return the first result, which ends the handshake."""
    for hook in _hooks_before(route):
        if hook.is_async:
            result = _wait_for(hook, exchange, generation, request)
        else:
            result = hook.call(request)
        if result is not None:
            return result
    return None


def _wait_for(
    hook: RequestHook, exchange: Exchange, generation: Generation, request: Request
) -> Any:
    """Call an `async def` hook on the loop, with the context variables, and wait for its result.

    The wait ends when the request is cancelled.
    """
    import asyncio

    from . import thread_hops

    async def run() -> tuple[Any, contextvars.Context]:
        lease = Lease(generation)  # the thread may end before
        try:
            pin_task(generation, exchange.id)
            return await hook.call(request), contextvars.copy_context()
        finally:
            lease.end()

    runtime = running()
    ended = asyncio.run_coroutine_threadsafe(run(), runtime.loop.loop)
    runtime.hooks_of_sockets[exchange.id] = ended
    if exchange.cancelled():
        ended.cancel()  # it may have been cancelled just before
    try:
        result, changed = ended.result()
    finally:
        del runtime.hooks_of_sockets[exchange.id]
    thread_hops.adopt(changed)
    return result


async def await_hooks(exchange: Exchange, route: Route, request: Request) -> Any:
    """Do the same before an `async def` handler; each `def` hook in a thread, as it may block."""
    hooks = _hooks_before(route)
    if not hooks:
        return None
    from .thread_hops import ThreadHops

    hops = ThreadHops(running(), exchange, route.handler_name)
    for hook in hooks:
        if hook.is_async:
            result = await hook.call(request)
        else:
            result = await hops.hop(hook.call, request)
        if result is not None:
            return result
    return None
