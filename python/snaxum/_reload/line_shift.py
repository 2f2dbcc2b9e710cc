"""Edits that only move lines: comments, blank lines, layout.

Owns the comparison of two codes but for their positions, and the exchange of the one for the
other in functions that exist. Beside it, the look at a module's globals that tells what a run
lost. Never runs user code.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

_PARTS = (
    "co_code",
    "co_names",
    "co_varnames",
    "co_freevars",
    "co_cellvars",
    "co_flags",
    "co_argcount",
    "co_posonlyargcount",
    "co_kwonlyargcount",
    "co_name",
)


def is_same_but_for_lines(old: CodeType, new: CodeType) -> bool:
    """Tell whether two codes do the same, at whatever lines."""
    if any(getattr(old, part) != getattr(new, part) for part in _PARTS):
        return False
    if getattr(old, "co_exceptiontable", b"") != getattr(new, "co_exceptiontable", b""):
        return False
    if len(old.co_consts) != len(new.co_consts):
        return False
    return all(_is_same_constant(old, a, new, b) for a, b in zip(old.co_consts, new.co_consts))


def _is_same_constant(old: CodeType, a: object, new: CodeType, b: object) -> bool:
    if isinstance(a, CodeType) and isinstance(b, CodeType):
        return is_same_but_for_lines(a, b)
    if type(a) is not type(b):
        return False
    # 1 == 1.0 and 0.0 == -0.0, which is not the same code; `repr` tells them apart, also inside.
    if repr(a) == repr(b):
        return True
    # Python 3.13: the body of a class holds the line that it begins on.
    return (a, b) == (old.co_firstlineno, new.co_firstlineno) and (
        "__firstlineno__" in old.co_names
    )


def exchange(module: ModuleType, handlers: Iterable[object], old: CodeType, new: CodeType) -> None:
    """Give the functions of a module, and of its handlers, the new line numbers."""
    # By identity: two functions may have equal codes.
    pairs = {id(before): after for before, after in _pairs(old, new)}
    for function in _functions([*vars(module).values(), *handlers], module.__name__):
        code = pairs.get(id(function.__code__))
        if code is not None:
            function.__code__ = code


def _pairs(old: CodeType, new: CodeType) -> Iterator[tuple[CodeType, CodeType]]:
    yield old, new
    for a, b in zip(old.co_consts, new.co_consts):
        if isinstance(a, CodeType) and isinstance(b, CodeType):
            yield from _pairs(a, b)


def _functions(values: Iterable[object], module: str) -> Iterator[FunctionType]:
    seen: set[int] = set()
    waiting = list(values)
    while waiting:
        value: Any = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, FunctionType):
            yield value
            waiting.extend(cell.cell_contents for cell in value.__closure__ or () if _is_full(cell))
            if "__wrapped__" in vars(value):
                waiting.append(vars(value)["__wrapped__"])
        elif isinstance(value, type):
            if value.__module__ == module:
                waiting.extend(vars(value).values())
        elif isinstance(value, (staticmethod, classmethod)):
            waiting.append(value.__func__)
        elif isinstance(value, property):
            waiting.extend((value.fget, value.fset, value.fdel))
        elif isinstance(value, types.MethodType):
            waiting.append(value.__func__)
        elif "__wrapped__" in getattr(value, "__dict__", {}):
            waiting.append(value.__wrapped__)
        elif type(value).__module__ == "functools":
            waiting.append(getattr(value, "func", None) or getattr(value, "__wrapped__", None))


def _is_full(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


def look_at_globals(module: ModuleType) -> dict[str, tuple[int, int]]:
    """Note what a module's globals are; `lost_state` compares."""
    return {
        name: (id(value), _size(value))
        for name, value in vars(module).items()
        if not name.startswith("__") and not isinstance(value, (ModuleType, FunctionType, type))
    }


def lost_state(module: ModuleType, seen: dict[str, tuple[int, int]]) -> list[str]:
    """Name the globals that have changed since the module ran: a new run begins without that."""
    return sorted(
        name
        for name, (identity, size) in look_at_globals(module).items()
        if seen.get(name, (identity, size)) != (identity, size)
    )


def _size(value: object) -> int:
    if isinstance(value, (list, dict, set, bytearray)):
        return len(value)
    return -1
