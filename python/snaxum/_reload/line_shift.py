"""Edits that only move lines: comments, blank lines, layout. No module runs again for them.

Owns the comparison of two code objects without their positions, and the swap of one for the other
in existing functions. Never runs code of the user.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

from .._core.objects import attribute, is_a, module_of, namespace, own_attributes, type_namespace
from .._runtime.generations import current
from .loader import UserLoader
from .model import Node, Source

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
    """Report whether two code objects differ in their line numbers only."""
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
    # 1 == 1.0 and 0.0 == -0.0, but their code differs; `repr` shows it, also inside a tuple.
    if repr(a) == repr(b):
        return True
    # Python 3.13: the body of a class has its first line as a constant.
    return (a, b) == (old.co_firstlineno, new.co_firstlineno) and (
        "__firstlineno__" in old.co_names
    )


def apply(node: Node, source: Source, module: ModuleType | None) -> None:
    """Give a module of the serving generation the line numbers of `source`."""
    old, node.source = node.source, source
    if module is None or old is None or old.code is None:
        return
    declared = [route.handler for route in node.routes]
    declared += [hook.function for hook in node.request_hooks]
    swap_code(module, declared, old.code, source.compile())
    loader = attribute(namespace(module).get("__spec__"), "loader")
    if is_a(loader, UserLoader):
        loader.source = source
    sources = current().sources
    if sources is not None:
        sources.replace(source)


def swap_code(module: ModuleType, handlers: Iterable[object], old: CodeType, new: CodeType) -> None:
    """Give the functions of a module, and of its handlers, the new line numbers."""
    # By identity: two functions may have equal code.
    pairs = {id(before): after for before, after in _pairs(old, new)}
    names = namespace(module)
    for function in _functions([*names.values(), *handlers], names.get("__name__")):
        code = pairs.get(id(function.__code__))
        if code is not None:
            function.__code__ = code


def _pairs(old: CodeType, new: CodeType) -> Iterator[tuple[CodeType, CodeType]]:
    yield old, new
    for a, b in zip(old.co_consts, new.co_consts):
        if isinstance(a, CodeType) and isinstance(b, CodeType):
            yield from _pairs(a, b)


def _functions(values: Iterable[object], module: object) -> Iterator[FunctionType]:
    seen: set[int] = set()
    waiting = list(values)
    while waiting:
        value: Any = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if type(value) is FunctionType:
            yield value
            waiting.extend(cell.cell_contents for cell in value.__closure__ or () if _is_full(cell))
            if "__wrapped__" in vars(value):
                waiting.append(vars(value)["__wrapped__"])
        elif is_a(value, type):
            if module_of(value) == module:
                waiting.extend(type_namespace(value).values())
        elif is_a(value, staticmethod, classmethod, types.MethodType):
            waiting.append(attribute(value, "__func__"))
        elif is_a(value, property):
            waiting.extend(attribute(value, part) for part in ("fget", "fset", "fdel"))
        elif "__wrapped__" in (names := own_attributes(value)):
            waiting.append(names["__wrapped__"])
        elif module_of(type(value)) == "functools":
            waiting += [attribute(value, "func"), attribute(value, "__wrapped__")]


def _is_full(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True
