"""The parts that live as long as the server: reloader, loop, pool, threads that may wait.

Owns their making and the one `Runtime` of a process. Never runs a request (`dispatch`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from .. import _registry, templates
from .._core import late_module
from .._host import Exchange, HostApi
from .._reload import bytecode, loader, reloader, user_paths
from .._reload.env_file import EnvFile
from .._reload.retirement import Retirement
from . import hook_chain, interpreter, loop_kinds
from .loop_watch import LoopWatch
from .overseer import SETTLED_S, Overseer
from .request_threads import RequestThreads

if TYPE_CHECKING:
    from concurrent.futures import Future

    from .._core.served_handlers import ServedHandler
    from .._hosted_api import HostedApi
    from .._pool.executor import TaskPool
    from .._pool.handler_pool import HandlerPool
    from .._pool.request_pool import RequestPool
    from ..routing import Route
    from .background import Background
    from .event_loop import LoopThread

# The modules that the first failure of a handler needs.
_OF_FAILURES = (
    "logging",
    *(f"snaxum._debug.{name}" for name in ("hints", "stack", "unparsed_body")),
)
# Deep recursion in a handler should end in RecursionError, not in a crash of the process.
THREAD_STACK_BYTES = 16 * 1024 * 1024
# Handlers that wait for the pool have threads of their own, so that they block no other handler.
POOL_THREADS = 64
# The WebSockets of `def` handlers have one thread each; further ones are refused.
SOCKET_THREADS = 64
# The streams of `def` handlers have one thread each; further streams are refused.
STREAM_THREADS = 64
# Each batch of a handler that is a `def`, or has workers, has one thread while it runs.
BATCH_THREADS = 64
# A handler that is a `def`, with hooks that are not, has one thread.
HOOK_THREADS = 64


class Runtime:
    """The parts that live as long as the server, each made when it is first needed."""

    def __init__(self, options: dict[str, Any], host: HostApi, hosted: HostedApi) -> None:
        self.with_locals: bool = options["dev"]
        # Whether it serves requests; otherwise its modules are only inspected.
        self.serves: bool = not options["load_only"]
        root, project = options["python_dir"], options["project_dir"]
        self.project: str = project
        roots = [root, *options["watch_dirs"]]
        user_paths.configure(roots, project)
        templates.configure(options["templates_dir"], reloads=options["dev"])
        interpreter.add_to_path(root)
        threading.stack_size(THREAD_STACK_BYTES)
        self.host, self.hosted = host, hosted
        self._lock = threading.Lock()
        self._loop: LoopThread | None = None
        self._pool: TaskPool | None = None
        self.pool_workers: int = options["pool_workers"]
        reloads = self._reloads = options["dev"] and not options["load_only"]
        self._pool_kind: str = options["pool"]
        self._pool_retries: int = options["pool_retries"]
        self._pool_options = (
            roots,
            project,
            options["redact_extra"],
            host.print if reloads else None,
            options["raw_output"],
            host.worker_event if reloads else None,
        )
        self._loop_kind: str = options["event_loop"]
        loop_kinds.check(self._loop_kind)
        self._max_stuck: int = options["max_stuck"]
        max_queue: int = options["max_queue"]
        self.waiting = RequestThreads("snaxum-pool", POOL_THREADS, max_queue, self._max_stuck)
        self.streaming = RequestThreads(
            "snaxum-stream", STREAM_THREADS, 0, self._max_stuck, interrupts=True
        )
        # For the `def` parts of requests whose other parts are `async def`.
        self.hook_threads = RequestThreads("snaxum-hooks", HOOK_THREADS, max_queue, self._max_stuck)
        self.sockets = RequestThreads(
            "snaxum-websocket", SOCKET_THREADS, 0, self._max_stuck, interrupts=True
        )
        # For the calls of batches, by their first request.
        self.batch_threads = RequestThreads(
            "snaxum-batch", BATCH_THREADS, max_queue, self._max_stuck
        )
        self.threads = (
            self.waiting,
            self.streaming,
            self.hook_threads,
            self.sockets,
            self.batch_threads,
        )
        # The workers of single handlers, of all generations.
        self.handler_pools: set[HandlerPool] = set()
        hook_chain.install(self)
        # Whether so many loops are blocked that they are no longer replaced.
        self.are_loops_blocked = False
        self._blocked_loops: list[LoopThread] = []
        # By request, the pools of handlers that run, or wait for a thread.
        self.pools: dict[int, RequestPool] = {}
        # By request, the exchange of each that has left its dispatch worker, until its end.
        self.exchanges: dict[int, Exchange] = {}
        # By request, the hook on the loop that the thread of a WebSocket waits for.
        self.hooks_of_sockets: dict[int, Future[Any]] = {}
        self._background: Background | None = None
        self._max_background = max_queue
        _registry.run_later = self._run_later
        # The time that a pool task has after its request was cancelled.
        self.grace: float = options["request_timeout_s"] or 30.0
        self._loop_watch = LoopWatch(options["request_timeout_s"], self.replace_loop)
        # Set once the code has loaded.
        self._settles_at: float | None = None
        self._overseer = Overseer(host, self.cancel, self._on_sent, self._check, self._settle)
        self.retirement = Retirement(
            lambda: self.loop.loop, host.return_freed_memory, counts=reloads
        )
        watchdog = None
        bytecode.install()
        # New code may wait for an address of the process before: then modules run again.
        self._is_successor = options["first_generation"] > 1
        loader.records_runs = options["dev"] or options["load_only"] or self._is_successor
        if reloads:
            from .._reload import effects, file_inputs, import_hook
            from .._reload.watchdog import Watchdog

            late_module.import_own(*_OF_FAILURES)  # requests wait for the first save, too
            import_hook.install()
            effects.install()
            file_inputs.install(project, host.wrote)
            _ = self.loop  # it records the tasks that modules start
            watchdog = Watchdog(options["import_warning_s"], options["import_timeout_s"])
        self.reloader = reloader.Reloader(
            root,
            options["modules"],
            with_locals=self.with_locals,
            retirement=self.retirement,
            watchdog=watchdog,
            env_file=EnvFile(options["env_file"]) if options["env_file"] else None,
        )

    def begin(self) -> None:
        """Start the threads that this process always has."""
        self._overseer.start()

    @property
    def loop(self) -> LoopThread:
        """The loop, made on first use: asyncio is large."""
        if self._loop is None:
            with self._lock:
                self._loop = self._loop or self._make_loop()
        return self._loop

    @property
    def pool(self) -> TaskPool:
        """The pool, made on first use."""
        if self._pool is None:
            from .._pool import kinds

            with self._lock:
                if self._pool is None:
                    framework, options = self.host.framework(), self._pool_options
                    self._pool = kinds.make(
                        self._pool_kind, self._pool_retries, self.pool_workers, framework, *options
                    )
        return self._pool

    def pool_for_request(self, request: int, own: HandlerPool | None = None) -> RequestPool:
        """Return a handler's view of the pool, or of the workers that are its `own`."""
        from .._pool.request_pool import RequestPool

        return RequestPool(own or self.pool, request, self.grace)

    def pool_of_handler(self, served: ServedHandler) -> HandlerPool:
        """Return a pool without workers, for one handler."""
        from .._pool.handler_pool import HandlerPool

        pool = HandlerPool(served, self.host.framework(), *self._pool_options)
        self.handler_pools.add(pool)
        return pool

    def drop_background(self, request: int) -> None:
        """Run none of the functions that a handler has passed to `background`: it has failed."""
        if self._background is not None:
            self._background.drop(request)

    def background_functions(self) -> list[dict[str, Any]]:
        """List the functions that run, or wait, after a response."""
        return [] if self._background is None else self._background.describe()

    def close_background(self, timeout: float) -> None:
        """Wait for the functions that run after a response, at most `timeout` seconds."""
        if self._background is not None:
            self._background.close(timeout)

    def made(self) -> tuple[LoopThread | None, TaskPool | None]:
        """Return loop and pool, as far as they have been made."""
        return self._loop, self._pool

    def prepare_for(self, routes: Iterable[Route]) -> None:
        """Make the parts that these routes need, so that no request waits for them."""
        if self._is_successor:
            self.import_late()  # the process before this one still serves
        self._settles_at = self._settles_at or time.monotonic() + SETTLED_S
        for route in routes:
            if needs_pool(route):
                _ = self.pool
            if route.is_async:
                _ = self.loop

    def import_late(self) -> None:
        """Import what later requests may need."""
        late_module.import_own(*_OF_FAILURES, but=f"{reloader.__package__}.")

    def replace_loop(self, blocked: LoopThread, *, is_last: bool = False) -> bool:
        """Replace a loop that is blocked; False if too many are, unless it is for the last time."""
        self._blocked_loops = [loop for loop in self._blocked_loops if loop.is_alive()]
        self.are_loops_blocked = len(self._blocked_loops) >= self._max_stuck
        if self.are_loops_blocked and not is_last:
            return False
        self._blocked_loops.append(blocked)
        successor = self._make_loop()
        with self._lock:
            self._loop = successor
        blocked.hand_over(successor)
        return True

    def cancel(self, request_id: int) -> None:
        """End what a request has begun: its client has left, or its time is over."""
        pool = self.pools.get(request_id)
        if pool is not None:
            pool.cancel()
        self.streaming.cancel(request_id)
        self.hook_threads.cancel(request_id)
        self.sockets.cancel(request_id)
        hook = self.hooks_of_sockets.get(request_id)
        if hook is not None:
            hook.cancel()
        if self.waiting.cancel(request_id):
            self.pools.pop(request_id, None)
        if self._loop is not None:
            self._loop.cancel(request_id)

    def _run_later(
        self, function: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        if self._background is None:
            from .background import Background

            with self._lock:
                self._background = self._background or Background(
                    self.host,
                    lambda: self.loop,
                    self._max_background,
                    is_observed=self.with_locals,
                )
        self._background.add(self.exchanges, function, args, kwargs)

    def _on_sent(self, request: int) -> None:
        if self._background is not None:
            self._background.run(request)

    def _check(self) -> float | None:
        """Check everything that may hang; return the time until the next check, if any."""
        waits = [threads.report_overdue(self.grace) for threads in self.threads]
        loop = self._loop
        if loop is not None:
            waits.append(self._loop_watch.check(loop))
            self.are_loops_blocked = self.are_loops_blocked and not loop.is_responding
        is_exhausted = self.are_loops_blocked or any(each.is_exhausted() for each in self.threads)
        self.host.set_exhausted(is_exhausted)
        return min((wait for wait in waits if wait is not None), default=None)

    def _settle(self) -> float | None:
        """Import what later requests may need; return the time until then, if it is too early.

        Neither while the code loads nor with the first requests: both would wait for it.
        """
        left = SETTLED_S if self._settles_at is None else self._settles_at - time.monotonic()
        if left > 0:
            return left
        try:
            self.import_late()
        except OSError:  # no descriptor is left now
            return SETTLED_S
        return None

    def _make_loop(self) -> LoopThread:
        from . import event_loop

        new_loop = loop_kinds.new_loop(self._loop_kind)
        loop = event_loop.LoopThread(
            self.host, self.host.wake_overseer, new_loop, self.exchanges, self.hosted
        )
        if self._reloads:
            from .._reload import background_tasks

            background_tasks.install(loop.loop)
        return loop


def needs_pool(route: Route) -> bool:
    """Report whether a route uses the pool that all handlers share."""
    has_own = route.served is not None and route.served.workers is not None
    return route.mode == "process pool" and not has_own


_runtime: Runtime | None = None


def start(runtime: Runtime) -> None:
    """Make `runtime` the one of this process."""
    global _runtime
    _runtime = runtime


def running() -> Runtime:
    """Return the runtime that `start` was given."""
    assert _runtime is not None, "Rust calls `start` first"
    return _runtime


def has_started() -> bool:
    """Report whether this process has a runtime."""
    return _runtime is not None
