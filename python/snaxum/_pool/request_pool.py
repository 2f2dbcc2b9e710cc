"""The pool as one request sees it: its tasks end with it.

Owns the tasks of a request. Never starts or ends a worker (`pool`).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from .executor import ServerExecutor
from .pool import Pool
from .task import Task
from .timers import timers


class RequestPool(ServerExecutor):
    """The pool as one request sees it: its tasks end with it.

    A cancelled request (its client is gone, or its time is over) cancels the tasks that wait. The
    running tasks have `grace` s to end; then they are killed, to free the workers.
    """

    def __init__(self, pool: Pool, request: int, grace: float) -> None:
        self._pool = pool
        self._request = request
        self._grace = grace
        self._tasks: list[Task] = []
        self._is_cancelled = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run `fn(*args, **kwargs)` in a worker, on the newest code; return a `Future`."""
        if self._is_cancelled:
            raise RuntimeError("the request was cancelled; it cannot submit more tasks")
        task = Task(fn, args, kwargs, self._request)
        self._tasks.append(task)
        return self._pool.run(task)

    def cancel(self) -> None:
        """Cancel the waiting tasks now, and kill the running tasks after the grace time."""
        self._is_cancelled = True
        for task in self._tasks:
            task.is_given_up = True
        futures = [task.future for task in self._tasks]
        have_ended = [future.cancel() or future.done() for future in futures]
        if all(have_ended):
            return
        if self._pool.is_closed:
            self._kill()
        else:
            timers.start(self._grace, self._kill)

    def times(self) -> tuple[int, float, float]:
        """Return how many tasks have ended, how long they have waited, and have run, in s."""
        ended = [task for task in self._tasks if task.ran_s]
        return len(ended), sum(t.waited_s for t in ended), sum(t.ran_s for t in ended)

    def _kill(self) -> None:
        self._pool.kill_tasks(self._tasks)
