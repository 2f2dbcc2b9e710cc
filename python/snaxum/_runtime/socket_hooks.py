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
from .chains import HookedRoute
from .generations import Generation
from .leases import pin_task
from .runtime import running


def _hooks_before(route: Route) -> tuple[RequestHook, ...]:
    return route.hooks.before if isinstance(route, HookedRoute) else ()


def call_hooks(exchange: Exchange, generation: Generation, route: Route, request: Request) -> Any:
    """Call the hooks before a `def` handler; return the first result, which ends the handshake."""
    for hook in _hooks_before(route):
        result = hook.call(request)
        if hook.is_async:
            result = _wait_for(result, exchange, generation)
        if result is not None:
            return result
    return None


def _wait_for(coroutine: Any, exchange: Exchange, generation: Generation) -> Any:
    """Run a coroutine of a request on the loop, with its context variables, and wait for it."""
    import asyncio

    from . import crossing

    async def run() -> tuple[Any, contextvars.Context]:
        pin_task(generation, exchange.id)
        return await coroutine, contextvars.copy_context()

    loop = running().loop.loop
    result, changed = asyncio.run_coroutine_threadsafe(run(), loop).result()
    crossing.adopt(changed)
    return result


async def await_hooks(route: Route, request: Request) -> Any:
    """Do the same before an `async def` handler."""
    for hook in _hooks_before(route):
        result = hook.call(request)
        if hook.is_async:
            result = await result
        if result is not None:
            return result
    return None
