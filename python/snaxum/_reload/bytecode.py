"""Loads the user's files from their source, also where the user's code loads a file by its path.

Owns the hook on the loader of Python that `importlib.util.spec_from_file_location` makes. A `.pyc`
belongs to a time stamp of whole seconds and a size, so it may be of an older text. Never loads a
module.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.machinery import SourceFileLoader
from typing import Any

from .user_paths import is_user_file

# The name that `py_compile` gives a loader: it writes a `.pyc`, and reads none.
_COMPILER = "<py_compile>"

_path_stats = SourceFileLoader.path_stats


def install() -> None:
    """Install the hook, for the life of the process."""
    SourceFileLoader.path_stats = _stats_of_libraries  # type: ignore[method-assign]


def _stats_of_libraries(self: SourceFileLoader, path: str) -> Mapping[str, Any]:
    """Return what a `.pyc` must fit. Raises OSError for a file of the user: no `.pyc` does."""
    if self.name != _COMPILER and is_user_file(os.path.abspath(path)):
        raise OSError("the file may have changed within a second")
    return _path_stats(self, path)
