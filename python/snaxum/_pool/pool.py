"""The process pool: a `ProcessPoolExecutor` to its users, with one thread for each process.

Owns the worker processes. The pool of the standard library breaks for good when one worker dies,
and loses every other task with it; here only the task of the dead worker is lost, and a new worker
replaces it. The thread that submits a task writes it to the worker's pipe, and the worker's thread
reads the reply: the standard library has two more threads in between. Tasks travel by module and
name (`task`). In dev mode, the lines that they print come with their replies (`output`). Never
matches a route.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, InvalidStateError, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict
from functools import partial
from itertools import chain, islice
from typing import Any

from .._debug.output import OnLine
from .._runtime import generations, leases
from . import output
from .events import MAX_EXITS, WorkerExit, to_event
from .process import WorkerProcess, resident_bytes
from .task import Task, load_reply
from .worker import call_each

_log = logging.getLogger("snaxum.pool")

# The framework's files as text, and as compiled by the build.
Framework = tuple[dict[str, str], bytes]


class ServerExecutor(Executor):
    """An executor that belongs to the server: neither `shutdown` nor a `with` block ends it."""

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """Pass `isinstance(pool, ProcessPoolExecutor)`, which annotations and libraries rely on.

        A subclass would have to run its `__init__`, which makes queues, pipes and threads that are
        not used here, or skip it, and break with the next change of the standard library. It is not
        an ABC, so it registers no virtual subclass. `unittest.mock` uses the same property.
        """
        return ProcessPoolExecutor

    def map(
        self,
        fn: Callable[..., Any],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
    ) -> Iterator[Any]:
        """Like `map(fn, *iterables)`, in the workers, with `chunksize` calls a task."""
        if chunksize < 1:
            raise ValueError("chunksize must be >= 1.")
        calls = zip(*iterables)
        chunks = iter(lambda: list(islice(calls, chunksize)), [])
        results = super().map(partial(call_each, fn), chunks, timeout=timeout)
        return chain.from_iterable(results)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Do nothing: the pool is the server's, and outlives every handler."""


