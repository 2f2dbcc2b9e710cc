"""The effects of a module on the rest of the process, recorded so that they can be undone.

A rejected run is undone as a whole. The effects of a replaced run are undone when the next run of
its module replaces them. Effects of other code are never touched. `undo_log` has the rules; each
other file records one kind of effect:

- `process`: `os.environ`, handlers of loggers, signal handlers, `atexit`
- `list_entries`: `sys.path`, `warnings.filters`, the registry of prometheus_client
- `registrations`: classes and functions, with an ABC or a `singledispatch` function
- `patches`: replaced functions of libraries
"""

from __future__ import annotations

from . import patches, process, registrations
from .list_entries import record_additions, snapshot_lists
from .process import run_at_exit
from .undo_log import release, resume, suspend, transfer, undo

__all__ = [
    "install",
    "patches",
    "record_additions",
    "release",
    "resume",
    "run_at_exit",
    "snapshot_lists",
    "suspend",
    "transfer",
    "undo",
]


def install() -> None:
    """Record effects from now on."""
    process.install()
    registrations.install()
