"""The workers of one handler: processes of its own, with what its warm-up has loaded.

Owns their start, one after the other, and the calls of the handler in them. A worker that dies is
replaced by one with its number, after a warm-up. The rest is as in the pool of all handlers
(`pool`). Never collects a batch (`_runtime.batches`).
"""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Any

from .._core.handlers import where
from . import handler_calls
from .launch import describe_end
from .pool import Pool
from .process import NotStarted, WorkerProcess
from .task import Task, load, load_reply
from .timers import timers

if TYPE_CHECKING:
    from .._core.served_handlers import ServedHandler
    from .._runtime.generations import Generation

# The most time for a warm-up: a large model comes from a slow disk.
WARM_UP_TIMEOUT_S = 600.0


class WorkerFailed(RuntimeError):
    """A worker of a handler could not start."""


class HandlerPool(Pool):
    """The processes of one handler."""

    _replaces_idle = True

    def __init__(self, served: ServedHandler, *options: Any) -> None:
        """Make a pool without workers; `options` are the arguments of `Pool` after their number."""
        assert served.workers is not None, "only such a handler has a pool"
        super().__init__(served.workers, *options)
        self._served = served
        self.handler_name = served.name
        # The newest generation with the handler.
        self._generation: Generation | None = None
        # While the first workers start: the error of each, or None.
        self._outcomes: queue.SimpleQueue[BaseException | None] | None = None

    def start(self, generation: Generation) -> None:
        """Start the workers on `generation`, one after the other; return once all are warm.

        Raises what a warm-up raises, and WorkerFailed for a process that ends.
        """
        self._generation = generation
        outcomes = self._outcomes = queue.SimpleQueue[BaseException | None]()
        for _ in range(self._size):
            with self._lock:
                has_begun = not self._closed and self._add_worker()
            if not has_begun:
                raise WorkerFailed(f"no worker of {self._place} could start; see the log")
            error = outcomes.get()
            if error is not None:
                raise error
        self._outcomes = None

    def follow(self, generation: Generation) -> None:
        """Give the workers the other modules of `generation`: the handler is the same."""
        self._generation = generation

    def task_for(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], count: int | None, request: int
    ) -> Task:
        """Make a call of the handler for `count` requests; None for one, without lists."""
        handler = self._served.handler
        task = Task(handler_calls.call, (handler, args, kwargs, count), {}, request)
        task.name = self.handler_name
        return task

    def results_of(self, task: Task) -> list[Any]:
        """Run a task of `task_for`, and wait for the results."""
        results: list[Any] = load(self.run(task).result(), self._generation)
        return results

    @property
    def _place(self) -> str:
        return f"{self.handler_name} ({where(self._served.handler)})"

    def _generation_of(self, task: Task) -> Generation:
        assert self._generation is not None, "`start` has set it"
        return self._generation

    def _next_device(self) -> int:
        taken = {worker.device for worker in self._workers}
        return next(number for number in range(self._size + 1) if number not in taken)

    def _prepare(self, worker: WorkerProcess) -> None:
        served, error = self._served, None
        late = threading.Event()

        def kill_late() -> None:
            late.set()
            worker.kill()

        limit = timers.start(WARM_UP_TIMEOUT_S, kill_late)
        try:
            task = Task(handler_calls.warm_up, (served.handler, served.warm_up), {}, None)
            task.name = f"the warm-up of {self.handler_name}"
            reply = self._receive(worker) if self._send(worker, task) else None
            if reply is not None:
                _, error = load_reply(reply, self._generation)
                if error is None:
                    return
        except Exception as raised:  # a warm-up, or changes of the code, that cannot be pickled
            error = raised
        finally:
            limit.cancel()
            worker.take_task()
        if error is not None:
            worker.kill()
        worker.join(kill=True)
        how = describe_end(worker.exit_code)
        if error is not None:
            how = f"its warm-up raised {type(error).__name__}: {error}"
        elif late.is_set():
            how = f"its warm-up has not ended within {WARM_UP_TIMEOUT_S:g} s; load less"
        raise _NotWarm(how, "", error)

    def _on_started(self, worker: WorkerProcess) -> None:
        if self._outcomes is not None:
            self._outcomes.put(None)

    def _on_not_started(
        self, worker: WorkerProcess, how: str, printed: str, error: BaseException | None = None
    ) -> None:
        outcomes = self._outcomes
        if outcomes is None:
            super()._on_not_started(worker, how, printed)
            return
        with self._lock:
            self._remove(worker)
            self._starting -= 1
        more = f"\n{printed}" if printed else ""
        failed = WorkerFailed(f"a worker of {self._place} could not start: {how}{more}")
        outcomes.put(error or failed)


class _NotWarm(NotStarted):
    """The third argument is the exception of the warm-up."""
