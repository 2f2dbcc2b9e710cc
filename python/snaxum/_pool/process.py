"""One worker process, seen from the server: its pipes, its task, and the code that it has.

Owns the process from start to end. Never chooses a task (`pool`).
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from multiprocessing import resource_tracker
from typing import Any

from .._reload.model import Source
from .._runtime.generations import Generation
from . import worker
from .events import WorkerExit
from .task import Task


class WorkerProcess:
    """A process, the pipes to it, and the thread that reads its replies."""

    def __init__(self, boot: dict[str, Any], read_replies: Callable[[WorkerProcess], None]) -> None:
        self.task: Task | None = None
        self.task_since = 0.0
        self.done = self.failed = 0
        self.was_killed = False
        self._sending = threading.Lock()
        # Locked while the task is set, taken, or killed.
        self._changing = threading.Lock()
        # The generation of its code; 0 before its first task.
        self.generation = 0
        self._sources: dict[str, Source] = {}
        # Never `fork`: the server has threads, and a fork would copy tokio's in an unknown state.
        context = multiprocessing.get_context("spawn")
        calls, self._calls = context.Pipe(duplex=False)
        # Printed lines need a socket: only a socket can send a part without waiting.
        self._replies, replies = context.Pipe(duplex=boot["raw_output"] is not None)
        names = {**boot, "calls": calls, "replies": replies}
        self.process = context.Process(target=exec, args=(worker.BOOT, names))
        resource_tracker.ensure_running()  # it unblocks SIGINT when it starts
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:  # the process inherits the mask, until it ignores SIGINT
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        self.pid = self.process.pid
        # The process's ends close with the process only if no other process has them open.
        calls.close()
        replies.close()
        self.thread = threading.Thread(
            target=read_replies, args=(self,), name="snaxum-worker", daemon=True
        )
        self.thread.start()

    def send(self, task: Task, generation: Generation) -> bool:
        """Send a task, with the changes of the code since the last; False if it is dead."""
        message = task.payload
        if generation.number != self.generation and generation.sources is not None:
            sources = generation.sources.by_path()
            changed = {
                path: source.content
                for path, source in sources.items()
                if self._sources.get(path) is not source
            }
            gone = [path for path in self._sources if path not in sources]
            rerun = _rerun_since(self.generation, generation)
            update = (generation.number, changed, gone, rerun, generation.variables)
            message = pickle.dumps((worker.run_after, (update, message), {}))
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
        """Return the running task, and record that none runs."""
        with self._changing:
            task, self.task = self.task, None
        return task

    def receive(self) -> bytes | None:
        """Wait for the next reply; None at the end of the process."""
        try:
            return self._replies.recv_bytes()
        except (EOFError, OSError):
            return None

    def stop(self, deadline: float) -> None:
        """Let it end once it is idle."""
        if self._sending.acquire(timeout=max(0.0, deadline - time.monotonic())):
            self._calls.close()
            self._sending.release()

    def join(self, *, kill: bool) -> Task | None:
        """Wait for the end of a process that sends no more replies; return the lost task."""
        if kill:
            self.kill()
        self.process.join()
        self.pid = None
        with self._sending:
            self._calls.close()
            return self.take_task()

    def kill_task(self, future: Future[Any]) -> None:
        """Kill the process if it runs the task of `future`."""
        with self._changing:
            if self.task is not None and self.task.future is future:
                self.was_killed = True
                self.kill()

    def kill(self) -> None:
        self.process.kill()

    def status(self, serving: int, now: float, *, busy: bool) -> dict[str, Any]:
        """Describe it for the console; `serving` is the number of the current generation."""
        task = self.task
        return {
            "pid": self.pid,
            "busy": busy,
            "task": task.name if task else None,
            "task_ms": round((now - self.task_since) * 1000, 1) if task else None,
            # It gets the current code with its next task.
            "generation": self.generation or None,
            "stale": 0 < self.generation < serving,
            "done": self.done,
            "failed": self.failed,
        }

    def exit_record(self, task: str | None, successor: WorkerProcess) -> WorkerExit:
        """Describe its end, with the task that it ran and the process that replaces it."""
        process, now_ms = self.process, time.time_ns() // 1_000_000
        return WorkerExit(
            now_ms, process.pid, task, process.exitcode, self.was_killed, successor.pid
        )


def resident_bytes(pid: int | None) -> int | None:
    """Return the memory of a process, where the system reports it."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def _rerun_since(number: int, generation: Generation) -> list[str]:
    """Name the modules that have run again since, even if their own text is the same."""
    return [name for name, ran in generation.ran.items() if ran > number]
