"""The state in a module's globals: a new run of the module loses it.

Owns the comparison of globals right after a run with the globals now. Compares identities and
sizes only, and runs no code of the user.
"""

from __future__ import annotations

from types import FunctionType, ModuleType
from typing import Any

from .._core.objects import is_a, namespace

# The getters of these types: a subclass may override `__len__`.
_SIZED: tuple[Any, ...] = (list, dict, set, bytearray)


def snapshot_globals(module: ModuleType) -> dict[str, tuple[int, int]]:
    """Return identity and size of a module's globals, for `changed_globals`."""
    return {
        name: (id(value), _size(value))
        for name, value in list(namespace(module).items())
        if not name.startswith("__") and not is_a(value, ModuleType, FunctionType, type)
    }


def changed_globals(module: ModuleType, seen: dict[str, tuple[int, int]]) -> list[str]:
    """List the globals that have changed since the snapshot `seen`, sorted."""
    return sorted(
        name
        for name, (identity, size) in snapshot_globals(module).items()
        if seen.get(name, (identity, size)) != (identity, size)
    )


def _size(value: object) -> int:
    size = next((kind.__len__(value) for kind in _SIZED if is_a(value, kind)), -1)
    assert isinstance(size, int)
    return size
