"""Modules of the standard library that are imported at their first use.

Owns the delay. `inspect` alone imports `ast`, `dis` and `tokenize`, and a server of usual handlers
needs none of them: they would be a good part of its start. Type checkers see the module itself.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


def late_module(name: str) -> Any:
    """Return what `import` binds: the module is imported when an attribute of it is first read."""
    return _LateModule(name)


class _LateModule:
    """A module; each of its attributes that was read is one of this object from then on."""

    def __init__(self, name: str) -> None:
        self._module = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = vars(self)[name] = getattr(import_module(self._module), name)
        return value
