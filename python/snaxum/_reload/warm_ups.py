"""Warms up the handlers of a new generation before it serves: models load, workers start.

Owns the order: one handler after the other, and one worker after the other. The serving generation
has its own workers meanwhile. An exception rejects the generation, and its workers end. Never
decides when a generation ends: its workers end by a hook of their module (`registration`).
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from typing import Any

from .._core.objects import is_awaitable
from .._core.served_handlers import ServedHandler, WarmUp
from .._runtime import leases
from .._runtime.generations import Generation, loading_node
from ..routing import Route, RouteError
from .retirement import Retirement

# The most time for a warm-up: a large model comes from a slow disk.
TIMEOUT_S = 600.0
# A load that waits for a warm-up can be interrupted after this time.
INTERRUPT_S = 0.5


class WarmUpFailed(Exception):
    """The handler of `module` is not ready."""

    def __init__(self, module: str, error: BaseException) -> None:
        super().__init__()
        self.module = module
        self.error = error


def warm_up(generation: Generation, retirement: Retirement) -> None:
    """Prepare the handlers of `generation` that are new in it. Raises WarmUpFailed."""
    begun: list[ServedHandler] = []
    done: set[WarmUp] = set()
    try:
        for route in generation.routes:
            served = route.origin.served
            if served is None or served.is_warm:
                continue
            begun.append(served)
            try:
                _prepare(route, served, generation, retirement, done)
            except BaseException as error:
                raise WarmUpFailed(route.module, error) from error
            served.is_warm = True
    except BaseException:
        for served in begun:
            served.is_warm = False
            served.close()
        raise


def _prepare(
    route: Route,
    served: ServedHandler,
    generation: Generation,
    retirement: Retirement,
    done: set[WarmUp],
) -> None:
    if served.workers is not None:
        calls = served.calls()
        assert calls is not None, "the runtime has installed them"
        calls.start(generation)
    elif served.warm_up is not None and served.warm_up not in done:
        _call(route, served.warm_up, generation, retirement)
        done.add(served.warm_up)


def _call(route: Route, function: WarmUp, generation: Generation, retirement: Retirement) -> None:
    """Call a warm-up in a thread of its own, on the new generation. Raises what it raises."""
    ended: concurrent.futures.Future[None] = concurrent.futures.Future()

    def run() -> None:
        leases.prepare_for(generation)
        loading_node.set(generation.graph.nodes.get(route.module))
        try:
            result = function()
            if is_awaitable(result):
                _await(result, generation, retirement.loop())
        except BaseException as error:
            ended.set_exception(error)
        else:
            ended.set_result(None)

    thread = threading.Thread(target=run, name="warm-up", daemon=True)
    thread.start()
    waited = 0.0
    while not concurrent.futures.wait({ended}, INTERRUPT_S).done:
        waited += INTERRUPT_S
        if waited >= TIMEOUT_S:
            raise RouteError(
                f"route `{route.pattern}` at {route.place}: its warm-up has not ended within "
                f"{TIMEOUT_S:g} s; load less, or load it with the first request"
            )
    ended.result()


def _await(result: Any, generation: Generation, loop: asyncio.AbstractEventLoop) -> None:
    async def wait() -> None:
        leases.prepare_for(generation)
        await result

    asyncio.run_coroutine_threadsafe(wait(), loop).result()
