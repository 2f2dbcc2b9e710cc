"""Marks the handlers whose requests must not be recorded.

Owns the mark that `no_capture` sets, and finds it through decorators. Hides nothing itself: the
recorder checks the mark.
"""

from __future__ import annotations

from types import FunctionType
from typing import TypeVar

from ._core.handlers import Handler, layers

_H = TypeVar("_H", bound=Handler)

_MARK = "__snaxum_no_capture__"


def no_capture(handler: _H) -> _H:
    """Exclude the data of this handler's requests from dev mode's console and terminal.

    No body, no value of the query and no local variable of a traceback is recorded. Path, other
    headers, the text of an exception and printed lines are. Use it above or below `@route`;
    decorators between the two must use `functools.wraps`.
    """
    if not callable(handler):
        kind = type(handler).__name__
        raise TypeError(f"`@no_capture` marks a function, not a {kind}")
    try:
        setattr(handler, _MARK, True)
    except AttributeError:
        kind = type(handler).__name__
        raise TypeError(
            f"`@no_capture` cannot mark a {kind}; put it above the `def` of the handler"
        ) from None
    return handler


def is_private(handler: object) -> bool:
    """Report whether `no_capture` marks the handler, or a function inside it."""
    if type(handler) is FunctionType and not handler.__dict__:
        return False  # nothing has marked or wrapped it
    return any(
        getattr(layer, _MARK, False) is True
        or (callable(layer) and getattr(type(layer).__call__, _MARK, False) is True)
        for layer in layers(handler)
    )
