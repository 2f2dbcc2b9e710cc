"""Starts a worker process the way `multiprocessing` does with `spawn`, without waiting for it.

Owns the command, the file descriptors that the process inherits, and its standard error up to the
moment when it takes tasks. `Process.start` of the standard library would block: it writes into a
pipe while it has the other end open, and so waits forever if the process dies early.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
import subprocess
import tempfile
from contextlib import suppress
from multiprocessing import popen_spawn_posix, reduction, resource_tracker, spawn
from multiprocessing.context import set_spawning_popen
from typing import Any

from .._reload.env_file import environment_without_file

# The most characters of the standard error of a process that did not start.
MAX_STDERR = 2000

_context = multiprocessing.get_context("spawn")
Pipe = _context.Pipe


class Launched:
    """A process, and the pipe whose end shows it that this process has ended."""

    def __init__(self, program: str, names: dict[str, Any]) -> None:
        """Start a process that executes `program` with `names`; raises OSError.

        It writes its errors to a file. Three names are added for the time when it has started:
        `stderr`, a file descriptor of this process's standard error or None; `path`, the list of
        directories to import from; and `directory`, the working directory.
        """
        passed: Any = _Passed()
        self.stderr = ""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._alive_end = -1
        stderr: int | None = None
        with suppress(OSError):
            stderr = os.dup(2)
        read_end, self._alive_end = os.pipe()
        try:
            names = {**names, "stderr": stderr}
            process = _context.Process(target=exec, args=(program, names))
            preparation = spawn.get_preparation_data(process.name)
            # Modules of the user must not be found before `program` runs.
            names.update(path=preparation.pop("sys_path"), directory=preparation.pop("dir"))
            message = io.BytesIO()
            set_spawning_popen(passed)
            try:
                reduction.dump(preparation, message)
                reduction.dump(process, message)
            finally:
                set_spawning_popen(None)
            tracker = resource_tracker.getfd()  # it unblocks SIGINT
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            fds = [tracker, read_end, *passed.fds]
            if stderr is not None:
                fds.append(stderr)
            self.popen = subprocess.Popen(
                spawn.get_command_line(tracker_fd=tracker, pipe_handle=read_end),
                stdin=subprocess.DEVNULL,
                stderr=self._errors,
                pass_fds=fds,
                env=environment_without_file(),  # the first task brings the rest
                cwd="/",  # Python imports from there first; the message has the real directory
            )
        except BaseException:
            self.close()
            raise
        finally:
            os.close(read_end)
            if stderr is not None:
                os.close(stderr)
        self._message = message.getbuffer()

    def send_message(self) -> None:
        """Send what it is to call; raises OSError if it has died."""
        with open(self._alive_end, "wb", closefd=False) as file:
            file.write(self._message)
        self._message = memoryview(b"")

    def read_stderr(self) -> None:
        """Set `stderr` to what it has written there while it started."""
        if self._errors.closed:
            return
        with self._errors as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - MAX_STDERR))
            text = file.read().decode("utf-8", "replace").strip()
            self.stderr = text if size <= MAX_STDERR else text.partition("\n")[2]

    def close(self) -> None:
        """Close the files of a process that has ended, or has not begun."""
        self.read_stderr()
        self.close_in_child()

    def close_in_child(self) -> None:
        """Close the pipe that shows the worker the end of this process."""
        if self._alive_end >= 0:
            os.close(self._alive_end)
            self._alive_end = -1


class _Passed:
    """Records the file descriptors of pickled connections, as a `Popen` does."""

    DupFd = popen_spawn_posix.Popen.DupFd

    def __init__(self) -> None:
        self.fds: list[int] = []

    def duplicate_for_child(self, fd: int) -> int:
        self.fds.append(fd)
        return fd


def describe_end(exit_code: int | None) -> str:
    """Describe how a process has ended."""
    if exit_code is not None and exit_code < 0:
        try:
            return f"killed by {signal.Signals(-exit_code).name}"
        except ValueError:
            return f"killed by signal {-exit_code}"
    return f"exit code {exit_code}"
