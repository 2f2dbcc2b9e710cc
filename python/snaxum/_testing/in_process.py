"""Loads a project into this process, for a plain pytest and for another server.

Owns the loaded project, to its end with the interpreter or before, or why it did not load. Needs
the extension module of an installed package.
"""

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401  # its end of the interpreter must come after ours
import os
import re
import sys
import threading
from typing import Any

from .._command import describe_host
from .._runtime.runtime import has_started

_TABLE = re.compile(r"^[ \t]*\[[ \t]*tool[ \t]*\.[ \t]*snaxum[ \t]*[.\]]", re.MULTILINE)


# The project that this process has loaded, and whether one has ended.
_project: Any = None
_has_ended = False
# The directory of a project that did not load, and the reason.
_failure: tuple[str, str] | None = None


def load(project: str | None, way_out: str) -> None:
    """Load the project in this directory, by default that of the working directory.

    Raises RuntimeError, and again for a project whose modules did not load; `way_out` follows if
    the extension module is missing.
    """
    global _project, _has_ended, _failure
    try:
        from .. import _snaxum
    except ImportError:
        raise RuntimeError(f"no project is loaded in this process; {way_out}") from None
    directory = os.path.abspath(project if project is not None else _project_of(os.getcwd()))
    if _failure is not None and _failure[0] == directory:
        raise RuntimeError(_failure[1])
    try:
        _project = _snaxum.load(describe_host(), directory)
    except (RuntimeError, ValueError) as error:
        if has_started():
            _failure = directory, str(error)
        raise RuntimeError(str(error)) from None
    _failure = None
    _has_ended = False
    # `atexit` is too late: by then no executor takes a task of `on_shutdown`.
    threading._register_atexit(_project.close)  # type: ignore[attr-defined]


def unload() -> None:
    """End the project that `load` has loaded; another one may be loaded then."""
    global _project, _has_ended
    project, _project = _project, None
    if project is None:
        return
    from .._reload import loader

    _has_ended = True
    project.close()  # a second call at the exit has no effect
    # The next load runs them again.
    for name in loader.user_modules():
        del sys.modules[name]


def has_failed() -> bool:
    """Report whether the modules of the last project did not load."""
    return _failure is not None


def has_ended() -> bool:
    """Report whether the project of this process has ended."""
    return _has_ended


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
