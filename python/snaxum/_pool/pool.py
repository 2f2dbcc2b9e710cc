"""The process pool: a `ProcessPoolExecutor` to its users, with one thread for each process.

Owns the worker processes. No thread waits for one that is starting: a worker takes its first task
when it has loaded the framework, and one that never gets there takes none with it. The pool of the
standard library breaks for good when one worker dies, and loses all other tasks with it; here only
the task of the dead worker is lost, and a new worker replaces it. The thread that submits a task
writes it to the worker's pipe, and the worker's thread reads the reply: the standard library has
two more threads in between. Tasks travel by module and name (`task`). In dev mode, the lines that
they print come with their replies (`output`). Never matches a route.
"""

from __future__ import annotations

import logging
import pickle
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import CancelledError, Future, InvalidStateError
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from .._debug.output import OnLine
from .._runtime import forks, generations
from . import output
from .events import MAX_EXITS, WorkerExit, to_event
from .executor import PoolUnavailable, TaskPool, died, shut_down
from .process import NotStarted, WorkerProcess, resident_bytes
from .sending import send_large
from .task import Task, load_reply

if TYPE_CHECKING:
    from .._runtime.child_imports import Framework
    from .._runtime.generations import Generation

_log = logging.getLogger("snaxum.pool")

# After so many workers in a row that did not start, tasks fail until one has started.
MAX_NOT_STARTED = 5
# How long until another start is tried then.
RETRY_S = 1.0
# How many workers a task is sent to, if they die before they have read it.
MAX_TRIES = 3


