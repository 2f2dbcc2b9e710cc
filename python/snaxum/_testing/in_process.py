"""Loads a project for tests that pytest runs by itself, without `snaxum test`.

Owns the loaded project, to its end with the interpreter. Needs the extension module of an installed
package.
"""

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401  # its end of the interpreter must come after ours
import os
import re
import sys
import threading

_TABLE = re.compile(r"^[ \t]*\[[ \t]*tool[ \t]*\.[ \t]*snaxum[ \t]*[.\]]", re.MULTILINE)


def load(project: str | None) -> None:
    """Load the project in this directory. Raises RuntimeError."""
    try:
        from .. import _snaxum
    except ImportError:
        raise RuntimeError(
            "no project is loaded in this process; run the tests with `snaxum test`, or install "
            "the wheel of snaxum in this environment"
        ) from None
    directory = os.path.abspath(project if project is not None else _project_of(os.getcwd()))
    loaded = _snaxum.load(sys.executable, sys.version.split()[0], directory)
    # `atexit` is too late: by then no executor takes a task of `on_shutdown`.
    threading._register_atexit(loaded.close)  # type: ignore[attr-defined]


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
