"""The exceptions that a framework handles itself: it logs them, or responds with the status 500
from its `except` block.

Owns the note of them, one list for each request, so that the console can show the traceback. Only
in dev mode. Never changes a record.
"""

from __future__ import annotations

import logging
import sys
from contextvars import ContextVar
from typing import Any

from .._core.objects import is_a

# The exceptions that the caller's request has logged; None outside of requests.
_of_request: ContextVar[list[BaseException] | None] = ContextVar("snaxum_noted", default=None)
_is_installed = False


def begin() -> list[BaseException]:
    """Note the exceptions that the calling context logs from now on, in the list returned."""
    _install()
    noted: list[BaseException] = []
    _of_request.set(noted)
    return noted


def note_handled(
    noted: list[BaseException], status: int, error: BaseException | None = None
) -> None:
    """Note `error`, or the exception that the caller handles now: it has led to the response.

    An exception that asks for this status, as `HTTPException(503)` does, is not a fault.
    """
    if error is None:
        error = sys.exc_info()[1]
    if error is None or not is_a(error, Exception):
        return
    try:
        asked = [getattr(error, name, None) for name in ("status_code", "status", "code")]
        is_asked = status in asked
    except Exception:  # an object of the user's may raise on any question
        is_asked = False
    if not is_asked:
        noted[:] = [error]


def _install() -> None:
    """Read the exception of each record that is made."""
    global _is_installed
    if _is_installed:
        return
    _is_installed = True
    make = logging.getLogRecordFactory()

    def make_and_note(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        noted = _of_request.get()
        if noted is not None and record.exc_info and record.exc_info[1] is not None:
            noted[:] = [record.exc_info[1]]
        return record

    logging.setLogRecordFactory(make_and_note)
