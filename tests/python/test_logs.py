"""Log records as lines of JSON: `snaxum.JsonFormatter`."""

from __future__ import annotations

import json
import logging
import math
import sys
from datetime import datetime
from typing import Any

import pytest

from snaxum import JsonFormatter, Request
from snaxum._runtime import log_records


def formatted(record: logging.LogRecord) -> dict[str, Any]:
    text = JsonFormatter().format(record)
    assert text.isascii()
    assert "\n" not in text
    line: dict[str, Any] = json.loads(text)
    return line


def record(message: str, *args: object, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("shop", logging.WARNING, "shop.py", 1, message, args, None)
    vars(made).update(fields)
    return made


def test_a_line_has_the_record_and_the_fields_of_the_caller() -> None:
    line = formatted(record("%s of\n%s", 1, "ü", user=7, request_id="a-1", trace_id="-"))
    assert datetime.fromisoformat(line.pop("time").replace("Z", "+00:00")).tzinfo is not None
    assert line == {
        "level": "warning",
        "logger": "shop",
        "message": "1 of\nü",
        "request_id": "a-1",
        "user": 7,
    }


def test_an_exception_has_its_traceback() -> None:
    try:
        raise ValueError("no luck")
    except ValueError:
        made = record("failed")
        made.exc_info = sys.exc_info()
    exception = formatted(made)["exception"]
    assert exception.startswith("Traceback")
    assert exception.endswith("ValueError: no luck")


class Raising:
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, "nan"),
        ({1: math.inf}, "{1: inf}"),
        ({(1, 2): "x"}, "{(1, 2): 'x'}"),
        (1 + 2j, "(1+2j)"),
        (Raising(), "<Raising whose str raised RuntimeError>"),
    ],
)
def test_any_value_becomes_a_line(value: object, expected: str) -> None:
    assert formatted(record("message", value=value))["value"] == expected


def test_a_value_that_contains_itself_becomes_a_line() -> None:
    circle: list[object] = []
    circle.append(circle)
    assert formatted(record("message", value=circle))["value"] == "[[...]]"


def test_a_request_without_a_server_has_ids_too() -> None:
    request = Request.build()
    assert (len(request.trace_id), request.request_id) == (32, "0")
    assert request.traceparent.split("-")[1] == request.trace_id


class IdleHost:
    def dispatched(self) -> None:
        return None


def test_extra_may_name_the_request(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(logging.Logger, "handle", logging.Logger.handle)
    log_records.install(IdleHost(), as_json=False)  # type: ignore[arg-type]
    log = logging.getLogger("shop")
    log.warning("own", extra={"request_id": "mine"})
    log.warning("none")
    found = [(vars(each)["request_id"], vars(each)["trace_id"]) for each in caplog.records]
    assert found == [("mine", "-"), ("-", "-")]
