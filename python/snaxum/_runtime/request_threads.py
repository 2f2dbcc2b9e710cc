"""Threads for the parts of requests that block: streams of `def` handlers, handlers with the pool.

Owns the bounds. A cancelled request does not count, so that its thread is replaced, up to
`max_stuck` of them: beyond it they count again, and requests that find no thread are refused. Never
waits for a thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from .._core.late_log import late_log
from .._core.late_module import late_module
from . import leases

if TYPE_CHECKING:
    import queue
else:
    queue = late_module("queue")

_log = late_log()

# A thread without a job ends after this time.
IDLE_S = 30.0

Job = Callable[[], None]


class Interrupted(BaseException):
    """Raised in a stream that continues after its client has left."""


class _Thread:
    """A thread, and what it does."""

    __slots__ = ("handler", "ident", "is_done", "is_reported", "jobs", "left_at")

    def __init__(self) -> None:
        self.jobs: queue.SimpleQueue[tuple[int, Job] | None] = queue.SimpleQueue()
        self.ident = 0
        self.handler = ""
        self.is_done = True
        # When its request was cancelled.
        self.left_at = 0.0
        self.is_reported = False


class RequestThreads:
    """Runs jobs of requests, up to `limit` at once; `max_waiting` more wait for a thread."""

    def __init__(
        self, name: str, limit: int, max_waiting: int, max_stuck: int, *, interrupts: bool = False
    ) -> None:
        """Make a group without threads; `interrupts`: jobs are interrupted after the grace time."""
        self._name = name
        self._limit = limit
        self._max_waiting = max_waiting
        self._max_stuck = max_stuck
        self._interrupts = interrupts
        self._lock = threading.Lock()
        self._idle: list[_Thread] = []
        # By request. The cancelled ones are in `_left`.
        self._running: dict[int, _Thread] = {}
        self._left: dict[int, _Thread] = {}
        self._waiting: dict[int, tuple[str, Job]] = {}

    def start(self, request: int, handler: str, job: Job) -> bool:
        """Run a job once a thread is free; False if too many jobs wait, or hang."""
        with self._lock:
            if self._counted() < self._limit:
                return self._run(request, handler, job)
            all_hang = len(self._left) - self._max_stuck >= self._limit
            if all_hang or len(self._waiting) >= self._max_waiting:
                return False
            self._waiting[request] = handler, job
            return True

    def cancel(self, request: int) -> bool:
        """Drop the job of a request if it waits; if it runs, replace its thread.

        Returns whether it waited.
        """
        with self._lock:
            dropped = self._waiting.pop(request, None)
            thread = self._running.pop(request, None)
            if thread is not None:
                thread.left_at, thread.is_reported = time.monotonic(), False
                self._left[request] = thread
                self._start_waiting()
        return dropped is not None

    def requests(self) -> list[int]:
        """List the requests that have, or wait for, a thread."""
        with self._lock:
            return sorted([*self._running, *self._left, *self._waiting])

    def is_exhausted(self) -> bool:
        """Report whether so many jobs are overdue that a thread is no longer replaced."""
        overdue = [thread for thread in self._left.copy().values() if thread.is_reported]
        return len(overdue) >= self._max_stuck

    def report_overdue(self, grace_s: float) -> float | None:
        """Log, and maybe interrupt, the jobs that still run `grace_s` after they were cancelled.

        Returns the time until the next one is due, if there is one.
        """
        next_at: float | None = None
        now = time.monotonic()
        for request, thread in self._left.copy().items():
            if thread.is_reported:
                continue
            due = thread.left_at + grace_s
            if now < due:
                next_at = due if next_at is None else min(next_at, due)
                continue
            thread.is_reported = True
            self._report(request, thread, grace_s)
            if self._interrupts:
                self._interrupt(request, thread)
        return None if next_at is None else next_at - now

    def close(self) -> None:
        """Drop the jobs that wait, and end the idle threads."""
        with self._lock:
            dropped, self._waiting = self._waiting, {}
            for thread in self._idle:
                thread.jobs.put(None)
            self._idle.clear()
        del dropped

    def _counted(self) -> int:
        return len(self._running) + max(0, len(self._left) - self._max_stuck)

    def _run(self, request: int, handler: str, job: Job) -> bool:
        if self._idle:
            thread = self._idle.pop()
        else:
            thread = _Thread()
            work = threading.Thread(target=self._work, args=(thread,), name=self._name, daemon=True)
            try:
                work.start()
            except RuntimeError:
                _log.exception("cannot start a thread for a request")
                return False
        thread.handler, thread.is_done = handler, False
        self._running[request] = thread
        thread.jobs.put((request, job))
        return True

    def _start_waiting(self) -> None:
        while self._waiting and self._counted() < self._limit:
            request = next(iter(self._waiting))
            if not self._run(request, *self._waiting[request]):
                break
            del self._waiting[request]

    def _work(self, thread: _Thread) -> None:
        thread.ident = threading.get_ident()
        while True:
            try:
                given = thread.jobs.get(timeout=IDLE_S)
            except queue.Empty:
                with self._lock:
                    if thread in self._idle:
                        self._idle.remove(thread)
                        return
                continue
            if given is None:
                return
            request, job = given
            try:
                job()
                thread.is_done = True
                _pass()  # an interrupt that is pending arrives here, and not with the lock
            except Interrupted:
                pass  # after its last piece
            except BaseException:
                _log.exception("internal error in %s; please report this", self._name)
            del given, job
            if not self._finish(request, thread):
                return

    def _finish(self, request: int, thread: _Thread) -> bool:
        """Take the thread back; False if it is one too many now."""
        while True:
            try:
                thread.is_done = True
                leases.unpin_thread()
                with self._lock:
                    self._running.pop(request, None)
                    self._left.pop(request, None)
                    threads = len(self._idle) + len(self._running) + len(self._left)
                    if threads < self._limit:
                        self._idle.append(thread)
                    self._start_waiting()
                    return threads < self._limit
            except Interrupted:
                continue

    def _report(self, request: int, thread: _Thread, grace_s: float) -> None:
        from .._debug.stack import of_user

        _log.warning(
            "%s still runs %g s after its client has left, or its time was over (request %d); its "
            "thread is replaced\n%s",
            thread.handler,
            grace_s,
            request,
            of_user(thread.ident),
        )

    def _interrupt(self, request: int, thread: _Thread) -> None:
        import ctypes  # large, and rarely needed

        raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
        ident = ctypes.c_ulong(thread.ident)
        with self._lock:
            # The thread may run another request by now.
            if self._left.get(request) is thread and not thread.is_done:
                raise_in(ident, ctypes.py_object(Interrupted))
                if thread.is_done:
                    # It waits for the lock now, so the exception is still pending.
                    raise_in(ident, None)


def _pass() -> None:
    """Do nothing, in a frame of its own: Python raises pending exceptions as a call begins."""
