"""The code of a process that serves nothing, but is forked: the processes share its memory.

Owns the report of its load, and the state of the garbage collector: a collection writes to each
object, and memory that a process writes to is no longer shared. Never forks a process that serves.
"""

from __future__ import annotations

import gc
import os
import threading
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .._reload.report import Report

# Where Linux lists the threads of this process.
_TASKS = "/proc/self/task"

report: Report | None = None


def freeze() -> None:
    """Exempt all objects from collections from now on."""
    gc.collect()
    gc.disable()
    gc.freeze()


def unfreeze() -> None:
    """Collect garbage again; the objects of before stay exempt."""
    gc.enable()


def take_report() -> Report:
    """Return the report of the load, once."""
    global report
    made, report = report, None
    assert made is not None, "`start` has loaded the modules"
    return made


def other_threads() -> list[str]:
    """Name the other threads of this process.

    Some libraries end theirs before a fork, and start others later: so this forks once.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forks beside threads
        child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    main = threading.main_thread()
    names = [thread.name for thread in threading.enumerate() if thread is not main]
    native = [_name_of(task) for task in os.listdir(_TASKS) if int(task) != os.getpid()]
    return names if len(names) == len(native) else native


def _name_of(task: str) -> str:
    try:
        with open(f"{_TASKS}/{task}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return "a thread"  # it has just ended