class Pool(ServerExecutor):
    """The server's pool; a handler gets a `RequestPool` on it.

    `submit` and `map` work as in `concurrent.futures.ProcessPoolExecutor`.
    """

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
    ) -> None:
        """Make a pool without workers.

        `on_line` receives the lines that tasks print, with the values of `secret_names` masked too;
        `on_event` receives the changes of the workers.
        """
        self._size = workers
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
        self._idle: list[WorkerProcess] = []
        self._waiting: deque[Task] = deque()
        self._done = self._failed = self._replaced = 0
        self._exits: deque[WorkerExit] = deque(maxlen=MAX_EXITS)
        self._closed = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run `fn(*args, **kwargs)` in a worker, on the newest code; return a `Future`.

        Raises TypeError for a function that a worker could not find by name.
        """
        return self.run(Task(fn, args, kwargs, leases.request_id()))

    def run(self, task: Task) -> Future[Any]:
        """Run `task` once a worker is free; return its future."""
        with self._lock:
            if self._closed:
                raise RuntimeError("the server is shutting down; the pool takes no more tasks")
            worker = self._idle.pop() if self._idle else None
            if worker is None and len(self._workers) < self._size:
                worker = self._add_worker()
            if worker is None:
                self._waiting.append(task)
        if worker is not None:
            self._run_on(worker, task)
        return task.future

    def for_request(self, request: int, grace: float) -> RequestPool:
        """Return a handler's view of the pool."""
        return RequestPool(self, request, grace)

    def warm_up(self) -> None:
        """Start all workers now, in the background."""
        with self._lock:
            while len(self._workers) < self._size and not self._closed:
                self._idle.append(self._add_worker())

    def close(self, timeout: float) -> None:
        """Finish the running tasks, cancel the others, and end the workers within `timeout` s."""
        with self._lock:
            self._closed = True
            waiting, self._waiting = list(self._waiting), deque()
            workers = list(self._workers)
        for task in waiting:
            task.future.cancel()
        deadline = time.monotonic() + timeout
        for worker in workers:
            worker.stop(deadline)
        for worker in workers:
            worker.thread.join(max(0.0, deadline - time.monotonic()))
        for worker in workers:
            worker.kill()
        for worker in workers:
            worker.thread.join(2.0)

    def kill_task(self, future: Future[Any]) -> None:
        """Kill the worker that runs the task of `future`, if one does; another replaces it."""
        with self._lock:
            running = [w for w in self._workers if w.task and w.task.future is future]
        for worker in running:
            worker.kill_task(future)

    def status(self) -> dict[str, Any]:
        """Describe the pool for the console: its workers, its tasks, and the newest exits."""
        serving, now = generations.current().number, time.monotonic()
        with self._lock:
            idle = set(map(id, self._idle))
            rows = [w.status(serving, now, busy=id(w) not in idle) for w in self._workers]
            status = {
                "size": self._size,
                "workers": rows,
                "busy": len(rows) - len(idle),
                "waiting": len(self._waiting),
                "done": self._done,
                "failed": self._failed,
                "replaced": self._replaced,
                "exits": [asdict(each) for each in self._exits],
            }
        for row in rows:
            row["rss_bytes"] = resident_bytes(row["pid"])
        return status

    def _add_worker(self, dead: WorkerProcess | None = None) -> WorkerProcess:
        worker = WorkerProcess(self._boot, self._read_replies)
        self._workers.append(worker)
        self._notify("started", worker, replaces=dead.process.pid if dead else None)
        return worker

    def _notify(self, change: str, worker: WorkerProcess, **details: object) -> None:
        if self._on_event is not None:
            self._on_event(to_event(change, worker.process.pid, **details))

    def _run_on(self, worker: WorkerProcess, task: Task | None) -> None:
        """Give a free worker `task`, or the next that can be started, or make it idle."""
        while task is not None:
            if task.future.set_running_or_notify_cancel():
                try:
                    if not self._send(worker, task):
                        # A worker that died while it was idle has lost no task.
                        worker = self._replace(worker)
                        if not self._send(worker, task):
                            raise _died(task)
                    return
                except Exception as error:  # the server is closing, or out of processes
                    task.future.set_exception(error)
            task = self._next_for(worker)

    def _send(self, worker: WorkerProcess, task: Task) -> bool:
        before, sent = worker.generation, worker.send(task, generations.current())
        if sent and worker.generation != before:
            self._notify("updated", worker, generation=worker.generation)
        return sent

    def _next_for(self, worker: WorkerProcess) -> Task | None:
        """Take the task that has waited longest; without one, the worker becomes idle."""
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._idle.append(worker)
            return None

    def _read_replies(self, worker: WorkerProcess) -> None:
        """Read the replies of a worker and give it the next tasks, until its process ends."""
        while (reply := worker.receive()) is not None:
            if self._on_line is not None and (lines := output.read(reply)) is not None:
                task = worker.task
                request = task.request if task else None
                for is_of_task, stream, line in lines:
                    self._on_line(request if is_of_task else None, stream, line, False)
                continue
            task = worker.take_task()
            if task is not None:
                task.end(worker.task_since)
                self._finish(task, *load_reply(reply), worker)
            del reply, task  # they may be large
            self._run_on(worker, self._next_for(worker))
        task = worker.join(kill=not self._closed)
        if not self._closed:
            how = {"exit_code": worker.process.exitcode, "was_killed": worker.was_killed}
            self._notify("died", worker, task=task.name if task else None, **how)
        if task is None:
            return  # its next task replaces it
        if self._closed:
            self._finish(task, None, RuntimeError("the server shut down before the task ended"))
            return
        _log.error("a pool worker died while it ran %s; replaced", task.name)
        self._finish(task, None, _died(task))
        name = task.name
        del task
        try:
            worker = self._replace(worker, name)
        except (OSError, RuntimeError):
            pass  # the server is closing, or out of processes: a later task tries again
        self._run_on(worker, self._next_for(worker))

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

    def _replace(self, dead: WorkerProcess, task: str | None = None) -> WorkerProcess:
        with self._lock:
            if self._closed:
                raise RuntimeError("the server is shutting down; the pool takes no more tasks")
            fresh = self._add_worker(dead)
            self._workers.remove(dead)
            self._replaced += 1
            self._exits.append(dead.exit_record(task, fresh))
        return fresh


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
        futures = [task.future for task in self._tasks]
        if any(not future.cancel() and not future.done() for future in futures):
            killer = threading.Timer(self._grace, self._kill)
            killer.daemon = True
            killer.start()

    def times(self) -> tuple[int, float, float]:
        """Return how many tasks have ended, how long they have waited, and have run, in s."""
        ended = [task for task in self._tasks if task.ran_s]
        return len(ended), sum(t.waited_s for t in ended), sum(t.ran_s for t in ended)

    def _kill(self) -> None:
        for task in self._tasks:
            if not task.future.done():
                self._pool.kill_task(task.future)


def _died(task: Task) -> BrokenProcessPool:
    return BrokenProcessPool(f"the pool worker that ran {task.name} died; it is replaced")
