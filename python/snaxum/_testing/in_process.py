"""Loads a project into this process, for a plain pytest and for another server.

Owns the loaded project, to its end with the interpreter or before, or why it did not load. Needs
the extension module of an installed package.
"""

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401  # its end of the interpreter must come after ours
import functools
import os
import re
import sys
import threading
from typing import Any

from .._command import describe_host
from .._runtime.runtime import has_started

_TABLE = re.compile(r"^[ \t]*\[[ \t]*tool[ \t]*\.[ \t]*snaxum[ \t]*[.\]]", re.MULTILINE)


# The project that this process has loaded.
_project: Any = None
# False while a project of `load` is not there yet, or has ended.
_is_ready = True
# The directory of a project that did not load, and the reason.
_failure: tuple[str, str] | None = None


def load(project: str | None, way_out: str) -> None:
    """Load the project in this directory, by default that of the working directory.

    Raises RuntimeError, and again for a project whose modules did not load; `way_out` follows if
    the extension module is missing.
    """
    global _project, _is_ready, _failure
    try:
        from .. import _snaxum
    except ImportError:
        raise RuntimeError(f"no project is loaded in this process; {way_out}") from None
    directory = os.path.abspath(project if project is not None else _project_of(os.getcwd()))
    if _failure is not None and _failure[0] == directory:
        raise RuntimeError(_failure[1])
    _is_ready = False
    try:
        _project = _snaxum.load(describe_host(), directory)
    except (RuntimeError, ValueError) as error:
        if has_started():
            _failure = directory, str(error)
        raise RuntimeError(str(error)) from None
    _failure = None
    _is_ready = True
    _close_at_exit()


def unload() -> None:
    """End the project that `load` has loaded; another one may be loaded then."""
    global _project, _is_ready
    project, _project = _project, None
    if project is None:
        return
    from .._reload import loader

    _is_ready = False
    project.close()  # a second call at the exit has no effect
    # The next load runs them again.
    for name in loader.user_modules():
        del sys.modules[name]


def is_ready() -> bool:
    """Report whether no project of `load` is loading, has failed, or has ended."""
    return _is_ready


@functools.cache
def _close_at_exit() -> None:
    """Let the end of the interpreter close the project; called with the first one."""
    # `atexit` is too late: by then no executor takes a task of `on_shutdown`.
    threading._register_atexit(_close)  # type: ignore[attr-defined]


def _close() -> None:
    if _project is not None:
        _project.close()


def _project_of(directory: str) -> str:
    """Find the nearest directory that is a project, from `directory` upwards.

    It has `python/`, or a pyproject.toml with `[tool.snaxum]`.
    """
    above = directory
    while not _is_project(above):
        parent = os.path.dirname(above)
        if parent == above:
            return directory  # the error names it
        above = parent
    return above


def _is_project(directory: str) -> bool:
    if os.path.isdir(os.path.join(directory, "python")):
        return True
    try:
        path = os.path.join(directory, "pyproject.toml")
        with open(path, encoding="utf-8", errors="replace") as file:
            return _TABLE.search(file.read()) is not None
    except OSError:
        return False
