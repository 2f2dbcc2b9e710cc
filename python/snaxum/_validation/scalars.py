"""Scalars: single values, from the text of a query, header or path, or from JSON.

Owns the accepted forms of each type, the same as in msgspec: RFC 3339 for times, ISO 8601 for
durations; from text also numbers, and the words for true and false. Never converts a container.
"""

from __future__ import annotations

import binascii
import datetime as dt
import re
import uuid
from base64 import b64decode
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from .faults import INVALID, Fault, Faults, Loc

# The expectation for the message, the name of the fault, and a function that raises ValueError.
ScalarConversion = tuple[str, str, Callable[[Any], Any]]

TRUE = frozenset(("true", "1", "on", "yes"))
FALSE = frozenset(("false", "0", "-0", "off", "no"))
# The words that msgspec does not know.
WORDS = {"on": "true", "yes": "true", "off": "false", "no": "false"}

_INT = re.compile(r"-?(?:0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_SPECIAL = re.compile(r"[+-]?(?:nan|inf|infinity)", re.IGNORECASE)
_ZONE = r"([zZ]|[+-][0-9]{2}:?[0-9]{2})?"
_CLOCK = r"([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_TIME = re.compile(_CLOCK + _ZONE)
_DATETIME = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]" + _CLOCK + _ZONE)
_DURATION = re.compile(
    r"([+-]?)P(?:([0-9]+(?:\.[0-9]+)?)D)?"
    r"(?:T(?=[0-9])(?:([0-9]+(?:\.[0-9]+)?)H)?(?:([0-9]+(?:\.[0-9]+)?)M)?(?:([0-9]+(?:\.[0-9]+)?)S)?)?",
    re.IGNORECASE,
)
_UUID = re.compile("[0-9a-fA-F]{32}|" + "-".join(f"[0-9a-fA-F]{{{n}}}" for n in (8, 4, 4, 4, 12)))
# msgspec's limit for the digits of an integer.
_MAX_DIGITS = 4300
_UTC = dt.timezone.utc
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=_UTC)


def is_integer(text: str) -> bool:
    """Report whether a text is an integer as JSON writes it."""
    return _INT.fullmatch(text) is not None


def _matched(pattern: re.Pattern[str], value: Any) -> re.Match[str]:
    found = pattern.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError
    return found


def _int_text(text: Any) -> int:
    if _INT.fullmatch(text):
        if len(text) > _MAX_DIGITS:
            raise ValueError
        return int(text)
    number = _float_text(text)
    if not number.is_integer() or _SPECIAL.fullmatch(text):
        raise ValueError
    return int(number)


def _float_text(text: Any) -> float:
    if _SPECIAL.fullmatch(text):
        return float(text)
    number = float(_matched(_NUMBER, text)[0])
    if number in (float("inf"), float("-inf")):
        raise ValueError
    return number


def _bool_text(text: str) -> bool:
    lowered = text.lower()
    if lowered in TRUE:
        return True
    if lowered in FALSE:
        return False
    raise ValueError


def _float_json(value: Any) -> float:
    if type(value) is float:
        return value
    if type(value) is int:
        return float(value)
    raise ValueError


def _exactly(kind: type) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if type(value) is not kind:
            raise ValueError
        return value

    return check


def _base64(value: Any) -> bytes:
    if not isinstance(value, str):
        raise ValueError
    try:
        return b64decode(value, validate=True)
    except binascii.Error:
        raise ValueError from None


def _seconds(value: Any) -> float:
    number = _float_text(value) if isinstance(value, str) else _float_json(value)
    if number != number:
        raise ValueError
    return number


def _zone(text: str | None) -> dt.tzinfo | None:
    if not text:
        return None
    if text in "zZ":
        return _UTC
    hours, minutes = int(text[1:3]), int(text[-2:])
    if hours > 23 or minutes > 59:
        raise ValueError
    offset = dt.timedelta(hours=hours, minutes=minutes)
    return dt.timezone(-offset if text[0] == "-" else offset) if offset else _UTC


