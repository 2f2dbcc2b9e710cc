"""The record of `logging` that the handlers of a thread write, in dev mode.

Owns the variable, and nothing else.
"""

from __future__ import annotations

import logging
import threading


class _Current(threading.local):
    record: logging.LogRecord | None = None


current = _Current()
