"""Distinguishes ASGI 3 from WSGI applications, by how they can be called.

Owns the rule and its error messages. Never calls an application.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Literal

from .late_module import late_module

if TYPE_CHECKING:
    import inspect
else:
    inspect = late_module("inspect")

Interface = Literal["asgi", "wsgi"]
INTERFACES: tuple[Interface, ...] = ("asgi", "wsgi")

_NAMED = 'name it: `interface="asgi"` or `interface="wsgi"`'


def interface_of(app: object) -> Interface:
    """Return the interface of an application.

    An async callable, or one of three parameters, is ASGI 3; one of two is WSGI. Raises ValueError
    with the way out for anything else.
    """
    if not callable(app):
        raise ValueError(_not_callable(app))
    count = _count(app)
    if _is_coroutine(app):
        if count in (3, None):
            return "asgi"
        raise ValueError(
            f"it is async and takes {_parameters(count)}; an ASGI application takes "
            "`(scope, receive, send)`"
        )
    if count == 3:
        return "asgi"
    if count == 2:
        return "wsgi"
    if count == 1:
        raise ValueError(
            "it takes one parameter, as an application of ASGI 2; wrap it with "
            "`asgiref.compatibility.guarantee_single_callable`"
        )
    if count == 0:
        name = getattr(app, "__name__", type(app).__name__)
        raise ValueError(f"it takes no parameter, as a factory; call it: `{name}()`")
    if count is None:
        raise ValueError(f"its parameters do not show whether it is ASGI or WSGI; {_NAMED}")
    raise ValueError(
        f"it takes {_parameters(count)}; an ASGI application takes `(scope, receive, send)`, "
        "a WSGI application `(environ, start_response)`"
    )


def checked_interface(interface: object) -> Interface:
    """Return an interface that was named. Raises ValueError for another value."""
    for each in INTERFACES:
        if interface == each:
            return each
    raise ValueError(f"`interface` is {interface!r}; pass 'asgi' or 'wsgi'")


def _not_callable(app: object) -> str:
    kind = type(app).__name__
    if isinstance(app, str):
        return f"it is the str {app!r}; import the application, and pass the object"
    if inspect.ismodule(app):
        return f"it is the module `{app.__name__}`; pass its application, as `{app.__name__}.app`"
    return f"it is a {kind}, which cannot be called; pass an ASGI or a WSGI application"


def _parameters(count: int | None) -> str:
    return "one parameter" if count == 1 else f"{count} parameters"


def _is_coroutine(app: Any) -> bool:
    while isinstance(app, functools.partial):
        app = app.func
    return inspect.iscoroutinefunction(app) or (
        not inspect.isclass(app) and inspect.iscoroutinefunction(type(app).__call__)
    )


def _count(app: Any) -> int | None:
    """Return the number of arguments that a call by position needs; None if it is unknown."""
    try:
        parameters = inspect.signature(app).parameters.values()
    except (TypeError, ValueError, NameError):
        return None  # a function of C
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return None
    by_position = [
        each
        for each in parameters
        if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
    ]
    if any(each.kind is each.KEYWORD_ONLY and each.default is each.empty for each in parameters):
        return len(by_position) + 4  # no server passes it
    needed = sum(each.default is each.empty for each in by_position)
    if needed in (2, 3) or (needed == 0 and len(by_position) < 2):
        return needed
    return len(by_position)  # `def app(scope, receive=None, send=None)` is called with all three
