"""Chooses the event loop of asyncio: uvloop where it is installed, or as configured.

Never runs a loop. Imports asyncio with the first one: it is large.
"""

from __future__ import annotations

import importlib.util
import sys
from typing import TYPE_CHECKING

from .._core.late_log import late_log
from .bad_option import BadOption

if TYPE_CHECKING:
    import asyncio

_log = late_log()


def check(kind: str) -> None:
    """Raise BadOption if the loop of this kind (auto, asyncio, uvloop) is not installed."""
    if kind == "uvloop" and importlib.util.find_spec("uvloop") is None:
        raise BadOption(
            "loop",
            f"uvloop, which is not installed for {sys.executable}; add `uvloop` to the "
            "dependencies in pyproject.toml and run `snaxum sync`, or set `loop` to auto",
        )


def new_loop(kind: str) -> asyncio.AbstractEventLoop:
    """Make a loop of this kind."""
    import asyncio

    if kind != "asyncio":
        try:
            import uvloop  # type: ignore[import-not-found, unused-ignore]

            loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
            return loop
        except Exception as error:  # it is of another platform, or damaged
            is_missing = isinstance(error, ModuleNotFoundError) and error.name == "uvloop"
            if not is_missing:
                _log.warning("uvloop does not load (%s); asyncio's own loop is used", error)
    return asyncio.new_event_loop()
