"""What lives as long as the server: reloader, loop, pool, threads that may wait.

Owns their making and the one `Runtime` of a process. Never answers a request (`_answers`).
"""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from . import _loop, _pool
from ._reload import effects, imports, inputs, loader, reloader, tasks
from ._reload.drain import Drain
from ._reload.env_file import EnvFile
from ._reload.watchdog import Watchdog

# Deep recursion in a handler should end in RecursionError, not in a crash of the process.
THREAD_STACK_BYTES = 16 * 1024 * 1024
# Handlers that wait for the pool have threads of their own: they hold up nobody.
POOL_THREADS = 64
# So have the streams of `def` handlers, one each; more streams at once are refused.
STREAM_THREADS = 64
# And async streams whose clients read too slowly.
SLOW_CLIENT_THREADS = 16


class Runtime:
    """What lives as long as the server: reloader, loop, pool, threads that may wait."""

    def __init__(
        self,
        options: dict[str, Any],
        framework: dict[str, str],
        border: _loop.Border,
    ) -> None:
        self.with_locals: bool = options["dev"]
        self.warm_pool: bool = not options["load_only"]
        self.max_queue: int = options["max_queue"]
        root, project = options["python_dir"], options["project_dir"]
        roots = [root, *options["watch_dirs"]]
        loader.configure(roots, project)
        if root not in sys.path:
            sys.path.insert(0, root)
        threading.stack_size(THREAD_STACK_BYTES)
        self.loop = _loop.LoopThread(border, self.give_up)
        self.pool = _pool.Pool(options["pool_workers"], framework, roots, project)
        self.waiting = ThreadPoolExecutor(POOL_THREADS, thread_name_prefix="snaxum-pool")
        self.streaming = ThreadPoolExecutor(STREAM_THREADS, thread_name_prefix="snaxum-stream")
        self.slow = ThreadPoolExecutor(SLOW_CLIENT_THREADS, thread_name_prefix="snaxum-slow")
        # Ids of the requests that hold or await a thread of the first two.
        self.at_pool: set[int] = set()
        self.pools: dict[int, _pool.RequestPool] = {}
        # What a pool task gets beyond its request's own time.
        self.grace: float = options["request_timeout_s"] or 30.0
        self.at_stream: set[int] = set()
        reloads = options["dev"] and not options["load_only"]
        self.drain = Drain(lambda: self.loop.loop, counts=reloads)
        watchdog = None
        if reloads:
            imports.install()
            effects.install()
            inputs.install(project)
            tasks.install(self.loop.loop)
            watchdog = Watchdog(options["import_warning_s"], options["import_timeout_s"])
        self.reloader = reloader.Reloader(
            root,
            options["modules"],
            with_locals=self.with_locals,
            drain=self.drain,
            watchdog=watchdog,
            env_file=EnvFile(options["env_file"], border.parse_env)
            if options["env_file"]
            else None,
        )

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
