"""The lifespan of one ASGI application: from the load of its module to its last request.

Owns the task that runs it. An application that does not know lifespans is served without one. Never
decides when code loads or ends: the hooks of its module call `start` and `stop`.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
from typing import Any

from .._core.objects import is_a
from .._core.route_errors import RouteError
from .._runtime.runtime import running
from ..mounts import Mount
from .scope import VERSIONS, Message

_log = logging.getLogger("snaxum")

# The longest start: an application may connect to its databases, or load a model.
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 10.0
# How long an application that has reported its failure may take to raise the exception.
RAISE_TIMEOUT_S = 1.0


class Lifespan:
    """Starts and stops one application, from threads that may wait."""

    def __init__(self, mount: Mount) -> None:
        self._mount = mount
        # Each request gets a copy.
        self.state: dict[str, Any] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._run: _LifespanRun | None = None

    def start(self) -> None:
        """Begin the lifespan, and wait until the application has started.

        Raises what the application raises, and RouteError for a failure without an exception.
        """
        runtime = running()
        if not runtime.serves:
            return  # only inspected
        self._loop = runtime.loop.loop
        starting = asyncio.run_coroutine_threadsafe(self._start(), self._loop)
        if not _has_ended(starting, START_TIMEOUT_S):
            starting.cancel()
            raise self._failure(f"did not complete its start within {START_TIMEOUT_S:g} s")
        problem = starting.result()
        if isinstance(problem, str):
            raise self._failure(f"failed to start: {problem}")
        if problem is not None:
            raise problem

    def stop(self) -> None:
        """End the lifespan, and wait until the application has ended."""
        loop, run = self._loop, self._run
        if loop is None or run is None or run.task.done() or loop.is_closed():
            return
        stopping = asyncio.run_coroutine_threadsafe(run.stop(), loop)
        if not _has_ended(stopping, STOP_TIMEOUT_S):
            stopping.cancel()
            _log.error("%s", self._failure(f"did not end within {STOP_TIMEOUT_S:g} s"))
        elif (problem := stopping.result()) is not None:
            _log.error("%s", self._failure(f"failed at its end: {problem}"))

    async def _start(self) -> BaseException | str | None:
        self._run = _LifespanRun(self._mount, self.state)
        return await self._run.start()

    def _failure(self, problem: str) -> RouteError:
        mount = self._mount
        return RouteError(
            f"mount `{mount.prefix or '/'}` at {mount.place}: the lifespan of the application "
            f"{problem}"
        )


class _LifespanRun:
    """One run of a lifespan, as a task of the loop."""

    def __init__(self, mount: Mount, state: dict[str, Any]) -> None:
        self._mount = mount
        self._state = state
        loop = asyncio.get_running_loop()
        # The result of each phase: a problem, or None.
        self._started: asyncio.Future[str | None] = loop.create_future()
        self._stopped: asyncio.Future[str | None] = loop.create_future()
        self._is_stopping = asyncio.Event()
        self._received = 0
        # Whether it has sent a message of another kind.
        self._is_confused = False
        self._error: BaseException | None = None
        self.task: asyncio.Task[None] = loop.create_task(self._live())

    async def start(self) -> BaseException | str | None:
        """Wait for the end of the start; return its problem, if there is one."""
        await _first_of(self.task, self._started)
        problem = self._started.result() if self._started.done() else None
        if problem is not None:
            await asyncio.wait({self.task}, timeout=RAISE_TIMEOUT_S)
            return self._error or problem
        if not self._started.done() and self._error is not None:
            if self._received and not self._is_confused:
                return self._error  # it has taken the message, so it knows lifespans
            _log.debug("%s has no lifespan", self._mount.handler_name, exc_info=self._error)
        return None

    async def stop(self) -> str | None:
        """Let the application end, and wait for it; return its problem."""
        self._is_stopping.set()
        await _first_of(self.task, self._stopped)
        # Its last lines run, such as the end of a context manager.
        await asyncio.wait({self.task}, timeout=RAISE_TIMEOUT_S)
        problem = self._stopped.result() if self._stopped.done() else None
        if problem is None and self._error is not None:
            problem = f"{type(self._error).__name__}: {self._error}"
        return problem

    async def _live(self) -> None:
        scope = {"type": "lifespan", "asgi": VERSIONS.copy(), "state": self._state}
        try:
            await self._mount.app(scope, self._receive, self._send)
        except BaseException as error:
            if is_a(error, asyncio.CancelledError):
                raise
            # Without the line above.
            self._error = error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)
            has_started = self._started.done() and self._started.result() is None
            if has_started and not self._is_stopping.is_set():
                what = self._mount.handler_name
                _log.error("the lifespan of %s has ended", what, exc_info=error)

    async def _receive(self) -> Message:
        self._received += 1
        if self._received == 1:
            return {"type": "lifespan.startup"}
        await self._is_stopping.wait()
        if self._received > 2:
            await asyncio.get_running_loop().create_future()  # there is no further message
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        phases = {
            "lifespan.startup.complete": (self._started, False),
            "lifespan.startup.failed": (self._started, True),
            "lifespan.shutdown.complete": (self._stopped, False),
            "lifespan.shutdown.failed": (self._stopped, True),
        }
        if kind not in phases:
            self._is_confused = True
            raise RuntimeError(f"the application sent `{kind}` in its lifespan")
        phase, has_failed = phases[kind]
        if not phase.done():
            text = str(message.get("message") or "it gives no reason") if has_failed else None
            phase.set_result(text)


async def _first_of(task: asyncio.Task[None], future: asyncio.Future[str | None]) -> None:
    waiting: set[asyncio.Future[Any]] = {task, future}
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)


def _has_ended(future: concurrent.futures.Future[Any], limit: float) -> bool:
    """Wait at most `limit` s."""
    return bool(concurrent.futures.wait({future}, limit).done)
