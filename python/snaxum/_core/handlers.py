"""Finds the code of a handler behind its decorators.

Owns the way from a callable to its file and lines. Reads code objects, never source files: the
files may have changed since the code was loaded. Never calls a handler.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, TypeGuard

from .late_module import late_module

if TYPE_CHECKING:
    import inspect
else:
    inspect = late_module("inspect")

Handler = Callable[..., Any]

# The flags of code objects, as `inspect` names them.
_GENERATOR, _COROUTINE, _ASYNC_GENERATOR = 0x20, 0x80, 0x200


def is_plain(handler: object) -> TypeGuard[FunctionType]:
    """Report whether it is a function without attributes: nothing has wrapped or marked it."""
    return type(handler) is FunctionType and not handler.__dict__


def innermost(handler: object) -> Any:
    """Return the function inside `functools.wraps` and `functools.partial`."""
    if is_plain(handler):
        return handler
    target: Any = handler
    try:
        target = inspect.unwrap(target)
        while isinstance(target, functools.partial):
            target = inspect.unwrap(target.func)
    except ValueError:
        pass  # wrapped in a circle: describe the outermost
    return target


def layers(handler: object) -> list[Any]:
    """Return a handler, and the functions inside `functools.wraps` and `functools.partial`."""
    found: list[Any] = [handler]
    while True:
        outer = found[-1]
        inner = outer.func if isinstance(outer, functools.partial) else None
        inner = getattr(outer, "__wrapped__", inner)
        if inner is None or any(inner is each for each in found):
            return found
        found.append(inner)


def is_async(handler: object) -> bool:
    """Report whether a call returns an awaitable.

    A plain `def` around an `async def` counts as plain: it may await the other itself.
    """
    if is_plain(handler):
        return bool(handler.__code__.co_flags & _COROUTINE)
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(
        type(handler).__call__
    )


def is_async_generator(function: object) -> bool:
    """Report whether a call returns an async generator."""
    if is_plain(function):
        return bool(function.__code__.co_flags & _ASYNC_GENERATOR)
    return inspect.isasyncgenfunction(function)


def is_generator(function: object) -> bool:
    """Report whether a call returns a generator, also an async one."""
    if is_plain(function):
        return bool(function.__code__.co_flags & (_GENERATOR | _ASYNC_GENERATOR))
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


def code_of(handler: object) -> CodeType | None:
    """Return the user's code of the handler, if it is Python."""
    target = innermost(handler)
    code = getattr(target, "__code__", None)
    if code is None and callable(target):
        code = getattr(type(target).__call__, "__code__", None)
    return code if isinstance(code, CodeType) else None


def lines(code: CodeType) -> Iterator[int]:
    """Yield the line numbers of a function, in any order."""
    yield code.co_firstlineno
    if hasattr(code, "co_positions"):  # Python 3.11 has the last line of a long expression
        yield from (end for _, end, _, _ in code.co_positions() if end)
    else:
        yield from (line for _, _, line in code.co_lines() if line)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from lines(constant)


def source_file(handler: object) -> str:
    """Return the absolute path of the handler's source, or its label in angle brackets, or ""."""
    code = code_of(handler)
    if code is None:
        return ""
    file = code.co_filename
    return file if file.startswith("<") else os.path.abspath(file)


def where(handler: object) -> str:
    """Return `file:line` for an error message; without a source, the repr of the handler."""
    code = code_of(handler)
    return f"{source_file(handler)}:{code.co_firstlineno}" if code else repr(handler)


def relative_to(file: str, root: str) -> str:
    """Return `file` relative to `root` if it is below it, with forward slashes."""
    if not file or file.startswith("<"):
        return file
    below = root + os.sep
    if file.startswith(below) and os.pardir not in file:
        return file[len(below) :].replace(os.sep, "/")
    try:
        relative = os.path.relpath(file, root)
    except ValueError:  # another drive
        return file
    return file if relative.split(os.sep)[0] == os.pardir else relative.replace(os.sep, "/")


def reason_for_no_pool(handler: object, is_served: bool = False) -> str | None:
    """Return why a handler has no pool, and the way out; `is_served`: it has a batch or workers."""
    if is_async_generator(handler):
        return "an async generator has no pool; return one from an `async def`"
    if is_served and is_async(handler):
        return "an `async def` handler with a batch has no pool; make it a `def`"
    return None
