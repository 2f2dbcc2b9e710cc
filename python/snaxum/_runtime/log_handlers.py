"""The handlers of `logging` that the server adds: of `--log-format json`, and of dev mode.

Owns both; the one of dev mode shows records from INFO on where the user has none. Never changes a
handler of the user.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

from ..logs import JsonFormatter

# The arguments of `basicConfig` that ask for handlers of the user's own.
_OWN_HANDLERS = ("filename", "handlers")


class _StderrHandler(logging.StreamHandler):  # type: ignore[type-arg]  # 3.10 has no argument
    """Writes to `sys.stderr` as it is at the time."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)
        self.setFormatter(JsonFormatter())

    @property
    def stream(self) -> TextIO:
        return sys.stderr


class _DevHandler(_StderrHandler):
    """Writes the records that no handler of the user gets."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def filter(self, record: logging.LogRecord) -> Any:
        logger: logging.Logger | None = logging.getLogger(record.name)
        while logger is not None:
            if any(handler is not self for handler in logger.handlers):
                return False
            logger = logger.parent if logger.propagate else None
        return super().filter(record)

    def format(self, record: logging.LogRecord) -> str:
        if record.name == "snaxum":  # a notice of the server
            return logging.Formatter().format(record)
        return super().format(record)


def write_text() -> None:
    """Write the records of loggers without a handler, from INFO on until the user sets a level."""
    root, handler, configure = logging.getLogger(), _DevHandler(), logging.basicConfig
    root.addHandler(handler)
    root.setLevel(logging.INFO)

    def basic_config(**kwargs: Any) -> None:
        """Configure the root as if there were no handler yet."""
        root.removeHandler(handler)
        configure(**kwargs)

    logging.basicConfig = basic_config


def write_json() -> None:
    """Write the records of all loggers; the level is INFO until the user sets it."""
    root, handler, configure = logging.getLogger(), _StderrHandler(), logging.basicConfig
    root.addHandler(handler)
    root.setLevel(logging.INFO)

    def basic_config(**kwargs: Any) -> None:
        """Set the level; the format is that of the server, unless there are handlers to add."""
        if kwargs.get("force") or any(kwargs.get(name) is not None for name in _OWN_HANDLERS):
            root.removeHandler(handler)
        if handler in root.handlers:
            level = kwargs.get("level")
            if level is not None:
                root.setLevel(level)
        else:
            configure(**kwargs)

    logging.basicConfig = basic_config
