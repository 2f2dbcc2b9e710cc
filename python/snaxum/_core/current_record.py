"""The record of `logging` that the handlers of a thread write, in dev mode.

Owns the variable, and the name of no request.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging


class _Current(threading.local):
    record: logging.LogRecord | None = None


current = _Current()
# The `request_id` and the `trace_id` of a record that belongs to no request.
NO_REQUEST = "-"
