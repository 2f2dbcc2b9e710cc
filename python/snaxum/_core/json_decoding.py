"""JSON in: decodes a request's body strictly, with the place of an error.

Owns the accepted grammar: RFC 8259 in UTF-8, so neither NaN nor half surrogate pairs nor numbers
beyond a float. The codec in Rust does the work where it can. Never reads headers.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from . import json_codec
from .json_codec import FOUND
from .late_regex import late

MAX_DEPTH = 1024


class DecodingError(ValueError):
    """A text that is not JSON; the message has the reason, the line and the column."""


def loads(data: bytes, decode: Any = FOUND) -> Any:
    """Decode JSON. Raises DecodingError. Pass `decode=None` to do without the codec in Rust."""
    if decode is FOUND:
        decode = json_codec.decode
    if decode is not None:
        try:
            return decode(data)
        except ValueError:
            pass  # decoded again below: the codec knows no reason, and not all numbers
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        reason = f"byte 0x{data[error.start]:02x} is not UTF-8"
        raise DecodingError(f"{reason} at {_place(before, len(before))}") from None
    try:
        value = json.loads(text, parse_constant=_reject, parse_float=_finite)
    except json.JSONDecodeError as error:
        reason = error.msg[:1].lower() + error.msg[1:]
        raise DecodingError(f"{reason} at line {error.lineno} column {error.colno}") from None
    except RecursionError:
        raise DecodingError(_TOO_DEEP) from None
    except DecodingError:
        raise
    except ValueError:
        raise DecodingError("an integer has more digits than Python reads") from None
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _check_depth(value)
    if "\\u" in text:
        _check_surrogates(text)
    return value


_TOO_DEEP = f"nested over {MAX_DEPTH} deep"
# Every escape in turn, so that none begins in the middle of another; the group is half a pair.
_ESCAPE = late(r"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|(\\u[dD][89a-fA-F]..)|\\.", re.DOTALL)


def _place(text: str, position: int) -> str:
    line = text.count("\n", 0, position) + 1
    return f"line {line} column {position - text.rfind(chr(10), 0, position)}"


def _reject(constant: str) -> NoReturn:
    raise DecodingError(f"`{constant}` is not a number in JSON")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise DecodingError(f"the number {text[:20]} is out of range")
    return value


def _check_depth(value: object) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            if isinstance(outer, (dict, list))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return
    raise DecodingError(_TOO_DEEP)


def _check_surrogates(text: str) -> None:
    for escape in _ESCAPE.finditer(text):
        if escape[1]:
            place = _place(text, escape.start())
            raise DecodingError(f"{escape[1]} at {place} is half a surrogate pair")
