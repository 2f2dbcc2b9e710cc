"""Regular expressions that are compiled at their first use.

Owns the delay. A server needs few of the framework's expressions, and to compile them all would be
a good part of its start.
"""

from __future__ import annotations

import re
from typing import Any, AnyStr, cast

_ATTRIBUTES = ("finditer", "fullmatch", "match", "pattern", "search", "split", "sub")


def late(pattern: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Return what `re.compile` does, for module globals: it is compiled when it is first used."""
    return cast("re.Pattern[AnyStr]", _Later(pattern, flags))


class _Later:
    """An expression; after its first use its methods are attributes."""

    def __init__(self, pattern: str | bytes, flags: int) -> None:
        self._args = (pattern, flags)
        self.pattern = pattern

    def __getattr__(self, name: str) -> Any:
        if name not in _ATTRIBUTES:
            raise AttributeError(name)
        compiled: re.Pattern[Any] = re.compile(*self._args)
        vars(self).update((each, getattr(compiled, each)) for each in _ATTRIBUTES)
        return getattr(compiled, name)
