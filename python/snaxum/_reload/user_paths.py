"""The directories whose modules belong to the user, and how their paths are shown.

Owns the watched roots and the test whether a path is below one of them. Never reads a file.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Sequence

_roots: tuple[str, ...] = ()
_project: str = os.getcwd()


def configure(roots: Sequence[str], project: str) -> None:
    """Set the watched roots, the python dir first, and the directory that paths are shown from."""
    global _roots, _project
    _roots = tuple(os.path.abspath(root) for root in roots)
    _project = os.path.abspath(project)
    _user_dir.cache_clear()


def roots() -> tuple[str, ...]:
    """Return the watched roots."""
    return _roots


def import_root(filename: str) -> str | None:
    """Return the directory that the name of a user's module starts from."""
    if filename.startswith(_roots[0] + os.sep):
        return _roots[0]
    above = [entry for entry in (*_roots, *sys.path) if filename.startswith(entry + os.sep)]
    return max(above, key=len, default=None)


def is_user_file(filename: str) -> bool:
    """Report whether `filename` is below a watched root and not in an installed package."""
    for root in _roots:
        if filename.startswith(root + os.sep):
            inside = filename[len(root) + 1 :].split(os.sep)
            installed = filename.startswith(sys.prefix + os.sep) and not root.startswith(sys.prefix)
            return not installed and not any(
                part.startswith(".") or part in ("site-packages", "dist-packages")
                for part in inside[:-1]
            )
    return False


def is_user_path(path: str) -> bool:
    """Report whether a directory is a root or below one."""
    return path in _roots or is_user_file(path)


def user_dirs(path: Sequence[str] | None) -> list[str]:
    """List the user's directories on an import path, in its order; None is `sys.path`."""
    if path is None:
        path = sys.path if _roots[0] in sys.path else [*sys.path, _roots[0]]
    return [directory for entry in path if (directory := _user_dir(entry)) is not None]


@functools.lru_cache(maxsize=256)
def _user_dir(path: str) -> str | None:
    """Return a directory as an absolute path, if it belongs to the user."""
    path = os.path.abspath(path)
    return path if path in _roots or is_user_file(os.path.join(path, "any.py")) else None


def module_name(root: str, path: str) -> str | None:
    """Return the dotted name of the module that a file would be; None if it cannot be a module."""
    inside = os.path.relpath(path, root)
    parts = inside[: -len(".py")].split(os.sep)
    if parts[-1] == "__init__":
        parts.pop()
    if not parts or not all(part.isidentifier() for part in parts):
        return None
    return ".".join(parts)


def display_path(filename: str) -> str:
    """Shorten a path to the form that a person in the project would type."""
    prefix = _project + os.sep
    return filename[len(prefix) :] if filename.startswith(prefix) else filename


def display_root() -> str:
    """Return the directory that shown paths are relative to."""
    return _project
