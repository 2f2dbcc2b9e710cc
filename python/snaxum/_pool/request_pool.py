"""The pool as one request sees it: its tasks end with it.

Owns the tasks of a request. Never starts or ends a worker (`executor`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from .._host import Exchange
from .._runtime import trace_context
from .executor import ServerExecutor, TaskPool
from .task import Task
from .timers import timers

# How many tasks have ended, how long they have waited, and have run, in s.
Times = tuple[int, float, float]
# The name of a task, when it began (`time.monotonic`), and how long it ran, in s.
TaskTime = tuple[str, float, float]

# The tasks of a request that have a span each.
MAX_SPANS = 64


class RequestPool(ServerExecutor):
    """The pool as one request sees it: its tasks end with it.

    A cancelled request (its client is gone, or its time is over) cancels the tasks that wait. The
    running tasks have `grace` s to end; then they are killed, to free the workers.
    """

    def __init__(self, pool: TaskPool, request: int, grace: float) -> None:
        self._pool = pool
        self._request = request
        self._grace = grace
        # The tasks that have not ended, and the times of the others.
        self._tasks: dict[Future[Any], Task] = {}
        self._times: Times = (0, 0.0, 0.0)
        self._spans: list[TaskTime] = []
        self._lock = threading.Lock()
        self._is_cancelled = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run `fn(*args, **kwargs)` in a worker, on the newest code; return a `Future`."""
        task = Task(fn, args, kwargs, self._request)
        self._tasks[task.future] = task
        # In this order: `cancel` finds the task, or this function finds the request cancelled.
        if self._is_cancelled:
            raise RuntimeError("the request was cancelled; it cannot submit more tasks")
        # Its result may be large, and the request may continue for long.
        task.future.add_done_callback(self._forget)
        return self._pool.run(task)

    def cancel(self) -> None:
        """Cancel the waiting tasks now, and kill the running tasks after the grace time."""
        self._is_cancelled = True
        tasks = list(self._tasks.values())
        for task in tasks:
            task.is_given_up = True
        have_ended = [task.future.cancel() or task.future.done() for task in tasks]
        if all(have_ended):
            return
        if self._pool.is_closed:
            self._kill()
        else:
            timers.start(self._grace, self._kill)

    def times(self) -> Times:
        """Return how many tasks have ended, how long they have waited, and have run, in s."""
        with self._lock:
            times = self._times
            # The result of a task arrives a moment before the task is forgotten.
            for task in list(self._tasks.values()):
                times = _add(times, task)
        return times

    def report_to(self, exchange: Exchange) -> None:
        """Report the times of its tasks; with spans for the first ones, if requests have spans."""
        tasks, waited, ran = self.times()
        if not tasks:
            return
        spans: list[TaskTime] = []
        if trace_context.is_on:
            with self._lock:
                spans = self._spans.copy()
                spans += [task.span() for task in list(self._tasks.values()) if task.ran_s]
        now = time.monotonic()
        spans = [(name, now - began, ran_s) for name, began, ran_s in spans[:MAX_SPANS]]
        exchange.pooled(tasks, waited, ran, spans)

    def _forget(self, future: Future[Any]) -> None:
        """Drop a task that has ended, or was cancelled."""
        with self._lock:
            task = self._tasks.pop(future)
            self._times = _add(self._times, task)
            if trace_context.is_on and task.ran_s and len(self._spans) < MAX_SPANS:
                self._spans.append(task.span())

    def _kill(self) -> None:
        self._pool.kill_tasks(list(self._tasks.values()))


def _add(times: Times, task: Task) -> Times:
    count, waited, ran = times
    return (count + 1, waited + task.waited_s, ran + task.ran_s) if task.ran_s else times
