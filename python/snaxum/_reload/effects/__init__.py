"""What a module changes outside itself while it runs, so that it can be taken back.

A rejected run is undone as a whole; what a module did is undone when its next run takes its place.
Never touches what the user's code did not do. `journal` has the rules, the others one kind each:

- `process`: `os.environ`, loggers' handlers, signal handlers, `atexit`
- `lists`: `sys.path`, `warnings.filters`, the registry of prometheus_client
- `registrations`: classes and functions, with an ABC or a `singledispatch` function of others
- `patches`: what is put in the place of a library's functions
"""

from __future__ import annotations

from ..model import Effect
from . import patches, process, registrations
from .list_entries import lists, note_additions
from .process import run_at_exit
from .undo_log import end, make_room, restore, take_over, undo

__all__ = [
    "Effect",
    "end",
    "install",
    "lists",
    "make_room",
    "note_additions",
    "patches",
    "restore",
    "run_at_exit",
    "take_over",
    "undo",
]


def install() -> None:
    """Note effects from now on."""
    process.install()
    registrations.install()
