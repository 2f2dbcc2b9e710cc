"""The asyncio tasks that code starts on the server's loop by itself, and their end.

Owns the note of which run of a module started which task: while it loaded, in a start-up hook, or
in a task of those. Never touches a task that a handler started; it only counts those.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import weakref
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any

from .._runtime import generations as state
from .model import MARK, Node

Task = asyncio.Task[Any]

# How many coroutines that wait for one another are looked through in search of old code.
MAX_DEPTH = 100


def install(loop: asyncio.AbstractEventLoop) -> None:
    """Note from now on what runs of modules start on `loop`."""
    # Not a task factory: that place is the user's, for an eager one.
    create = loop.create_task

    def noting(coroutine: Any, **options: Any) -> Task:
        task = create(coroutine, **options)
        node = state.starter.get()
        if node is not None:
            node.tasks.add(weakref.ref(task, node.tasks.discard))
        return task

    loop.create_task = noting  # type: ignore[method-assign, assignment]


def end(nodes: Collection[Node], loop: asyncio.AbstractEventLoop, timeout: float) -> list[Node]:
    """Cancel what these runs have started and wait for it; gives those whose tasks refuse."""
    if loop.is_closed() or not _running(nodes):
        return []

    async def cancel() -> None:
        deadline = loop.time() + timeout
        # Again for what was started in the last moment of another.
        while (tasks := _running(nodes)) and (left := deadline - loop.time()) > 0:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=left)

    try:
        asyncio.run_coroutine_threadsafe(cancel(), loop).result(2 * timeout)
    except (concurrent.futures.TimeoutError, concurrent.futures.CancelledError):
        pass  # a handler holds up the loop, perhaps for ever; the server stops
    return [node for node in nodes if _running([node])]


def started_by(node: Node) -> list[Task]:
    """List the tasks of a run that it has started."""
    return _running([node])


def in_code_of(node: Node, loop: asyncio.AbstractEventLoop) -> list[Task]:
    """List the tasks that are in the code of a run, whoever started them."""
    return [task for task in asyncio.all_tasks(loop) if _is_in(task, node)]


def describe(tasks: Collection[Task], what: str) -> str:
    """Count and name tasks: `2 tasks WHAT: `app.poll` (2)`."""
    names = Counter(getattr(t.get_coro(), "__qualname__", None) or t.get_name() for t in tasks)
    listed = ", ".join(f"`{n}` ({count})" if count > 1 else f"`{n}`" for n, count in names.items())
    return f"{len(tasks)} task{'' if len(tasks) == 1 else 's'} {what}: {listed}"


def _running(nodes: Iterable[Node]) -> list[Task]:
    tasks = (reference() for node in nodes for reference in list(node.tasks))
    return [task for task in tasks if task is not None and not task.done()]


def _is_in(task: Task, node: Node) -> bool:
    waiting: Any = task.get_coro()
    for _ in range(MAX_DEPTH):
        frame = getattr(waiting, "cr_frame", None)
        if frame is None:
            return False
        if frame.f_globals.get(MARK) is node:
            return True
        waiting = waiting.cr_await
    return False
