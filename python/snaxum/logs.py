"""Log records as lines of JSON: `JsonFormatter`.

Owns the shape of a line. With `--log-format json` the server formats every record of `logging` with
it; a handler of your own may use it too.
"""

from __future__ import annotations

import json
import logging
from typing import Any

from ._core.current_record import NO_REQUEST

# The attributes that each record has, so that all others are fields of the caller.
_OWN = frozenset(
    (
        *vars(logging.makeLogRecord({})),
        "asctime",
        "message",
        "request_id",
        "taskName",
        "trace_id",
    )
)


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON.

    - `time`: in UTC with milliseconds (RFC 3339); `level`: `info`, `warning`, `error`, …
    - `logger`: its name; `message`: with its arguments
    - `request_id`, `trace_id`: of the request that the caller works for, if there is one
    - `exception`, `stack`: the traceback, and the stack of `stack_info`
    - the fields of `extra`; a value that is not JSON becomes its `str`
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without a line break."""
        from datetime import datetime, timezone  # most servers write no log as JSON

        time = datetime.fromtimestamp(record.created, timezone.utc)
        line: dict[str, Any] = {
            "time": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name in ("request_id", "trace_id"):
            value = getattr(record, name, None)
            if value is not None and value != NO_REQUEST:
                line[name] = value
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        elif record.exc_text:
            line["exception"] = record.exc_text
        if record.stack_info:
            line["stack"] = self.formatStack(record.stack_info)
        for name, value in vars(record).items():
            if name not in _OWN and name not in line:
                line[name] = value
        try:
            return json.dumps(line, default=_text, allow_nan=False)
        except (TypeError, ValueError):  # NaN, a key that is not a text, a circle
            plain = {
                name: value if type(value) is str else _text(value) for name, value in line.items()
            }
            return json.dumps(plain)


def _text(value: object) -> str:
    """Return the text of a value; it may raise on any attribute."""
    try:
        return str(value)
    except Exception as error:
        return f"<{type(value).__name__} whose str raised {type(error).__name__}>"
