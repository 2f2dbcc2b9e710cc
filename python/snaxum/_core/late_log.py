"""The log of the framework, for modules that a start imports.

Owns the delay: `logging` imports `traceback`, `tokenize` and `string`, and most starts log nothing.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import logging


def late_log() -> logging.Logger:
    """Return what `logging.getLogger` does; `logging` is imported with the first record."""
    return cast("logging.Logger", _LateLog())


class _LateLog:
    """The logger; each of its methods is an attribute of this object from its first use on."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            import logging
        except OSError:  # no descriptor is left to read it; a record must not end its thread
            return _print
        value = vars(self)[name] = getattr(logging.getLogger("snaxum"), name)
        return value


def _print(message: str, *values: object, **_: object) -> None:
    """Write a record without `logging`."""
    print(message % values if values else message, file=sys.stderr)
