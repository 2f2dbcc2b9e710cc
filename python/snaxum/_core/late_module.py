"""Modules that are imported at their first use.

Owns the delay. `inspect` alone imports `ast`, `dis` and `tokenize`, and a server of usual handlers
needs none of them: they would be a good part of its start. Nor does it need the framework's modules
for failures, files or forms before its first response. Type checkers see the module itself.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_PACKAGE = __name__.partition(".")[0] + "."
# The modules of the framework that were declared.
_own: set[str] = set()


def late_module(name: str) -> Any:
    """Return what `import` binds: the module is imported when an attribute of it is first read."""
    if name.startswith(_PACKAGE):
        _own.add(name)
    return _LateModule(name)


def late_modules(package: str, names: str) -> list[Any]:
    """Return several modules of a package; a space separates their names."""
    return [late_module(f"{package}.{name}") for name in names.split()]


def import_own(*others: str, but: str = "") -> None:
    """Import the framework's modules that were declared so far, and `others`; none below `but`.

    A server that has started does so: later it may have no descriptor left to read one, or the
    installed package may be of another version.
    """
    for name in sorted({*_own, *others}):
        if not (but and name.startswith(but)):
            import_module(name)


class _LateModule:
    """A module; each of its attributes that was read is one of this object from then on."""

    def __init__(self, name: str) -> None:
        self._module = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = vars(self)[name] = getattr(import_module(self._module), name)
        return value
