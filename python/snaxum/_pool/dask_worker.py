"""The Dask worker's side of the pool: runs the tasks that servers send, each on its own code.

Owns which tasks run in this process, and their printed lines. A Dask scheduler gives the task of a
dead worker to the next one; here a task refuses to begin more often than its server has allowed.
Never loads code (`sent_code`), and changes nothing for tasks of other programs.
"""

from __future__ import annotations

import asyncio
import contextvars
import importlib
import os
import threading
from contextvars import ContextVar
from functools import partial
from typing import Any

from .._debug import output as debug_output
from .._debug import redact
from .._runtime import leases, registration
from . import sent_code
from .dask_messages import TOPIC, unpack_version
from .output import MAX_WAITING
from .worker import run_task

# How long the scheduler may take to report whether a task may begin.
CLAIM_S = 30.0

# A stream and a line.
PrintedLine = tuple[str, str]

# The key of the framework's text.
framework = ""
# The lines of the calling task.
_lines: ContextVar[list[PrintedLine] | None] = ContextVar("snaxum_lines", default=None)
# By task, the thread that runs it.
_threads: dict[str, int] = {}
_lock = threading.Lock()
_has_output = False


class TaskInterrupted(BaseException):
    """Raised in a task that nothing waits for."""


def install(key: str) -> None:
    """Prepare this process for the tasks of servers with the framework `key`."""
    global framework
    leases.track(lambda: None)  # each task is on its own code
    registration.install()
    sent_code.install()
    framework = key


def remove() -> None:
    """Undo `install`."""
    sent_code.remove()


def run(call: dict[str, Any]) -> tuple[Any, ...]:
    """Run a task.

    Returns `("version",)` if its code has to be sent, too, `("lost",)` if it has begun too often,
    or `("done", reply, lines)`.
    """
    version = sent_code.find(call["version_key"])
    if version is None:
        if call["version"] is None:
            return ("version",)
        version = sent_code.add(unpack_version(call["version"]))
    if not _claim(call):
        return ("lost",)
    if call["has_output"]:
        _install_output()
    redact.add_words(call["secret_names"])
    lines: list[PrintedLine] = []
    context = contextvars.copy_context()
    reply = context.run(_run, call, version, lines)
    return ("done", reply, lines)


def _run(call: dict[str, Any], version: sent_code.Version, lines: list[PrintedLine]) -> bytes:
    leases.pin_task(version.generation, call["request"] or 0)
    sent_code.running.set(version)
    _lines.set(lines)
    task: str = call["task"]
    loading = partial(sent_code.loading, version)
    with _lock:
        _threads[task] = threading.get_ident()
    try:
        try:
            return run_task(call["payload"], loading)
        finally:
            debug_output.end_lines()
            with _lock:
                del _threads[task]
            _pass()  # an interrupt that is pending arrives here
    except TaskInterrupted:
        with _lock:
            _threads.pop(task, None)
        return b""


def interrupt(task: str) -> None:
    """Raise `TaskInterrupted` in a task that still runs; code outside Python ends first."""
    import ctypes

    with _lock:
        thread = _threads.get(task)
        if thread is not None:
            raised = ctypes.py_object(TaskInterrupted)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), raised)


def _claim(call: dict[str, Any]) -> bool:
    """Ask the scheduler whether the task may begin; it has begun once for each dead worker."""
    worker = importlib.import_module("distributed").get_worker()
    claim = _claim_at(worker, call)
    loop = worker.loop.asyncio_loop
    return asyncio.run_coroutine_threadsafe(claim, loop).result(CLAIM_S)


async def _claim_at(worker: Any, call: dict[str, Any]) -> bool:
    scheduler = worker.scheduler
    for attempt, name in enumerate(call["claims"]):
        if not await scheduler.event_is_set(name=name):
            begun = {"task": call["task"], "attempt": attempt}
            begun.update(worker=worker.address, pid=os.getpid())
            # Both have arrived before the task begins: it may end this process.
            await asyncio.gather(
                scheduler.event_set(name=name), scheduler.log_event(topic=TOPIC, msg=begun)
            )
            return True
    return False


def _install_output() -> None:
    """Collect the lines that tasks print, from now on."""
    global _has_output
    with _lock:
        if not _has_output:
            _has_output = True
            debug_output.install(_add_line, is_raw=True)


def _add_line(_request: int | None, stream: str, text: str, _loads: bool) -> None:
    lines = _lines.get()
    if lines is not None and len(lines) < MAX_WAITING:
        lines.append((stream, text))


def _pass() -> None:
    """Do nothing, in a frame of its own: Python raises pending exceptions as a call begins."""
