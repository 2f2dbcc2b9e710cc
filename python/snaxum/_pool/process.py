"""One worker process, seen from the server: its pipes, its task, and the code that it has.

Owns the process from start to end, in a thread of its own: no other thread waits for a process that
is starting. Never chooses a task (`pool`).
"""

from __future__ import annotations

import fcntl
import os
import pickle
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from multiprocessing.connection import Connection
from typing import Any

from .._reload.model import Source
from .._runtime.generations import Generation
from . import worker
from .events import WorkerExit
from .launch import Launched, Pipe, describe_end
from .sending import ROOM
from .task import Task
from .timers import timers

# How long a process may take until it accepts tasks.
START_TIMEOUT_S = 60.0
# How long a process may take to end after it has closed its pipes.
END_GRACE_S = 2.0


class NotStarted(Exception):
    """A process ended before it accepted tasks; the second argument is its standard error."""


class WorkerProcess:
    """A process, the pipes to it, and the thread that reads its replies."""

    def __init__(
        self,
        boot: bytes,
        has_output: bool,
        run: Callable[[WorkerProcess], None],
        replaces: WorkerExit | None = None,
        device: int | None = None,
    ) -> None:
        """Call `run` in the worker's thread; it calls `start` and `join`.

        `boot` is the first message, a pickled dict for `worker.BOOT`. With `has_output`, the worker
        sends the lines that it prints. `device` is its number among the workers of one handler.
        """
        self.device = device
        self.task: Task | None = None
        self.task_since = 0.0
        self.done = self.failed = 0
        self.is_ready = self.was_killed = False
        self.replaces = replaces
        self._sending = threading.Lock()
        # Locked while the task or the process is set, taken, or killed.
        self._changing = threading.Lock()
        # The generation of its code; 0 before its first task.
        self.generation = 0
        self._sources: dict[str, Source] = {}
        self._boot = boot
        self._has_output = has_output
        self._process: Launched | None = None
        self._calls: Connection | None = None
        self._replies: Connection | None = None
        self.pid: int | None = None
        self.exit_code: int | None = None
        self.thread = threading.Thread(target=run, args=(self,), name="snaxum-worker", daemon=True)
        self.thread.start()

    def start(self, on_launch: Callable[[WorkerProcess], None]) -> None:
        """Start the process and wait until it accepts tasks; call `on_launch` once it has an id.

        Raises `NotStarted`.
        """
        try:
            self._launch()
        except Exception as error:  # out of files or processes, no executable, no directory
            raise NotStarted(f"{type(error).__name__}: {error}", "") from None
        assert self._process is not None, "`_launch` has set it"
        assert self._calls is not None, "`_launch` has set it"
        on_launch(self)
        limit = timers.start(START_TIMEOUT_S, self.kill)
        try:
            self._process.send_message()
            self._calls.send_bytes(self._boot)
            is_ready = self.receive() == worker.READY
        except OSError:
            is_ready = False
        limit.cancel()
        self._boot = b""
        self.is_ready = is_ready
        if not is_ready:
            self.join(kill=True)
            late = f" after {START_TIMEOUT_S:g} s" if self.was_killed else ""
            raise NotStarted(describe_end(self.exit_code) + late, self._process.stderr)
        self._process.read_stderr()
        if self._process.stderr:
            print(self._process.stderr, file=sys.stderr)

    def _launch(self) -> None:
        # Never `fork`: the server has threads, and a fork would copy tokio's in an unknown state.
        calls, self._calls = Pipe(duplex=False)
        # Printed lines need a socket: only a socket can send a part without waiting.
        self._replies, replies = Pipe(duplex=self._has_output)
        try:
            with self._changing:
                if self.was_killed:
                    raise OSError("the server is shutting down")
                self._process = Launched(worker.BOOT, {"calls": calls, "replies": replies})
        finally:
            # The process's ends close with the process only if no other process has them open.
            calls.close()
            replies.close()
        self.pid = self._process.popen.pid

    def send(self, task: Task, generation: Generation) -> bool:
        """Send a task, with the changes of the code since the last; False if it is dead."""
        message = task.payload
        if generation.sources is not None and self.needs_code(generation):
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
            assert self._calls is not None, "it has started"
            try:
                self._calls.send_bytes(message)
            except OSError:
                self.take_task()
                return False
        return True

    def needs_code(self, generation: Generation) -> bool:
        """Report whether the code of a generation goes to it with its next task."""
        return generation.number != self.generation and generation.sources is not None

    def has_room(self, task: Task, generation: Generation) -> bool:
        """Report whether its pipe takes a task at once: changed code of any size goes with it."""
        return len(task.payload) <= ROOM and not self.needs_code(generation)

    def take_task(self) -> Task | None:
        """Return the running task, and record that none runs."""
        with self._changing:
            task, self.task = self.task, None
        return task

    def receive(self) -> bytes | None:
        """Wait for the next reply; None at the end of the process."""
        assert self._replies is not None, "it has been launched"
        try:
            return self._replies.recv_bytes()
        except (EOFError, OSError):
            return None

    def stop(self, deadline: float) -> None:
        """Let it end once it is idle."""
        if self._sending.acquire(timeout=max(0.0, deadline - time.monotonic())):
            if self._calls is not None:
                self._calls.close()
            self._sending.release()

    def join(self, *, kill: bool) -> tuple[Task | None, bool]:
        """Wait for the end of a process that sends no more replies; `kill` it if it does not end.

        Returns the task that it was given last, and whether it had read that task.
        """
        assert self._process is not None, "it has been launched"
        assert self._calls is not None, "it has been launched"
        process = self._process.popen
        try:
            # It is about to end by itself, with an exit code of its own.
            self.exit_code = process.wait(END_GRACE_S if kill else None)
        except subprocess.TimeoutExpired:
            process.kill()
            self.exit_code = process.wait()
        with self._sending:
            has_read = not _has_unread(self._calls)
            self._calls.close()
            self._process.close()
            return self.take_task(), has_read

    def close_in_child(self) -> None:
        """Close the pipes in a process that user code has forked.

        Otherwise the worker would not see the end of this process.
        """
        for pipe in (self._calls, self._replies):
            if pipe is not None:
                pipe.close()
        if self._process is not None:
            self._process.close_in_child()

    def kill_task(self, future: Future[Any]) -> None:
        """Kill the process if it runs the task of `future`."""
        with self._changing:
            if self.task is None or self.task.future is not future:
                return
            self._kill()

    def kill(self) -> None:
        """End the process now, also before it has started."""
        with self._changing:
            self._kill()

    def _kill(self) -> None:
        self.was_killed = True
        if self._process is not None:
            self._process.popen.kill()

    def status(self, serving: int, now: float) -> dict[str, Any]:
        """Describe it for the console; `serving` is the number of the current generation."""
        task = self.task
        return {
            "pid": self.pid,
            "busy": task is not None,
            "task": task.name if task else None,
            "task_ms": round((now - self.task_since) * 1000, 1) if task else None,
            # It gets the current code with its next task.
            "generation": self.generation or None,
            "stale": 0 < self.generation < serving,
            "done": self.done,
            "failed": self.failed,
            **({} if self.device is None else {"device": self.device}),
        }

    def exit_record(self, task: str | None) -> WorkerExit:
        """Describe its end, with the task that it ran."""
        now_ms = time.time_ns() // 1_000_000
        return WorkerExit(now_ms, self.pid, task, self.exit_code, self.was_killed)


def _has_unread(pipe: Connection) -> bool:
    """Report whether a pipe without a reader has a message; False if the system does not report it.

    Linux reports it at the writing end.
    """
    try:
        waiting = fcntl.ioctl(pipe.fileno(), termios.FIONREAD, b"\0" * 4)
    except OSError:
        return False
    return bool(struct.unpack("i", waiting)[0])


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
