"""The parts that live as long as the server: reloader, loop, pool, threads that may wait.

Owns their making and the one `Runtime` of a process. Never runs a request (`dispatch`).
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from .._host import HostApi
from .._reload import effects, file_inputs, import_hook, reloader, user_paths
from .._reload.env_file import EnvFile
from .._reload.retirement import Retirement
from .._reload.watchdog import Watchdog

if TYPE_CHECKING:
    from .._pool.pool import Pool, RequestPool
    from ..routing import Route
    from .event_loop import LoopThread

# Deep recursion in a handler should end in RecursionError, not in a crash of the process.
THREAD_STACK_BYTES = 16 * 1024 * 1024
# Handlers that wait for the pool have threads of their own, so that they block no other handler.
POOL_THREADS = 64
# The streams of `def` handlers have one thread each; further streams are refused.
STREAM_THREADS = 64


class Runtime:
    """The parts that live as long as the server, each made when it is first needed."""

    def __init__(self, options: dict[str, Any], host: HostApi) -> None:
        self.with_locals: bool = options["dev"]
        self.warm_pool: bool = not options["load_only"]
        self.max_queue: int = options["max_queue"]
        root, project = options["python_dir"], options["project_dir"]
        roots = [root, *options["watch_dirs"]]
        user_paths.configure(roots, project)
        if root not in sys.path:
            sys.path.insert(0, root)
        threading.stack_size(THREAD_STACK_BYTES)
        self._host = host
        self._lock = threading.Lock()
        self._loop: LoopThread | None = None
        self._pool: Pool | None = None
        self.pool_workers: int = options["pool_workers"]
        reloads = options["dev"] and not options["load_only"]
        self._pool_options = (
            roots,
            project,
            options["redact_extra"],
            host.print if reloads else None,
            options["raw_output"],
            host.worker_event if reloads else None,
        )
        self.waiting = ThreadPoolExecutor(POOL_THREADS, thread_name_prefix="snaxum-pool")
        self.streaming = ThreadPoolExecutor(STREAM_THREADS, thread_name_prefix="snaxum-stream")
        # Ids of the requests that have, or wait for, a thread of `waiting` or `streaming`.
        self.pool_requests: set[int] = set()
        self.stream_requests: set[int] = set()
        # By request, the pools of running handlers.
        self.pools: dict[int, RequestPool] = {}
        # The time that a pool task has after its request was cancelled.
        self.grace: float = options["request_timeout_s"] or 30.0
        self.retirement = Retirement(lambda: self.loop.loop, counts=reloads)
        watchdog = None
        if reloads:
            import_hook.install()
            effects.install()
            file_inputs.install(project)
            from .._reload import background_tasks

            background_tasks.install(self.loop.loop)
            watchdog = Watchdog(options["import_warning_s"], options["import_timeout_s"])
        self.reloader = reloader.Reloader(
            root,
            options["modules"],
            with_locals=self.with_locals,
            retirement=self.retirement,
            watchdog=watchdog,
            env_file=EnvFile(options["env_file"], host.parse_env) if options["env_file"] else None,
        )

    @property
    def loop(self) -> LoopThread:
        """The loop, made on first use: asyncio is large."""
        if self._loop is None:
            from . import event_loop

            with self._lock:
                self._loop = self._loop or event_loop.LoopThread(self._host, self.cancel_pool_tasks)
        return self._loop

    @property
    def pool(self) -> Pool:
        """The pool, made on first use."""
        if self._pool is None:
            from .._pool.pool import Pool

            with self._lock:
                if self._pool is None:
                    framework = self._host.framework()
                    self._pool = Pool(self.pool_workers, framework, *self._pool_options)
        return self._pool

    def made(self) -> tuple[LoopThread | None, Pool | None]:
        """Return loop and pool, as far as they have been made."""
        return self._loop, self._pool

    def prepare_for(self, routes: Iterable[Route]) -> None:
        """Make the parts that these routes need, so that no request waits for them."""
        for route in routes:
            if route.use_process_pool:
                # The loop receives the ids of cancelled requests.
                _ = self.loop, self.pool
            elif route.is_async:
                _ = self.loop

    def cancel_pool_tasks(self, request_id: int) -> None:
        """Cancel the pool tasks of a cancelled request."""
        pool = self.pools.get(request_id)
        if pool is not None:
            pool.cancel()


_runtime: Runtime | None = None


def start(runtime: Runtime) -> None:
    """Make `runtime` the one of this process."""
    global _runtime
    _runtime = runtime


def running() -> Runtime:
    """Return the runtime that `start` was given."""
    assert _runtime is not None, "Rust calls `start` first"
    return _runtime