def _micros(digits: str | None) -> int:
    """Round a fraction of a second to microseconds; 1,000,000 is one second more."""
    if not digits:
        return 0
    return int((int(digits[:9].ljust(9, "0")) + 500) // 1000)


def _date(value: Any) -> dt.date:
    year, month, day = _matched(_DATE, value).groups()
    return dt.date(int(year), int(month), int(day))


def _time(value: Any) -> dt.time:
    hour, minute, second, fraction, zone = _matched(_TIME, value).groups()
    micros = min(_micros(fraction), 999_999)
    return dt.time(int(hour), int(minute), int(second), micros, tzinfo=_zone(zone))


def _datetime(value: Any) -> dt.datetime:
    parts = _matched(_DATETIME, value).groups()
    moment = dt.datetime(*map(int, parts[:6]), tzinfo=_zone(parts[7]))  # type: ignore[misc,arg-type]
    try:
        return moment + dt.timedelta(microseconds=_micros(parts[6]))
    except OverflowError:
        raise ValueError from None


def _datetime_text(text: Any) -> dt.datetime:
    if _NUMBER.fullmatch(text):
        try:
            return _EPOCH + dt.timedelta(seconds=_seconds(text))
        except OverflowError:
            raise ValueError from None
    return _datetime(with_time(text))


def with_time(text: str) -> str:
    """Return the text of a date with midnight, and any other as it is."""
    return f"{text}T00:00:00" if _DATE.fullmatch(text) else text


def _timedelta(value: Any) -> dt.timedelta:
    parts = _matched(_DURATION, value).groups()
    if not any(parts[1:]):
        raise ValueError
    days, hours, minutes, seconds = (float(part or 0) for part in parts[1:])
    try:
        length = dt.timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        raise ValueError from None
    return -length if parts[0] == "-" else length


def _timedelta_text(text: Any) -> dt.timedelta:
    if _NUMBER.fullmatch(text) or _SPECIAL.fullmatch(text):
        try:
            return dt.timedelta(seconds=_seconds(text))
        except OverflowError:
            raise ValueError from None
    return _timedelta(text)


def _uuid_of(value: Any) -> uuid.UUID:
    return uuid.UUID(_matched(_UUID, value)[0])


def _decimal(value: Any) -> Decimal:
    if type(value) in (int, float):
        return Decimal(str(value))
    if not isinstance(value, str):
        raise ValueError
    try:
        return Decimal(value)
    except InvalidOperation:
        raise ValueError from None


_MOMENTS: dict[type, ScalarConversion] = {
    dt.datetime: ("a date with a time, as 2026-01-31T12:00:00Z", "datetime_parsing", _datetime),
    dt.date: ("a date, as 2026-01-31", "date_parsing", _date),
    dt.time: ("a time, as 12:00:00", "time_parsing", _time),
    dt.timedelta: ("a duration, as PT1H30M", "time_delta_parsing", _timedelta),
    uuid.UUID: ("a UUID", "uuid_parsing", _uuid_of),
    Decimal: ("a decimal number", "decimal_parsing", _decimal),
}
JSON: dict[type, ScalarConversion] = {
    str: ("a string", "string_type", _exactly(str)),
    int: ("an integer", "int_type", _exactly(int)),
    float: ("a number", "float_type", _float_json),
    bool: ("true or false", "bool_type", _exactly(bool)),
    bytes: ("bytes in base64", "bytes_type", _base64),
    **_MOMENTS,
}
TEXT: dict[type, ScalarConversion] = {
    **JSON,
    int: ("an integer", "int_parsing", _int_text),
    float: ("a number", "float_parsing", _float_text),
    bool: ("true or false", "bool_parsing", _bool_text),
    bytes: ("text", "bytes_type", str.encode),
    dt.datetime: (*_MOMENTS[dt.datetime][:2], _datetime_text),
    dt.timedelta: (*_MOMENTS[dt.timedelta][:2], _timedelta_text),
}
# The kind of each type for its limits, as in `constraints.split`.
KINDS: dict[type, str] = {
    str: "text",
    int: "number",
    float: "number",
    Decimal: "number",
    bytes: "bytes",
    dt.datetime: "datetime",
    dt.date: "date",
    dt.time: "time",
    dt.timedelta: "timedelta",
}


def null(value: Any, loc: Loc, faults: Faults) -> Any:
    """Convert the null of JSON."""
    if value is None:
        return None
    faults.append(Fault(loc, "must be null", "none_required"))
    return INVALID


def null_text(value: Any, loc: Loc, faults: Faults) -> Any:
    """Convert the text `null`."""
    return None if is_null(value) else null(value, loc, faults)


def is_null(value: Any) -> bool:
    """Report whether a value is the text `null`, in any case."""
    return isinstance(value, str) and value.lower() == "null"
