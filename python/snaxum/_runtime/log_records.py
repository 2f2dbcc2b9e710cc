"""The records of `logging` of this process: each has its request, and they may be lines of JSON.

Owns the attributes `request_id` and `trace_id` of records, the handler of `--log-format json`, and
the one of dev mode, which shows records from INFO on where the user has none. Never changes a
handler of the user.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

from .._core.current_record import current
from .._host import HostApi
from ..logs import NO_REQUEST, JsonFormatter
from . import leases
from .runtime import running

# The arguments of `basicConfig` that ask for handlers of the user's own.
_OWN_HANDLERS = ("filename", "handlers")


def install(host: HostApi, *, as_json: bool, is_dev: bool = False) -> None:
    """Add its request to each record; `as_json`: write all records as JSON to stderr.

    `is_dev`: write them from INFO on, and note which of them a line belongs to.
    """
    handle = logging.Logger.handle

    # Not by a factory of records: `extra` must not have a name that a new record has.
    def handle_with_request(self: logging.Logger, record: logging.LogRecord) -> None:
        """Add the request, unless `extra` names one."""
        fields = vars(record)
        if "request_id" not in fields or "trace_id" not in fields:
            request_id, trace_id = _identity(host)
            fields.setdefault("request_id", request_id)
            fields.setdefault("trace_id", trace_id)
        if not is_dev:
            handle(self, record)
            return
        before, current.record = current.record, record
        try:
            handle(self, record)
        finally:
            current.record = before

    logging.Logger.handle = handle_with_request  # type: ignore[method-assign]
    if as_json:
        _write_json()
    elif is_dev:
        _write_text()


def _identity(host: HostApi) -> tuple[str, str]:
    """Return the id and the trace of the request that the caller works for."""
    exchange = host.dispatched()
    if exchange is None and (number := leases.request_id()) is not None:
        exchange = running().exchanges.get(number)
    if exchange is None:
        return NO_REQUEST, NO_REQUEST
    request_id, trace_id, _ = exchange.identity()
    return request_id, trace_id


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


def _write_text() -> None:
    """Write the records of loggers without a handler, from INFO on until the user sets a level."""
    root, handler, configure = logging.getLogger(), _DevHandler(), logging.basicConfig
    root.addHandler(handler)
    root.setLevel(logging.INFO)

    def basic_config(**kwargs: Any) -> None:
        """Configure the root as if there were no handler yet."""
        root.removeHandler(handler)
        configure(**kwargs)

    logging.basicConfig = basic_config


def _write_json() -> None:
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
