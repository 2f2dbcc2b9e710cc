"""Calls a handler with its arguments: one function for each, generated when its route is made.

Owns the way from a plan to a call. Values that are converted are in `argument_extraction`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from .arguments import Argument
from .handlers import Handler
from .own_files import LABEL

# The arguments that are objects, and the parameter of the generated function that has each.
_OBJECTS = {
    "request": "request",
    "websocket": "request",
    "handshake": "request.request",
    "pool": "pool",
}
# Its frames belong to the framework.
_FILE = f"{LABEL}_core/calls.py"


def bind(handler: Handler, arguments: Sequence[Argument] | None, *, with_pool: bool) -> Handler:
    """Return the function that takes the request, and the pool, and calls `handler` as planned."""
    if arguments is None:
        return handler
    leading = list(itertools.takewhile(_is_positional, arguments))
    sources = ["request" if each.source == "websocket" else each.source for each in leading]
    if len(leading) == len(arguments) and sources == ["request", "pool"][: 1 + with_pool]:
        return handler  # the usual one costs nothing
    scope: dict[str, Any] = {"handler": handler}
    lines = ["def call(request, pool=None):"]
    values = [each for each in arguments if _is_value(each)]
    if values:
        from . import argument_extraction

        lines += [f" {line}" for line in argument_extraction.code(values, scope)]
    numbers = itertools.count()
    expressions = {
        each.name: f"a{next(numbers)}" if _is_value(each) else _expression(each)
        for each in arguments
    }
    passed = [expressions[each.name] for each in leading]
    passed += [f"{each.name}={expressions[each.name]}" for each in arguments[len(leading) :]]
    lines.append(f" return handler({', '.join(passed)})")
    exec(compile("\n".join(lines), _FILE, "exec"), scope)
    call: Handler = scope["call"]
    return call


def _is_positional(argument: Argument) -> bool:
    """Report whether a value goes by position, as decorators expect of request and pool."""
    if argument.source in _OBJECTS:
        return argument.passing != "keyword"
    return argument.passing == "positional"


def _is_value(argument: Argument) -> bool:
    """Report whether a value is read and converted, with a fault if that is not possible."""
    return argument.source not in _OBJECTS and not argument.is_as_matched


def _expression(argument: Argument) -> str:
    return _OBJECTS.get(str(argument.source)) or f"request.path_params[{argument.key!r}]"
