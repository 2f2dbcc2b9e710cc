"""Loads a project for tests that pytest runs by itself, without `snaxum test`.

Owns the loaded project, to its end with the interpreter. Needs the extension module of an installed
package.
"""

from __future__ import annotations

import atexit
import os
import sys


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
    atexit.register(loaded.close)


def _project_of(directory: str) -> str:
    """Find the nearest directory that has `python/`, from `directory` upwards."""
    above = directory
    while not os.path.isdir(os.path.join(above, "python")):
        parent = os.path.dirname(above)
        if parent == above:
            return directory  # the error names it
        above = parent
    return above
