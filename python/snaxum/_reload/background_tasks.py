"""The asyncio tasks that modules start on the server's loop, outside of requests, and their end.

Owns the record of the run that started each task: while it loaded, in a start-up hook, or in
another such task. Never ends a task of a handler; it only counts them.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import weakref
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any

from .._runtime import generations
from .model import MARK, Node

# The longest chain of waiting coroutines that is searched for old code.
MAX_DEPTH = 100


def install(loop: asyncio.AbstractEventLoop) -> None:
    """Record the tasks that runs of modules start on `loop` from now on."""
    # Not by a task factory: the user may set one, such as an eager factory.
    create = loop.create_task

    def recording_create_task(coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        task = create(coroutine, **options)
        node = generations.loading_node.get()
        if node is not None:
            node.tasks.add(weakref.ref(task, node.tasks.discard))
        return task

    loop.create_task = recording_create_task  # type: ignore[method-assign, assignment]


def end(nodes: Collection[Node], loop: asyncio.AbstractEventLoop, timeout: float) -> list[Node]:
    """Cancel the tasks of these runs and wait for them; return the runs whose tasks continue."""
    if loop.is_closed() or not _running(nodes):
        return []

    def running_here() -> list[asyncio.Task[Any]]:
        # A loop that a handler has blocked was replaced, and its tasks end with it.
        return [task for task in _running(nodes) if task.get_loop() is loop]

    async def cancel() -> None:
        deadline = loop.time() + timeout
        # In a loop: a task that ends may have started another one.
        while (tasks := running_here()) and (left := deadline - loop.time()) > 0:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=left)

    try:
        asyncio.run_coroutine_threadsafe(cancel(), loop).result(2 * timeout)
    except (concurrent.futures.TimeoutError, concurrent.futures.CancelledError):
        pass  # a handler blocks the loop, perhaps forever; the server stops
    return [node for node in nodes if _running([node])]


def started_by(node: Node) -> list[asyncio.Task[Any]]:
    """List the running tasks that a run has started."""
    return _running([node])


def in_code_of(node: Node, loop: asyncio.AbstractEventLoop) -> list[asyncio.Task[Any]]:
    """List the tasks that are in the code of a run, also tasks of handlers."""
    return [task for task in asyncio.all_tasks(loop) if _is_in(task, node)]


def describe(tasks: Collection[asyncio.Task[Any]], what: str) -> str:
    """Count and name tasks, as in `2 tasks WHAT: app.poll (2)`."""
    names = Counter(getattr(t.get_coro(), "__qualname__", None) or t.get_name() for t in tasks)
    listed = ", ".join(f"`{n}` ({count})" if count > 1 else f"`{n}`" for n, count in names.items())
    return f"{len(tasks)} task{'' if len(tasks) == 1 else 's'} {what}: {listed}"


def _running(nodes: Iterable[Node]) -> list[asyncio.Task[Any]]:
    tasks = (reference() for node in nodes for reference in list(node.tasks))
    return [task for task in tasks if task is not None and not task.done()]


def _is_in(task: asyncio.Task[Any], node: Node) -> bool:
    waiting: Any = task.get_coro()
    for _ in range(MAX_DEPTH):
        frame = getattr(waiting, "cr_frame", None)
        if frame is None:
            return False
        if frame.f_globals.get(MARK) is node:
            return True
        waiting = waiting.cr_await
    return False