class Pool(TaskPool):
    """The pool of local processes."""

    # Whether a worker that dies while it is idle is replaced before the next task.
    _replaces_idle = False

    def __init__(
        self,
        workers: int,
        framework: Framework,
        roots: Sequence[str],
        project: str,
        secret_names: Sequence[str] = (),
        on_line: OnLine | None = None,
        raw_output: bool = False,
        on_event: Callable[[bytes], None] | None = None,
        retries: int = 0,
    ) -> None:
        """Make a pool without workers; `on_event` receives their changes.

        `on_line` receives the lines that tasks print, with the values of `secret_names` masked too.
        A task whose worker dies runs again at most `retries` times.
        """
        self._size = workers
        self._retries = retries
        self._on_line = on_line
        self._on_event = on_event
        sources, compiled = framework
        self._boot = {
            "sources": sources,
            "compiled": compiled,
            "roots": list(roots),
            "project": project,
            "secret_names": list(secret_names),
            "raw_output": raw_output if on_line is not None else None,
        }
        self._lock = threading.Lock()
        self._workers: list[WorkerProcess] = []
        self._starting = 0
        self._idle: list[WorkerProcess] = []
        self._waiting: deque[Task] = deque()
        self._done = self._failed = self._replaced = 0
        self._exits: deque[WorkerExit] = deque(maxlen=MAX_EXITS)
        # Workers that died and have no successor yet.
        self._unreplaced: deque[WorkerExit] = deque()
        # How many workers in a row did not start, and when the newest did not.
        self._not_started = 0
        self._not_started_at = 0.0
        # Why no worker starts, once `MAX_NOT_STARTED` in a row did not.
        self._problem: str | None = None
        self._closed = False
        forks.call_in_child(self._close_in_child)

    def run(self, task: Task) -> Future[Any]:
        with self._lock:
            if self._closed:
                raise RuntimeError("the server is shutting down; the pool takes no more tasks")
            worker = self._idle.pop() if self._idle else None
            # From time to time, a request tries whether workers start again.
            is_pause = time.monotonic() - self._not_started_at < RETRY_S and not self._starting
            problem = self._problem if is_pause else None
            if worker is None and problem is None:
                self._waiting.append(task)
                self._add_workers()
        if worker is not None and not worker.has_room(task, self._generation_of(task)):
            send_large(partial(self._run_on, worker, task))
        elif worker is not None:
            self._run_on(worker, task)
        elif problem is not None:
            raise PoolUnavailable(problem)
        return task.future

    def warm_up(self) -> None:
        with self._lock:
            while len(self._workers) < self._size and not self._closed and self._add_worker():
                pass

    def close(self, timeout: float) -> None:
        with self._lock:
            self._closed = True
            waiting, self._waiting = list(self._waiting), deque()
            workers = list(self._workers)
        forks.forget(self._close_in_child)
        for task in waiting:
            if not task.future.cancel():  # its first worker died
                self._finish(task, None, shut_down())
        running = [worker.task for worker in workers]
        self.kill_tasks(task for task in running if task is not None and task.is_given_up)
        deadline = time.monotonic() + timeout
        for worker in workers:
            if worker.is_ready:
                worker.stop(deadline)
            else:
                worker.kill()
        for worker in workers:
            worker.thread.join(max(0.0, deadline - time.monotonic()))
        for worker in workers:
            worker.kill()
        for worker in workers:
            worker.thread.join(2.0)

    def _close_in_child(self) -> None:
        for worker in self._workers:
            worker.close_in_child()

    def kill_tasks(self, tasks: Iterable[Task]) -> None:
        for task in tasks:
            if not task.future.done():
                self.kill_task(task.future)

    def kill_task(self, future: Future[Any]) -> None:
        """Kill the worker that runs the task of `future`, if one does; another replaces it."""
        with self._lock:
            running = [w for w in self._workers if w.task and w.task.future is future]
            # It waits again if its first worker died.
            waiting = [task for task in self._waiting if task.future is future]
            for task in waiting:
                self._waiting.remove(task)
        for task in waiting:
            self._finish(task, None, CancelledError())
        for worker in running:
            worker.kill_task(future)

    @property
    def is_closed(self) -> bool:
        return self._closed

    def status(self) -> dict[str, Any]:
        serving, now = generations.current().number, time.monotonic()
        with self._lock:
            rows = [w.status(serving, now) for w in self._workers]
            status = {
                "size": self._size,
                "workers": rows,
                "busy": sum(row["busy"] for row in rows),
                "waiting": len(self._waiting),
                "done": self._done,
                "failed": self._failed,
                "replaced": self._replaced,
                "exits": [asdict(each) for each in self._exits],
            }
        for row in rows:
            row["rss_bytes"] = resident_bytes(row["pid"])
        return status

    def _add_workers(self) -> None:
        """Start a worker for each waiting task that has none, up to the size of the pool."""
        most = 1 if self._problem is not None else len(self._waiting)
        while self._starting < min(most, len(self._waiting)) and len(self._workers) < self._size:
            if not self._add_worker():
                return

    def _add_worker(self) -> bool:
        replaced = self._unreplaced.popleft() if self._unreplaced else None
        has_output, device = self._on_line is not None, self._next_device()
        boot = pickle.dumps({**self._boot, "device": device}, pickle.HIGHEST_PROTOCOL)
        try:
            worker = WorkerProcess(boot, has_output, self._serve, replaced, device)
        except RuntimeError:
            _log.exception("no thread for a pool worker; the next task tries again")
            return False
        self._workers.append(worker)
        self._starting += 1
        return True

    def _next_device(self) -> int | None:
        """Return the number of the next worker, if they have numbers."""
        return None

    def _prepare(self, worker: WorkerProcess) -> None:
        """Do what a new worker needs before its first task. Raises NotStarted."""

    def _on_launch(self, worker: WorkerProcess) -> None:
        """Record that a worker has a process id."""
        replaced = worker.replaces
        if replaced is not None:
            with self._lock:
                replaced.successor = worker.pid
        self._notify("started", worker, replaces=replaced.pid if replaced else None)

    def _notify(self, change: str, worker: WorkerProcess, **details: object) -> None:
        if self._on_event is not None:
            self._on_event(to_event(change, worker.pid, **details))

    def _serve(self, worker: WorkerProcess) -> None:
        """Start a worker and give it one task after the other, until its process ends."""
        try:
            worker.start(self._on_launch)
            self._prepare(worker)
        except NotStarted as error:
            self._on_not_started(worker, *error.args)
            return
        with self._lock:
            self._starting -= 1
            self._not_started, self._problem = 0, None
            self._replaced += worker.replaces is not None
        self._on_started(worker)
        self._run_on(worker, self._next_for(worker))
        self._read_replies(worker)
        task, has_read = worker.join(kill=not self._closed)
        if task is not None and self._may_run_again(task, worker, has_read=has_read):
            lost, again = None, task
        else:
            lost, again = task, None
        name = task.name if task is not None and has_read else lost.name if lost else None
        with self._lock:
            self._remove(worker)
            closed = self._closed
            if not closed:
                exit_record = worker.exit_record(name)
                self._exits.append(exit_record)
                self._unreplaced.append(exit_record)
                if again is not None:
                    self._waiting.appendleft(again)
        if not closed:
            how = {"exit_code": worker.exit_code, "was_killed": worker.was_killed}
            self._notify("died", worker, task=name, **how)
        if lost is not None:
            _log.error("a pool worker died while it ran %s; replaced", name)
            self._finish(lost, None, shut_down() if closed else died(lost.name))
        with self._lock:
            if not self._closed:
                self._add_workers()
                if (lost is not None or self._replaces_idle) and len(self._workers) < self._size:
                    self._add_worker()

    def _may_run_again(self, task: Task, worker: WorkerProcess, *, has_read: bool) -> bool:
        """Report whether a task runs again after its worker has died; `has_read`: it had begun."""
        if self._closed or task.is_given_up:
            return False
        if not has_read:
            return task.tries < MAX_TRIES
        task.losses += 1
        task.tries = 1
        return task.losses <= self._retries and not worker.was_killed

    def _on_started(self, worker: WorkerProcess) -> None:
        """Do nothing: a worker takes tasks now."""

    def _on_not_started(self, worker: WorkerProcess, how: str, printed: str) -> None:
        """Start another worker, or give up for now and fail the waiting tasks."""
        failed: list[Task] = []
        with self._lock:
            self._remove(worker)
            self._starting -= 1
            if self._closed:
                return
            self._not_started += 1
            self._not_started_at = time.monotonic()
            if worker.replaces is not None:
                self._unreplaced.append(worker.replaces)
            if self._not_started < MAX_NOT_STARTED:
                self._add_worker()
            else:
                problem = f"{self._not_started} pool workers in a row could not start: {how}"
                is_dev = self._on_line is not None  # a client of `serve` learns no more than that
                self._problem = f"{problem}\n{printed}" if is_dev and printed else problem
                failed, self._waiting = list(self._waiting), deque()
        _log.error("a pool worker could not start: %s%s", how, f"\n{printed}" if printed else "")
        if worker.pid is not None:
            details = {"exit_code": worker.exit_code, "was_killed": worker.was_killed}
            self._notify("died", worker, task=None, **details)
        for task in failed:
            self._finish(task, None, PoolUnavailable(self._problem or how))

    def _remove(self, worker: WorkerProcess) -> None:
        for workers in (self._workers, self._idle):
            if worker in workers:
                workers.remove(worker)

    def _run_on(self, worker: WorkerProcess, task: Task | None) -> None:
        """Give a free worker `task`, or the next that can be started, or make it idle."""
        while task is not None:
            if task.tries or task.future.set_running_or_notify_cancel():
                task.tries += 1
                try:
                    if not self._send(worker, task):
                        self._run_again(task)
                    return
                except Exception as error:  # the update of the code cannot be pickled
                    self._finish(task, None, error)
            task = self._next_for(worker)

    def _run_again(self, task: Task) -> None:
        """Run a task on another worker: its own died before it got the task."""
        with self._lock:
            closed = self._closed
            if not closed and task.tries < MAX_TRIES and not task.is_given_up:
                self._waiting.appendleft(task)
                self._add_workers()
                return
        self._finish(task, None, shut_down() if closed else died(task.name))

    def _send(self, worker: WorkerProcess, task: Task) -> bool:
        before, sent = worker.generation, worker.send(task, self._generation_of(task))
        if sent and worker.generation != before:
            self._notify("updated", worker, generation=worker.generation)
        return sent

    def _generation_of(self, task: Task) -> Generation:
        """Return the generation whose code a worker has for `task`: the newest."""
        return generations.current()

    def _next_for(self, worker: WorkerProcess) -> Task | None:
        """Take the task that has waited longest; without one, the worker becomes idle."""
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._idle.append(worker)
            return None

    def _read_replies(self, worker: WorkerProcess) -> None:
        """Read the replies of a worker and give it the next tasks, until its process ends."""
        while (reply := self._receive(worker)) is not None:
            task = worker.take_task()
            if task is not None:
                task.end(worker.task_since)
                self._finish(task, *load_reply(reply, self._generation_of(task)), worker)
            del reply, task  # they may be large
            self._run_on(worker, self._next_for(worker))

    def _receive(self, worker: WorkerProcess) -> bytes | None:
        """Wait for the next reply, and pass on the lines before it; None at the process's end."""
        while (reply := worker.receive()) is not None:
            lines = None if self._on_line is None else output.read(reply)
            if lines is None or self._on_line is None:
                return reply
            task = worker.task
            request = task.request if task else None
            for is_of_task, stream, line in lines:
                self._on_line(request if is_of_task else None, stream, line, False)
        return None

    def _finish(
        self,
        task: Task,
        result: Any,
        error: BaseException | None,
        worker: WorkerProcess | None = None,
    ) -> None:
        with self._lock:
            self._done += 1
            self._failed += error is not None
            if worker is not None:
                worker.done += 1
                worker.failed += error is not None
        try:
            if error is None:
                task.future.set_result(result)
            else:
                task.future.set_exception(error)
        except InvalidStateError:
            pass  # the user's code has set it
