"""Makes `snaxum` importable in the Python processes that user code starts.

Owns a directory on `sys.path`. Such a process takes that list over (`multiprocessing` and loky copy
it), finds the user's function there by name, and so imports what the user's module imports. The
directory is made when `multiprocessing` is first imported, and ends with the server. A process that
`multiprocessing` does not start gets nothing. An installed package needs none of this.
"""

from __future__ import annotations

import marshal
import os
import sys
import time
from collections.abc import Callable
from typing import Any, BinaryIO

from .._core.late_log import late_log

_log = late_log()

# The framework's files as text, and as compiled by the build.
Framework = tuple[dict[str, str], bytes]

# `snaxum/__init__.py` there: it replaces itself by the framework.
_STUB = '''\
"""Loads the framework of the server that started this process."""

import marshal
import os
import sys

with open(os.path.join(os.path.dirname(os.path.dirname(__file__)), "framework"), "rb") as file:
    sources, compiled = marshal.load(file)
namespace = {"__name__": "_snaxum_embed"}
exec(compile(sources["_embed.py"], "<snaxum>/_embed.py", "exec"), namespace)
namespace["install"](sources, sources.__getitem__, compiled)
del sys.modules["snaxum"]
import snaxum
'''

PACKAGE = __name__.partition(".")[0]

PREFIX = "snaxum-framework-"
# A directory of this age, in s, without a lock belongs to a server that was killed.
OLD_S = 60.0

directory: str | None = None
# Locked as long as this process lives, or a process that it has forked.
_locked: BinaryIO | None = None


def install(framework: Callable[[], Framework]) -> None:
    """Make the directory before `multiprocessing` is imported, or now if it has been."""

    spec: Any = sys.modules[PACKAGE].__spec__
    finder = getattr(spec.loader, "finder", None)
    if finder is None:
        return  # such processes find the installed package

    def make() -> None:
        try:
            _make(framework())
        except OSError as error:
            _log.warning("processes of `multiprocessing` cannot import snaxum: %s", error)

    if "multiprocessing" in sys.modules:
        make()
        return
    finder.before["multiprocessing"] = make


def renew(framework: Callable[[], Framework]) -> None:
    """Make a directory for this process, which has been forked from one that has made it."""
    if directory is not None:
        sys.path.remove(directory)
        _make(framework())


def remove() -> None:
    """Remove the directory: the server ends."""
    global directory
    if directory is not None:
        import shutil

        shutil.rmtree(directory, ignore_errors=True)
        directory = None


def _make(framework: Framework) -> None:
    # These import much, and few servers come here.
    import fcntl
    import tempfile

    global directory, _locked
    _remove_old(tempfile.gettempdir())
    directory = tempfile.mkdtemp(prefix=PREFIX)
    _locked = open(os.path.join(directory, "framework"), "wb")  # noqa: SIM115
    fcntl.flock(_locked, fcntl.LOCK_EX)
    marshal.dump(framework, _locked)
    _locked.flush()
    package = os.path.join(directory, "snaxum")
    os.mkdir(package)
    with open(os.path.join(package, "__init__.py"), "w", encoding="utf-8") as text:
        text.write(_STUB)
    # Last, after an installed copy: processes may have a reason for it.
    sys.path.append(directory)


def _remove_old(parent: str) -> None:
    """Remove the directories of servers that were killed."""
    import fcntl
    import shutil

    for name in os.listdir(parent):
        if not name.startswith(PREFIX):
            continue
        path = os.path.join(parent, name)
        try:
            if time.time() - os.stat(path).st_mtime > OLD_S:
                with open(os.path.join(path, "framework"), "rb") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(path)
        except OSError:
            continue  # it is in use, of another user, or incomplete
