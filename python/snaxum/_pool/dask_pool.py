"""The pool on dask.distributed: the tasks of handlers run in the workers of a Dask cluster.

Owns the thread and the loop of the Dask client, and every task until its end. The thread connects,
and connects again after the scheduler was lost; meanwhile tasks fail with the reason. A task runs
on the code of the generation of its request, which a worker gets with the first task that needs it
(`dask_messages`). Dask gives the task of a dead worker to the next worker: `dask_worker` refuses to
begin it again, unless `retries` allow it. A thread of a Dask worker cannot be killed: a running
task of a cancelled request is interrupted, which works only while it runs Python code.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import CancelledError, Future, InvalidStateError
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from .._debug.output import OnLine
from .._runtime import generations, leases
from . import dask_messages
from .dask_connection import ClusterConnection, NotConnected, connect
from .dask_messages import Messages
from .dask_run import Run
from .dask_workers import DaskWorkers
from .events import MAX_EXITS, WorkerExit, to_event
from .executor import PoolUnavailable, TaskPool, died, shut_down
from .task import Task, load_reply

if TYPE_CHECKING:
    from .._runtime.child_imports import Framework

_log = logging.getLogger("snaxum.pool")

# How long until the next attempt to connect.
RETRY_S = 1.0
# How long the client, and a local cluster, may take to end after the tasks.
END_S = 1.0


class DaskPool(TaskPool):
    """The pool of a Dask cluster."""

    def __init__(
        self,
        address: str | None,
        workers: int,
        framework: Framework,
        roots: Sequence[str],
        project: str,
        secret_names: Sequence[str] = (),
        on_line: OnLine | None = None,
        on_event: Callable[[bytes], None] | None = None,
        retries: int = 0,
    ) -> None:
        """Make a pool that is not connected.

        `address` is `HOST:PORT` of the scheduler; None starts a local cluster of `workers`
        processes. The other parameters are as for `Pool`.
        """
        self._address = address
        self._size = workers
        self._messages = Messages(framework, roots, project)
        self._secret_names = list(secret_names)
        self._on_line = on_line
        self._on_event = on_event
        self._retries = retries
        self._lock = threading.Lock()
        # By the future of its task, each task that has not ended.
        self._runs: dict[Future[Any], Run] = {}
        self._done = self._failed = self._lost = 0
        self._exits: deque[WorkerExit] = deque(maxlen=MAX_EXITS)
        # Why there is no cluster, for clients; None while it connects for the first time.
        self._problem: str | None = None
        self._closed = False
        self._thread: threading.Thread | None = None
        self._workers = DaskWorkers()
        # Only in the thread of the loop.
        self._loop: asyncio.AbstractEventLoop
        self._closing = asyncio.Event()
        self._close_at = 0.0
        self._connection: ClusterConnection | None = None
        self._following: set[asyncio.Task[None]] = set()

    def run(self, task: Task) -> Future[Any]:
        run = Run(task, leases.for_caller() or generations.current(), self._retries)
        with self._lock:
            if self._closed:
                raise RuntimeError("the server is shutting down; the pool takes no more tasks")
            if self._problem is not None:
                raise PoolUnavailable(self._problem)
            self._runs[task.future] = run
            self._start()
        task.future.add_done_callback(self._on_done)
        self._call(partial(self._begin, run))
        return task.future

    def warm_up(self) -> None:
        with self._lock:
            if not self._closed:
                self._start()

    def kill_tasks(self, tasks: Iterable[Task]) -> None:
        for task in tasks:
            run = self._runs.get(task.future)
            if run is not None:
                self._finish(run, None, CancelledError())

    @property
    def is_closed(self) -> bool:
        return self._closed

    def close(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        with self._lock:
            self._closed = True
            runs, thread = list(self._runs.values()), self._thread
        for run in runs:
            if run.task.is_given_up:
                self._finish(run, None, shut_down())
            else:
                run.task.future.cancel()  # unless it has begun
        if thread is not None:
            self._call(partial(self._end_by, deadline))
            thread.join(timeout + 2 * END_S)

    def status(self) -> dict[str, Any]:
        serving, now = generations.current().number, time.monotonic()
        with self._lock:
            runs = list(self._runs.values())
            begun = [run for run in runs if run.worker is not None]
            connection = self._connection
            rows = self._workers.status(serving)
            for run in begun:
                busy = {"busy": True, "task": run.task.name, "pid": run.pid}
                ran_ms = round((now - run.since) * 1000, 1)
                for row in rows:
                    if row["address"] == run.worker:
                        row.update(busy, task_ms=ran_ms)
            return {
                "size": self._workers.threads if connection is not None else self._size,
                "workers": rows,
                "busy": len(begun),
                "waiting": len(runs) - len(begun),
                "done": self._done,
                "failed": self._failed,
                "replaced": self._lost,
                "exits": [asdict(each) for each in self._exits],
                "kind": "dask",
                "dashboard": connection.dashboard if connection is not None else None,
                "problem": self._problem,
            }

    def _start(self) -> None:
        """Start the thread, unless it runs; the caller has the lock."""
        if self._thread is None:
            self._loop = asyncio.SelectorEventLoop()
            self._thread = threading.Thread(target=self._work, name="snaxum-dask", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._connect_and_serve())
        except BaseException:
            _log.exception("internal error in the Dask pool; please report this")
        with self._lock:
            self._closed = True
        for run in list(self._runs.values()):
            self._finish(run, None, shut_down())

    def _call(self, function: Callable[[], object]) -> None:
        """Call a function in the thread of the loop."""
        with suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(function)

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(coroutine)
        self._following.add(task)
        task.add_done_callback(self._following.discard)

    # In the thread of the loop.

    async def _connect_and_serve(self) -> None:
        """Be connected, again and again, until the server stops."""
        last_problem: str | None = None
        while not self._closing.is_set():
            connecting = self._loop.create_task(connect(self._address, self._size))
            await self._first_of(connecting)
            if not connecting.done():
                connecting.cancel()
                await asyncio.wait([connecting], timeout=END_S)
                return
            try:
                connection = connecting.result()
            except Exception as error:
                problem = str(error) or type(error).__name__
                reason = error.reason if isinstance(error, NotConnected) else "no Dask cluster"
                # A client of `serve` does not learn the address.
                self._fail_all(problem if self._on_line is not None else reason)
                if problem != last_problem:
                    _log.error("%s; the server tries again every %g s", problem, RETRY_S)
                    last_problem = problem
                await self._first_of(self._loop.create_task(asyncio.sleep(RETRY_S)))
                continue
            if last_problem is not None:
                _log.info("connected to Dask")
                last_problem = None
            try:
                await self._serve(connection)
            except OSError:  # the scheduler has ended meanwhile
                pass
            finally:
                self._connection = None
                if not self._closing.is_set():
                    last_problem = (
                        f"the connection to the Dask scheduler at {self._address} is lost"
                    )
                    reason = "the connection to the Dask scheduler is lost"
                    self._fail_all(last_problem if self._on_line is not None else reason)
                    _log.error("%s; the server tries again every %g s", last_problem, RETRY_S)
                await connection.close(END_S)

    async def _first_of(self, awaited: asyncio.Future[Any]) -> None:
        """Wait for it, or for the stop of the server."""
        closing = self._loop.create_task(self._closing.wait())
        await asyncio.wait([awaited, closing], return_when=asyncio.FIRST_COMPLETED)
        closing.cancel()

    async def _serve(self, connection: ClusterConnection) -> None:
        connection.client.subscribe_topic("all", self._on_cluster_event)
        connection.client.subscribe_topic(dask_messages.TOPIC, self._on_begun)
        self._workers.replace(await connection.worker_addresses())
        self._begin_all(connection)
        await self._first_of(connection.lost)
        if self._closing.is_set() and self._following:
            limit = max(0.0, self._close_at - time.monotonic())
            await asyncio.wait(list(self._following), timeout=limit)
            for run in list(self._runs.values()):
                self._finish(run, None, shut_down())
        if self._following and not connection.lost.done():
            await asyncio.wait(list(self._following), timeout=END_S)

    def _end_by(self, deadline: float) -> None:
        self._close_at = deadline
        self._closing.set()

    def _begin_all(self, connection: ClusterConnection) -> None:
        with self._lock:
            self._connection, self._problem = connection, None
            runs = list(self._runs.values())
        for run in runs:
            self._begin(run)

    def _begin(self, run: Run) -> None:
        """Send a task, unless it waits for the connection."""
        if self._connection is not None and not run.is_sent and not run.task.future.done():
            run.is_sent = True
            self._spawn(self._follow(run, self._connection))

    async def _follow(self, run: Run, connection: ClusterConnection) -> None:
        """Run a task to its end."""
        has_output = self._on_line is not None
        more = {"has_output": has_output, "secret_names": self._secret_names}
        try:
            kind, *rest = await run.reply(connection, self._messages, **more)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            if connection.client.status != "running":
                await asyncio.wait([connection.lost], timeout=END_S)  # then all tasks fail
            if not run.task.future.done() and not connection.lost.done():
                self._end_with(run, connection, error)
        else:
            self._set_running(run)
            if kind == "lost":
                run.begun = self._retries + 1
                self._finish(run, None, died(run.task.name, is_replaced=False))
            else:
                self._end_with_reply(run, *rest)
        await run.end(connection)

    def _end_with_reply(self, run: Run, payload: bytes, lines: list[tuple[str, str]]) -> None:
        if self._on_line is not None:
            for stream, line in lines:
                self._on_line(run.task.request, stream, line, False)
        run.task.end(run.since)
        self._finish(run, *load_reply(payload, run.generation))

    def _end_with(self, run: Run, connection: ClusterConnection, error: BaseException) -> None:
        if isinstance(error, connection.distributed.KilledWorker):
            self._finish(run, None, died(run.task.name, is_replaced=False))
        elif isinstance(error, CancelledError):  # by another client, or with its scheduler
            self._finish(run, None, PoolUnavailable("the Dask cluster cancelled the task"))
        else:
            self._finish(run, None, error)

    def _on_done(self, future: Future[Any]) -> None:
        """Drop a task that has ended, or was cancelled; in any thread."""
        with self._lock:
            run = self._runs.pop(future, None)
        if run is not None:
            self._call(partial(self._drop, run))

    def _drop(self, run: Run) -> None:
        connection = self._connection
        if connection is None or (self._closing.is_set() and connection.cluster is not None):
            return  # it ends with the cluster
        self._spawn(run.cancel(connection))

    def _on_begun(self, event: tuple[float, dict[str, Any]]) -> None:
        """Record that a worker has begun a task, of this server or another one."""
        begun = event[1]
        run = next((run for run in list(self._runs.values()) if run.id == begun["task"]), None)
        if run is None:
            return
        run.begun, run.pid = begun["attempt"] + 1, begun["pid"]
        run.worker, run.since = begun["worker"], time.monotonic()
        if self._workers.has_begun(begun["worker"], begun["pid"], run.generation.number):
            self._notify("updated", run.pid, generation=run.generation.number)
        self._set_running(run)

    def _set_running(self, run: Run) -> None:
        run.since = run.since or time.monotonic()
        with suppress(InvalidStateError):
            if run.task.future.running() or run.task.future.done():
                return
            run.task.future.set_running_or_notify_cancel()

    def _on_cluster_event(self, event: tuple[float, dict[str, Any]]) -> None:
        change = event[1]
        if change.get("action") == "add-worker":
            self._spawn(self._list_workers())
        elif change.get("action") == "remove-worker":
            worker = change["worker"]
            self._workers.remove(worker)
            for run in list(self._runs.values()):
                if run.worker == worker:
                    self._on_lost(run)

    async def _list_workers(self) -> None:
        if self._connection is not None:
            with suppress(Exception):
                self._workers.replace(await self._connection.worker_addresses())

    def _on_lost(self, run: Run) -> None:
        """Fail a task whose worker is gone, unless it may begin again."""
        now_ms = time.time_ns() // 1_000_000
        with self._lock:
            self._lost += 1
            self._exits.append(WorkerExit(now_ms, run.pid, run.task.name, None, False))
        self._notify("died", run.pid, task=run.task.name, exit_code=None, was_killed=False)
        run.worker = None
        if run.may_begin_again:
            _log.warning("a Dask worker died while it ran %s; it runs again", run.task.name)
            return
        run.is_lost = True
        _log.error("a Dask worker died while it ran %s", run.task.name)
        self._finish(run, None, died(run.task.name, is_replaced=False))

    def _notify(self, change: str, pid: int | None, **details: object) -> None:
        if self._on_event is not None:
            self._on_event(to_event(change, pid, **details))

    def _fail_all(self, reason: str) -> None:
        """Fail all tasks, and those to come, until there is a connection."""
        with self._lock:
            self._problem = reason
            runs = list(self._runs.values())
        self._workers.replace({})
        for run in runs:
            self._finish(run, None, PoolUnavailable(reason))

    def _finish(self, run: Run, result: Any, error: BaseException | None) -> None:
        """Set the result of a task, unless it has ended; in any thread."""
        future = run.task.future
        try:
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)
        except InvalidStateError:
            return  # it was cancelled
        with self._lock:
            self._done += 1
            self._failed += error is not None
        if run.worker is not None:
            self._workers.has_ended(run.worker, is_failure=error is not None)
