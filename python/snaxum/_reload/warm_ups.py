"""Warms up the handlers of a new generation before it serves: models load, workers start.

Owns the order: one handler after the other, and one worker after the other. The serving generation
has its own workers meanwhile. An exception rejects the generation, and its workers end; so does a
newer save, which the caller checks for. Never decides when a generation ends: its workers end by a
hook of their module (`registration`).
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .._core.objects import is_awaitable
from .._core.route_errors import RouteError
from .._core.served_handlers import ServedHandler, WarmUp
from .._debug.stack import of_user as stack_of_user
from .._runtime import leases
from .._runtime.generations import Generation, loading_node
from ..routing import Route
from .retirement import Retirement
from .watchdog import LoadInterrupted

_log = logging.getLogger("snaxum")

# The most time for a warm-up: a large model comes from a slow disk.
TIMEOUT_S = 600.0
# After this time a warm-up is logged: it may hang.
SLOW_S = 10.0
# How often it is checked whether newer code was saved. A load can be interrupted as often.
CHECK_S = 0.5


class WarmUpFailed(Exception):
    """The handler of `module` is not ready."""

    def __init__(self, module: str, error: BaseException) -> None:
        super().__init__()
        self.module = module
        self.error = error


def warm_up(generation: Generation, retirement: Retirement, check: Callable[[], None]) -> None:
    """Prepare the handlers of `generation` that are new in it.

    Raises WarmUpFailed, or what `check` raises, which is called from time to time.
    """
    begun: list[ServedHandler] = []
    done: set[WarmUp] = set()
    try:
        for route in generation.routes:
            served = route.origin.served
            if served is None or served.is_warm:
                continue
            begun.append(served)
            _prepare(route, served, generation, retirement, check, done)
            served.is_warm = True
    except BaseException:
        for served in begun:
            served.is_warm = False
            served.close(0)
        raise


def _prepare(
    route: Route,
    served: ServedHandler,
    generation: Generation,
    retirement: Retirement,
    check: Callable[[], None],
    done: set[WarmUp],
) -> None:
    function, limit_s = served.warm_up, None
    if served.workers is not None:
        calls = served.calls()
        assert calls is not None, "the runtime has installed them"
        start = calls.start  # it limits the time of each worker
        preparation = _Preparation(lambda: start(generation))
    elif function is not None and function not in done:
        done.add(function)
        preparation, limit_s = _WarmUp(function, route, generation, retirement), TIMEOUT_S
    else:
        return
    try:
        preparation.finish(check, f"the warm-up of {served.name}", limit_s)
    except _Failed as failed:
        raise WarmUpFailed(route.module, failed.error) from failed.error
    except TimeoutError:
        error = RouteError(
            f"route `{route.pattern}` at {route.place}: its warm-up has not ended within "
            f"{TIMEOUT_S:g} s; load less, or load it with the first request"
        )
        raise WarmUpFailed(route.module, error) from None


class _Failed(Exception):
    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error


class _Preparation:
    """A call of `function` in a thread of its own."""

    def __init__(self, function: Callable[[], None]) -> None:
        self._function = function
        self._ended: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._run, name="warm-up", daemon=True)
        self._thread.start()

    def finish(self, check: Callable[[], None], name: str, limit_s: float | None) -> None:
        """Wait for its end. Raises _Failed, TimeoutError, or what `check` raises."""
        began, is_reported = time.monotonic(), False
        try:
            while not concurrent.futures.wait({self._ended}, CHECK_S).done:
                check()
                took = time.monotonic() - began
                if took >= SLOW_S and not is_reported:
                    is_reported = True
                    stack = stack_of_user(self._thread.ident or 0)
                    _log.warning("%s has been running for %g s\n%s", name, SLOW_S, stack)
                if limit_s is not None and took >= limit_s:
                    raise TimeoutError
        except BaseException:
            self.interrupt()
            raise
        error = self._ended.exception()
        if error is not None:
            raise _Failed(error)

    def interrupt(self) -> None:
        """End it, as far as it runs Python code."""
        import ctypes  # large, and rarely needed

        raise_in, ident = ctypes.pythonapi.PyThreadState_SetAsyncExc, self._thread.ident or 0
        raise_in(ctypes.c_ulong(ident), ctypes.py_object(LoadInterrupted))

    def _run(self) -> None:
        try:
            self._function()
        except BaseException as error:
            self._ended.set_exception(error)
        else:
            self._ended.set_result(None)


class _WarmUp(_Preparation):
    """A warm-up in the server, on the new generation; an `async def` continues on the loop."""

    def __init__(
        self, function: WarmUp, route: Route, generation: Generation, retirement: Retirement
    ) -> None:
        self._on_loop: concurrent.futures.Future[None] | None = None

        def call() -> None:
            leases.prepare_for(generation)
            loading_node.set(generation.graph.nodes.get(route.module))
            result: Any = function()
            if not is_awaitable(result):
                return

            async def wait() -> None:
                leases.prepare_for(generation)
                await result

            self._on_loop = asyncio.run_coroutine_threadsafe(wait(), retirement.loop())
            self._on_loop.result()

        super().__init__(call)

    def interrupt(self) -> None:
        if self._on_loop is not None:
            with suppress(RuntimeError):  # the loop has ended
                self._on_loop.cancel()
        super().interrupt()
