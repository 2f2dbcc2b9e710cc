"""The process pool: a `ProcessPoolExecutor` to its users, a process and a thread a worker.

Owns the worker processes. A plain executor breaks for good when one worker dies, and takes every
other task along; here each worker stands alone, so only the task it ran is lost, and a new worker
takes its place. A task is written to its worker's pipe by the thread that submits it, and the
answer read by the worker's own: a plain executor has two more threads on that way. Tasks travel by
module and name (`_task`). In dev mode what they print comes with their answers (`_lines`). Never
matches a route.
"""

from __future__ import annotations

import logging
import multiprocessing
import pickle
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import resource_tracker
from typing import Any

from .._debug import output as debug_output
from .._reload.model import Source
from .._runtime import generations, leases
from . import output
from . import worker as worker_side
from .events import LOSSES_KEPT, Loss, event
from .task import Task, load_answer

_log = logging.getLogger("snaxum.pool")

# The framework's files as text, and as the build has compiled them.
Framework = tuple[dict[str, str], bytes]


class Pool(ProcessPoolExecutor):
    """The server's pool; a handler gets a `RequestPool` on it.

    `submit` and `map` are those of `concurrent.futures.ProcessPoolExecutor`. The pool belongs to
    the server: `shutdown` and leaving a `with` block do nothing to it.
    """

    def __init__(
        self,
        workers: int,
        framework: Framework,
        roots: Sequence[str],
        project: str,
        secret_names: Sequence[str] = (),
        prints: tuple[debug_output.Tell, bool] | None = None,
        happened: Callable[[bytes], None] | None = None,
    ) -> None:
        """Make a pool without workers.

        With `prints`, what tasks print is told to the first, and passed on raw or not; what
        `secret_names` name besides is masked in what is told. `happened` hears of workers.
        """
        # Not super().__init__(): nothing of a plain executor runs.
        self._size = workers
        self._tell = prints[0] if prints else None
        self._happened = happened
        sources, compiled = framework
        self._boot = {
            "sources": sources,
            "compiled": compiled,
            "roots": list(roots),
            "project": project,
            "secret_names": list(secret_names),
            "raw_output": prints[1] if prints else None,
        }
        self._lock = threading.Lock()
        self._workers: list[_Worker] = []
        self._idle: list[_Worker] = []
        self._waiting: deque[Task] = deque()
        self._done = self._failed = self._replaced = 0
        self._losses: deque[Loss] = deque(maxlen=LOSSES_KEPT)
        self._closed = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run `fn(*args, **kwargs)` in a worker, on the newest code; returns a `Future`.

        Raises TypeError for a function that a worker could not find by name.
        """
        return self.take(Task(fn, args, kwargs, leases.request_id()))

    def take(self, task: Task) -> Future[Any]:
        """Run `task`; returns its future."""
        with self._lock:
            if self._closed:
                raise RuntimeError("the server is shutting down; the pool takes no more tasks")
            worker = self._idle.pop() if self._idle else None
            if worker is None and len(self._workers) < self._size:
                worker = self._add_worker()
            if worker is None:
                self._waiting.append(task)
        if worker is not None:
            self._run(worker, task)
        return task.future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Do nothing: the pool is the server's, and outlives every handler."""

    def for_request(self, request: int, grace: float) -> RequestPool:
        """Give a handler its view of the pool."""
        return RequestPool(self, request, grace)

    def warm_up(self) -> None:
        """Start all workers now, in the background."""
        with self._lock:
            while len(self._workers) < self._size and not self._closed:
                self._idle.append(self._add_worker())

    def close(self, timeout: float) -> None:
        """Finish what runs, cancel what waits, and end the workers; killed after `timeout` s."""
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
        """End the worker that runs the task of `future`, if one does; it is replaced."""
        with self._lock:
            running = [w for w in self._workers if w.task and w.task.future is future]
        for worker in running:
            worker.kill_task(future)

    def _add_worker(self, dead: _Worker | None = None) -> _Worker:
        worker = _Worker(self._boot, self._listen)
        self._workers.append(worker)
        self._report("started", worker, replaces=dead.process.pid if dead else None)
        return worker

    def _report(self, change: str, worker: _Worker, **about: object) -> None:
        if self._happened is not None:
            self._happened(event(change, worker.process.pid, **about))

    def _run(self, worker: _Worker, task: Task | None) -> None:
        """Give a free worker `task`, or the next that can be started, or let it rest."""
        while task is not None:
            if task.future.set_running_or_notify_cancel():
                try:
                    if not self._send(worker, task):
                        # One that died while it had nothing to do costs nobody anything.
                        worker = self._replace(worker)
                        if not self._send(worker, task):
                            raise _died(task)
                    return
                except Exception as error:  # the server is closing, or out of processes
                    task.future.set_exception(error)
            task = self._next_for(worker)

    def _send(self, worker: _Worker, task: Task) -> bool:
        before, sent = worker.generation, worker.send(task, generations.current())
        if sent and worker.generation != before:
            self._report("updated", worker, generation=worker.generation)
        return sent

    def _next_for(self, worker: _Worker) -> Task | None:
        """Take the task that waits longest; without one, the worker is idle from now on."""
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._idle.append(worker)
            return None

    def _listen(self, worker: _Worker) -> None:
        """Pass on what a worker answers, to its end."""
        while (answer := worker.receive()) is not None:
            if self._tell is not None and (lines := output.read(answer)) is not None:
                told = worker.task
                request = told.request if told else None
                for is_of_task, stream, line in lines:
                    self._tell(request if is_of_task else None, stream, line, False)
                continue
            task = worker.take_task()
            if task is not None:
                task.end(worker.task_since)
                self._finish(task, *load_answer(answer), worker)
            del answer, task  # which may be large
            self._run(worker, self._next_for(worker))
        task = worker.lose(kill=not self._closed)
        if not self._closed:
            how = {"exit_code": worker.process.exitcode, "was_killed": worker.was_killed}
            self._report("died", worker, task=task.name if task else None, **how)
        if task is None:
            return  # the next task that it is to run finds it dead
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
        self._run(worker, self._next_for(worker))

    def _finish(
        self, task: Task, result: Any, error: BaseException | None, worker: _Worker | None = None
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
            pass  # somebody else has set it

    def _replace(self, dead: _Worker, task: str | None = None) -> _Worker:
        with self._lock:
            if self._closed:
                raise RuntimeError("the server is shutting down; the pool takes no more tasks")
            fresh = self._add_worker(dead)
            self._workers.remove(dead)
            self._replaced += 1
            self._losses.append(dead.loss(task, fresh))
        return fresh


class RequestPool(ProcessPoolExecutor):
    """The pool as one request sees it: what it submitted ends with it.

    A request that is given up (its client went, or its time is over) cancels what waits; what runs
    may go on for `grace` s, and is then killed, so that hanging tasks do not use the workers up.
    """

    def __init__(self, pool: Pool, request: int, grace: float) -> None:
        # Not super().__init__(): everything is passed on.
        self._pool = pool
        self._request = request
        self._grace = grace
        self._tasks: list[Task] = []
        self._given_up = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run `fn(*args, **kwargs)` in a worker, on the newest code; returns a `Future`."""
        if self._given_up:
            raise RuntimeError("nobody waits for this request any more; it gets no more tasks")
        task = Task(fn, args, kwargs, self._request)
        self._tasks.append(task)
        return self._pool.take(task)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Do nothing: the pool is the server's, and outlives every handler."""

    def give_up(self) -> None:
        """Cancel what waits now, and kill what still runs after the grace time."""
        self._given_up = True
        futures = [task.future for task in self._tasks]
        if any(not future.cancel() and not future.done() for future in futures):
            killer = threading.Timer(self._grace, self._kill)
            killer.daemon = True
            killer.start()

    def times(self) -> tuple[int, float, float]:
        """Tell of the tasks that have ended: how many, how long they waited, and ran, in s."""
        ended = [task for task in self._tasks if task.ran_s]
        return len(ended), sum(t.waited_s for t in ended), sum(t.ran_s for t in ended)

    def _kill(self) -> None:
        for task in self._tasks:
            if not task.future.done():
                self._pool.kill_task(task.future)


class _Worker:
    """A process, the pipes to it, and the thread that listens to it."""

    def __init__(self, boot: dict[str, Any], listen: Callable[[_Worker], None]) -> None:
        self.task: Task | None = None
        self.task_since = 0.0
        self.done = self.failed = 0
        self.was_killed = False
        self._sending = threading.Lock()
        # Who gives it a task, takes the task from it, or kills it for the task.
        self._changing = threading.Lock()
        # What it was given last; 0 before its first task.
        self.generation = 0
        self._sources: dict[str, Source] = {}
        # Never `fork`: the server has threads, and tokio's would be copied half-alive.
        context = multiprocessing.get_context("spawn")
        calls, self._calls = context.Pipe(duplex=False)
        # Lines need what only a socket can: to send some and not to wait.
        self._answers, answers = context.Pipe(duplex=boot["raw_output"] is not None)
        names = {**boot, "calls": calls, "answers": answers}
        self.process = context.Process(target=exec, args=(worker_side.BOOT, names))
        resource_tracker.ensure_running()  # it unblocks SIGINT when it starts
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:  # the process inherits the mask, until it ignores SIGINT
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        self.pid = self.process.pid
        # With the process's ends in no other hands, they close when it ends.
        calls.close()
        answers.close()
        self.thread = threading.Thread(
            target=listen, args=(self,), name="snaxum-worker", daemon=True
        )
        self.thread.start()

    def send(self, task: Task, generation: generations.Generation) -> bool:
        """Send a task, with what has changed in the code since the last; False to a dead one."""
        message = task.payload
        if generation.number != self.generation and generation.sources is not None:
            sources = generation.sources.all()
            changed = {
                path: source.content
                for path, source in sources.items()
                if self._sources.get(path) is not source
            }
            gone = [path for path in self._sources if path not in sources]
            fed = _fed_since(self.generation, generation)
            news = (generation.number, changed, gone, fed, generation.variables)
            message = pickle.dumps((worker_side.run_after, (news, message), {}))
            self.generation, self._sources = generation.number, sources
        with self._sending:
            with self._changing:
                if self.was_killed:
                    return False
                self.task, self.task_since = task, time.monotonic()
            try:
                self._calls.send_bytes(message)
            except OSError:
                self.take_task()
                return False
        return True

    def take_task(self) -> Task | None:
        """Give the task that it runs, and note that it runs none."""
        with self._changing:
            task, self.task = self.task, None
        return task

    def receive(self) -> bytes | None:
        """Wait for the next answer; None at the end of the process."""
        try:
            return self._answers.recv_bytes()
        except (EOFError, OSError):
            return None

    def stop(self, deadline: float) -> None:
        """Let it end once it has nothing to do."""
        if self._sending.acquire(timeout=max(0.0, deadline - time.monotonic())):
            self._calls.close()
            self._sending.release()

    def lose(self, *, kill: bool) -> Task | None:
        """Wait for the end of a process that answers no more; returns the task that is lost."""
        if kill:
            self.kill()
        self.process.join()
        self.pid = None
        with self._sending:
            self._calls.close()
            return self.take_task()

    def kill_task(self, future: Future[Any]) -> None:
        """End it if it is the task of `future` that it runs."""
        with self._changing:
            if self.task is not None and self.task.future is future:
                self.was_killed = True
                self.kill()

    def kill(self) -> None:
        self.process.kill()

    def loss(self, task: str | None, successor: _Worker) -> Loss:
        """Tell of its end, and of the one in its place."""
        process, now_ms = self.process, time.time_ns() // 1_000_000
        return Loss(now_ms, process.pid, task, process.exitcode, self.was_killed, successor.pid)


def _fed_since(number: int, generation: generations.Generation) -> list[str]:
    """Name the modules that have run again since, whether or not their own text changed."""
    return [name for name, ran in generation.ran.items() if ran > number]


def _died(task: Task) -> BrokenProcessPool:
    return BrokenProcessPool(f"the pool worker that ran {task.name} died; it is replaced")
