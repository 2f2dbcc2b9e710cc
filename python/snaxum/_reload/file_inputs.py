"""Which files and directories the user's code was made from, and which it made itself.

Owns an audit hook (PEP 578): what a module reads or lists while it is loaded becomes an input of
it, and what this process opens for writing is an output, which never counts as somebody's save.
Never reads a file of its own accord before somebody asks for a digest.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from typing import Any

from .._core.digests import blake2b
from .._runtime import generations as state

# Larger files are told apart by time stamp and size, not by content.
MAX_HASHED_BYTES = 16 * 1024 * 1024

MAX_OUTPUTS = 10_000

_project = ""
_left_out: tuple[str, ...] = ()
_outputs: set[str] = set()
_NOBODYS = ("<frozen ", "<snaxum>/")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def install(project: str) -> None:
    """Note inputs and outputs below `project` from now on; a hook cannot be taken out again."""
    global _project, _left_out
    _project = os.path.join(os.path.abspath(project), "")
    _left_out = (os.path.join(_project, ".snaxum", ""), os.path.join(sys.prefix, ""))
    sys.addaudithook(_on_event)


def outputs() -> list[str]:
    """List the files that are no code and were written by this process."""
    return sorted(path for path in _outputs if not path.endswith(".py"))


def is_own(path: str) -> bool:
    """Tell whether this process has written a file; code counts once for each time."""
    if path not in _outputs:
        return False
    if path.endswith(".py"):
        _outputs.discard(path)
    return True


def file_digest(path: str) -> bytes | None:
    """Digest the content of a file; None if it is not there."""
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_HASHED_BYTES:
                stamp = os.fstat(file.fileno())
                return f"{stamp.st_mtime_ns} {size} {stamp.st_ino}".encode()
            digest: bytes = blake2b(file.read(), digest_size=16).digest()
            return digest
    except OSError:
        return None


def listing_digest(path: str) -> bytes | None:
    """Digest the names in a directory, without those of caches; None if it is not there."""
    try:
        names = sorted(n for n in os.listdir(path) if n != "__pycache__" and not n.startswith("."))
    except OSError:
        return None
    text = "\0".join(names).encode("utf-8", "replace")
    digest: bytes = blake2b(text, digest_size=16).digest()
    return digest


def _on_event(event: str, args: tuple[Any, ...]) -> None:
    note = _EVENTS.get(event)
    if note is None:
        return
    # The import machinery, this framework, and those who show source lines read on their own
    # behalf; who called is the frame above this one.
    caller = sys._getframe(1).f_code.co_filename
    if not caller.startswith(_NOBODYS) and not caller.endswith(("linecache.py", "tokenize.py")):
        note(args)


def _on_open(args: tuple[Any, ...]) -> None:
    path, mode, flags = args
    if isinstance(mode, str):
        writes = any(letter in mode for letter in "wax+")
    else:
        writes = isinstance(flags, int) and bool(flags & _WRITING)
    node = state.executing()
    if not writes and node is None:
        return
    name = _inside(path)
    if name is None:
        return
    if writes:
        if len(_outputs) < MAX_OUTPUTS:
            _outputs.add(name)
    elif node is not None and name not in node.files and _is_file(name):
        node.files[name] = b""  # digested once the module has run


def _on_list(args: tuple[Any, ...]) -> None:
    node = state.executing()
    if node is not None and (name := _inside(args[0] if args[0] is not None else ".")):
        node.listings.setdefault(name, b"")


def _on_database(args: tuple[Any, ...]) -> None:
    name = _inside(args[0])
    if name is not None:
        _outputs.update((name, f"{name}-journal", f"{name}-wal", f"{name}-shm"))


_EVENTS: dict[str, Callable[[tuple[Any, ...]], None]] = {
    "open": _on_open,
    "os.listdir": _on_list,
    "os.scandir": _on_list,
    "sqlite3.connect": _on_database,
}


def _inside(path: object) -> str | None:
    """Give a path in the project as an absolute one; None for everything else."""
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    if not isinstance(path, (str, os.PathLike)):
        return None  # a descriptor
    name = os.path.abspath(path)
    if not name.startswith(_project) or name.startswith(_left_out):
        return None
    return None if "__pycache__" in name or name.endswith((".pyc", ".so")) else name


def _is_file(name: str) -> bool:
    # A path that is not there was wanted, and counts: it may come.
    try:
        return stat.S_ISREG(os.stat(name).st_mode)
    except OSError:
        return True


def settle(node: Any) -> None:
    """Digest what a module has read, now that it has run."""
    for name in node.files:
        node.files[name] = file_digest(name)
    for name in node.listings:
        node.listings[name] = listing_digest(name)
