"""The files and directories that the user's code reads while it loads, and those it writes.

Owns an audit hook (PEP 578). A file that a module reads or a directory that it lists while it loads
is an input of the module. A file that this process opens for writing is an output: a change of it
is not a save. Never reads a file except to compute a digest.
"""

from __future__ import annotations

import importlib.util
import os
import stat
import sys
from collections.abc import Callable
from typing import Any

from .._core import own_files
from .._core.digests import blake2b
from .._runtime import generations
from . import held_resources
from .model import Node
from .user_paths import is_user_file

# Larger files are compared by time stamp and size, not by content.
MAX_HASHED_BYTES = 16 * 1024 * 1024

MAX_OUTPUTS = 10_000

_project = ""
_ignored: tuple[str, ...] = ()
_outputs: set[str] = set()
_report_output: Callable[[str], None] | None = None
_pid = 0
# Callers that read for themselves: the import machinery, and this framework.
_INTERNAL = ("<frozen ", *own_files.PREFIXES)
# Two of these read a user's file only if the user's code names it, as `runpy.run_path` does: the
# user's modules have a loader of the framework.
_LOADERS = ("<frozen runpy>", "<frozen importlib._bootstrap_external>")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def install(project: str, on_output: Callable[[str], None]) -> None:
    """Record inputs and outputs below `project` from now on; an audit hook cannot be removed.

    `on_output` is called with each output, once and before it is written.
    """
    global _project, _ignored, _report_output, _pid
    _report_output, _pid = on_output, os.getpid()
    _project = os.path.join(os.path.abspath(project), "")
    _ignored = (os.path.join(_project, ".snaxum", ""), os.path.join(sys.prefix, ""))
    sys.addaudithook(_on_audit_event)


def outputs() -> list[str]:
    """List the files that this process has written, without Python files."""
    return sorted(path for path in _outputs if not path.endswith(".py"))


def has_written(path: str) -> bool:
    """Report whether this process has written a file since `is_own_output` reported it."""
    return path in _outputs


def is_own_output(path: str) -> bool:
    """Report whether this process has written a file; a Python file is reported once a write."""
    if path not in _outputs:
        return False
    if path.endswith(".py"):
        _outputs.discard(path)
    return True


def file_digest(path: str) -> bytes | None:
    """Digest the content of a file; None if it does not exist."""
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
    """Digest the names in a directory, without caches; None if it does not exist."""
    try:
        names = sorted(n for n in os.listdir(path) if n != "__pycache__" and not n.startswith("."))
    except OSError:
        return None
    text = "\0".join(names).encode("utf-8", "replace")
    digest: bytes = blake2b(text, digest_size=16).digest()
    return digest


def _on_audit_event(event: str, args: tuple[Any, ...]) -> None:
    record = _EVENTS.get(event)
    if record is None:
        return
    # The caller is one frame up. Modules that show source lines also read for themselves.
    caller = sys._getframe(1).f_code.co_filename
    if caller in _LOADERS and event == "open":
        source = _source_of(args[0])
        if source is not None and is_user_file(source):
            record((source, *args[1:]))
    elif not caller.startswith(_INTERNAL) and not caller.endswith(("linecache.py", "tokenize.py")):
        record(args)


def _source_of(path: object) -> str | None:
    """Return the path that a loader was given: of the source, where it reads a `.pyc`."""
    if type(path) is not str:
        return None
    path = os.path.abspath(path)
    try:
        return importlib.util.source_from_cache(path) if path.endswith(".pyc") else path
    except ValueError:
        return None


def _on_open(args: tuple[Any, ...]) -> None:
    path, mode, flags = args
    if isinstance(mode, str):
        writes = any(letter in mode for letter in "wax+")
    else:
        writes = isinstance(flags, int) and bool(flags & _WRITING)
    node = generations.executing()
    if not writes and node is None:
        return
    name = _project_path(path)
    if name is None:
        return
    if writes:
        if name not in _outputs and len(_outputs) < MAX_OUTPUTS:
            _outputs.add(name)
            _report(name)
    elif node is not None and name not in node.files and _is_file(name):
        node.files[name] = b""  # digested once the module has run


def _report(name: str) -> None:
    # A forked child may have a lock of another thread, which no one releases.
    if _report_output is not None and os.getpid() == _pid:
        try:
            _report_output(name)
        except UnicodeEncodeError:
            pass  # a name that is not UTF-8: Rust cannot show it


def _on_list(args: tuple[Any, ...]) -> None:
    node = generations.executing()
    if node is not None and (name := _project_path(args[0] if args[0] is not None else ".")):
        node.listed_dirs.setdefault(name, b"")


def _on_database(args: tuple[Any, ...]) -> None:
    name = _project_path(args[0])
    if name is not None:
        _outputs.update((name, f"{name}-journal", f"{name}-wal", f"{name}-shm"))


_EVENTS: dict[str, Callable[[tuple[Any, ...]], None]] = {
    "open": _on_open,
    "os.listdir": _on_list,
    "os.scandir": _on_list,
    "sqlite3.connect": _on_database,
    **held_resources.EVENTS,
}


def _project_path(path: object) -> str | None:
    """Return a path in the project as an absolute path; None for all others."""
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    if not isinstance(path, (str, os.PathLike)):
        return None  # a descriptor
    name = os.path.abspath(path)
    if not name.startswith(_project) or name.startswith(_ignored):
        return None
    return None if "__pycache__" in name or name.endswith((".pyc", ".so")) else name


def _is_file(name: str) -> bool:
    # A missing file counts as an input: it may be created.
    try:
        return stat.S_ISREG(os.stat(name).st_mode)
    except OSError:
        return True


def digest_inputs(node: Node) -> None:
    """Digest the inputs of a module, after its run."""
    for name in node.files:
        node.files[name] = file_digest(name)
    for name in node.listed_dirs:
        node.listed_dirs[name] = listing_digest(name)
