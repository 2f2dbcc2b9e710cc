"""The values of a path by name, as a handler reads them.

Owns the error for a name that the pattern does not have. Knows neither patterns nor requests.
"""

from __future__ import annotations

from typing import Any, NoReturn


class UnknownParameter(KeyError):
    """A parameter that the pattern of a route does not have: a mistake in its handler."""

    def __str__(self) -> str:
        return str(self.args[0])


class PathParams(dict[str, Any]):
    """The converted values of a path."""

    __slots__ = ()

    def __missing__(self, name: object) -> NoReturn:
        own = ", ".join(f"`{each}`" for each in self)
        has = f"its parameters are {own}" if own else "it has no parameter"
        raise UnknownParameter(f"the pattern of the route has no `<{name}>`; {has}")
