"""What lives as long as the server: reloader, loop, pool, threads that may wait.

Owns their making and the one `Runtime` of a process. Never answers a request (`_answers`).
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from .._host import HostApi
from .._reload import effects, file_inputs, import_hook, loader, reloader
from .._reload.drain import Drain
from .._reload.env_file import EnvFile
from .._reload.watchdog import Watchdog

if TYPE_CHECKING:
    from .._pool.pool import Pool, RequestPool
    from ..routing import Route
    from .event_loop import LoopThread

# Deep recursion in a handler should end in RecursionError, not in a crash of the process.
THREAD_STACK_BYTES = 16 * 1024 * 1024
# Handlers that wait for the pool have threads of their own: they hold up nobody.
POOL_THREADS = 64
# So have the streams of `def` handlers, one each; more streams at once are refused.
STREAM_THREADS = 64


class Runtime:
    """What lives as long as the server: reloader, loop, pool, threads that may wait."""

    def __init__(self, options: dict[str, Any], host: HostApi) -> None:
        self.with_locals: bool = options["dev"]
        self.warm_pool: bool = not options["load_only"]
        self.max_queue: int = options["max_queue"]
        root, project = options["python_dir"], options["project_dir"]
        roots = [root, *options["watch_dirs"]]
        loader.configure(roots, project)
        if root not in sys.path:
            sys.path.insert(0, root)
        threading.stack_size(THREAD_STACK_BYTES)
        self._host = host
        self._lock = threading.Lock()
        self._loop: LoopThread | None = None
        self.coroutines: Any = None  # the module, once there is a loop
        self._pool: Pool | None = None
        self._pool_workers: int = options["pool_workers"]
        reloads = options["dev"] and not options["load_only"]
        prints = (host.print, options["raw_output"]) if reloads else None
        happened = host.worker_event if reloads else None
        self._pool_boot = (roots, project, options["redact_extra"], prints, happened)
        self.waiting = ThreadPoolExecutor(POOL_THREADS, thread_name_prefix="snaxum-pool")
        self.streaming = ThreadPoolExecutor(STREAM_THREADS, thread_name_prefix="snaxum-stream")
        # Ids of the requests that hold or await a thread of these.
        self.pool_requests: set[int] = set()
        self.pools: dict[int, RequestPool] = {}
        # What a pool task gets beyond its request's own time.
        self.grace: float = options["request_timeout_s"] or 30.0
        self.stream_requests: set[int] = set()
        self.drain = Drain(lambda: self.loop.loop, counts=reloads)
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
            drain=self.drain,
            watchdog=watchdog,
            env_file=EnvFile(options["env_file"], host.parse_env) if options["env_file"] else None,
        )

    @property
    def loop(self) -> LoopThread:
        """The loop, from the first moment on at which something needs it: asyncio is large."""
        if self._loop is None:
            from . import async_dispatch, event_loop

            with self._lock:
                self.coroutines = async_dispatch
                self._loop = self._loop or event_loop.LoopThread(self._host, self.give_up)
        return self._loop

    @property
    def pool(self) -> Pool:
        """The pool; likewise."""
        if self._pool is None:
            from .._pool.pool import Pool

            with self._lock:
                if self._pool is None:
                    framework = self._host.framework()
                    self._pool = Pool(self._pool_workers, framework, *self._pool_boot)
        return self._pool

    def made(self) -> tuple[LoopThread | None, Pool | None]:
        """Give what has been needed so far."""
        return self._loop, self._pool

    def prepare_for(self, routes: Iterable[Route]) -> None:
        """Make what these routes need, so that no request has to wait for it."""
        for route in routes:
            if route.use_process_pool:
                # It is the loop that hears of requests that were given up.
                _ = self.loop, self.pool
            elif route.is_async:
                _ = self.loop

    def pool_status(self) -> dict[str, Any]:
        """Describe the pool for the console."""
        if self._pool is not None:
            from .._pool.events import pool_status

            return pool_status(self._pool)
        none = {"busy": 0, "waiting": 0, "done": 0, "failed": 0, "replaced": 0}
        return {"size": self._pool_workers, "workers": [], **none, "exits": []}

    def give_up(self, request_id: int) -> None:
        """Let go of what a request that nobody waits for has in the pool."""
        pool = self.pools.get(request_id)
        if pool is not None:
            pool.give_up()


_runtime: Runtime | None = None


def start(runtime: Runtime) -> None:
    """Make `runtime` the one of this process."""
    global _runtime
    _runtime = runtime


def running() -> Runtime:
    """Return the runtime that `start` was given."""
    assert _runtime is not None, "Rust calls `start` first"
    return _runtime
