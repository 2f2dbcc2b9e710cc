"""The records of `logging` of this process: each has its request, and they may be lines of JSON.

Owns the attributes `request_id` and `trace_id` of records (`log_handlers` writes them). Never
imports `logging` before other code does: it is large.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

from .._core.current_record import NO_REQUEST, current
from .._host import HostApi
from . import interpreter, leases
from .runtime import running

if TYPE_CHECKING:
    import logging


def install(host: HostApi, *, as_json: bool, is_dev: bool = False) -> None:
    """Add its request to each record; `as_json`: write all records as JSON to stderr.

    `is_dev`: write them from INFO on, and note which of them a line belongs to.
    """
    if "logging" in sys.modules or as_json or is_dev:
        _add_requests(host, is_dev=is_dev)
    else:
        interpreter.after_import("logging", partial(_add_requests, host, is_dev=False))
    if as_json or is_dev:
        from . import log_handlers

        log_handlers.write_json() if as_json else log_handlers.write_text()


def _add_requests(host: HostApi, *, is_dev: bool) -> None:
    """Add its request to each record from now on."""
    import logging

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


def _identity(host: HostApi) -> tuple[str, str]:
    """Return the id and the trace of the request that the caller works for."""
    exchange = host.dispatched()
    if exchange is None and (number := leases.request_id()) is not None:
        exchange = running().exchanges.get(number)
    if exchange is None:
        return NO_REQUEST, NO_REQUEST
    request_id, trace_id, _ = exchange.identity()
    return request_id, trace_id
