"""The HTTP methods of a route.

Owns their check. Never matches a request.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..headers import is_token
from .patterns import PatternError


def checked_methods(methods: Iterable[str] | None) -> tuple[str, ...]:
    """Return the methods in upper case, sorted; without any, GET. Raises PatternError."""
    if methods is None:
        return ("GET",)
    if isinstance(methods, str):
        raise PatternError(f"methods is a str; write `methods=[{methods!r}]`")
    if not isinstance(methods, Iterable):
        kind = type(methods).__name__
        raise PatternError(f"methods is a {kind}; write a list such as `methods=['GET']`")
    names = list(methods)
    for name in names:
        if not isinstance(name, str) or not is_token(name):
            raise PatternError(f"{name!r} is not an HTTP method; write one such as 'GET'")
    if any(name.upper() == "WS" for name in names):
        raise PatternError("`WS` stands for WebSockets; declare one with `@websocket(path)`")
    if not names:
        raise PatternError("methods is empty; leave it out for GET")
    return tuple(sorted({name.upper() for name in names}))
