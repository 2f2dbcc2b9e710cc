"""Regular expressions that are compiled at their first use.

Owns the delay. A server needs few of the framework's expressions, and to compile them all would be
a good part of its start.
"""

from __future__ import annotations

import re
from typing import Any, AnyStr, cast


def late(pattern: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Return what `re.compile` does, for module globals: it is compiled when it is first used."""
    return cast("re.Pattern[AnyStr]", _Later(pattern, flags))


class _Later:
    """An expression; each of its methods is an attribute from its first use on."""

    def __init__(self, pattern: Any, flags: int) -> None:
        self._args = (pattern, flags)
        self.pattern = pattern

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = vars(self)[name] = getattr(re.compile(*self._args), name)
        return value
