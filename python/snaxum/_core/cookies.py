"""Cookies: the header of a request, and the header of a response that sets one.

Owns both forms and the checks of what a cookie can have. Knows neither requests nor responses.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..headers import is_token
from .late_regex import late

if TYPE_CHECKING:
    import datetime as dt

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# In the past for every client.
EPOCH = 0


def parse_cookies(header: str) -> dict[str, str]:
    """Parse a Cookie header; the first value of a name counts, which is the most specific.

    A pair without a name or `=` is skipped: browsers send it. Raises ValueError with the place of a
    name or a quoted value that RFC 6265 does not have.
    """
    cookies: dict[str, str] = {}
    at = 0
    for pair in header.split(";"):
        name, equals, value = pair.partition("=")
        name, value = name.strip(), value.strip()
        if equals and name:
            if not _COOKIE_NAME.fullmatch(name):
                raise ValueError(f"{name!r} at character {at + 1} is not the name of a cookie")
            if len(value) > 1 and value[0] == '"' != value[-1]:
                raise ValueError(f"the cookie `{name}` at character {at + 1} has no closing quote")
            cookies.setdefault(name, unquote_value(value))
        at += len(pair) + 1
    return cookies


def format_cookie(
    key: str,
    value: str,
    *,
    max_age: dt.timedelta | int | None,
    expires: dt.datetime | float | str | None,
    path: str | None,
    domain: str | None,
    secure: bool,
    httponly: bool,
    samesite: str | None,
    partitioned: bool,
) -> str:
    """Write the value of a Set-Cookie header. Raises TypeError or ValueError."""
    if not is_token(key):
        raise ValueError(f"{key!r} is not a cookie name; use letters, digits, `-` and `_`")
    if not isinstance(value, str):
        kind = type(value).__name__
        raise TypeError(f"cookie `{key}` has the value {value!r}, a {kind}; use a str")
    parts = [f"{key}={quote_value(value)}"]
    if max_age is not None:
        parts.append(f"Max-Age={_seconds(max_age)}")
    if expires is not None:
        parts.append(f"Expires={_date(key, expires)}")
    for attribute, text in (("Path", path), ("Domain", domain)):
        if text is not None:
            parts.append(f"{attribute}={_checked(key, attribute.lower(), text)}")
    if samesite is not None:
        if samesite.title() not in ("Lax", "Strict", "None"):
            raise ValueError(f"cookie `{key}` has samesite={samesite!r}; use Lax, Strict or None")
        parts.append(f"SameSite={samesite.title()}")
    # Browsers drop a partitioned cookie that is not secure.
    parts += ["Secure"] * bool(secure or partitioned) + ["HttpOnly"] * bool(httponly)
    parts += ["Partitioned"] * bool(partitioned)
    return "; ".join(parts)


def _seconds(max_age: dt.timedelta | float) -> int:
    # Its module is large, and most servers set no cookie.
    from datetime import timedelta

    return int(max_age.total_seconds() if isinstance(max_age, timedelta) else max_age)


def _date(key: str, expires: dt.datetime | float | str) -> str:
    """Write a date; a datetime without a time zone is UTC, a number is seconds since 1970."""
    import datetime as dt

    if isinstance(expires, str):
        return _checked(key, "expires", expires)
    if isinstance(expires, dt.datetime):
        if expires.tzinfo is None:
            expires = expires.replace(tzinfo=dt.timezone.utc)
        return _format_date(expires.astimezone(dt.timezone.utc))
    if isinstance(expires, bool) or not isinstance(expires, int | float):
        kind = type(expires).__name__
        raise TypeError(
            f"cookie `{key}` has expires={expires!r}, a {kind}; use a datetime, or max_age"
        )
    return _format_date(dt.datetime.fromtimestamp(expires, dt.timezone.utc))


def _format_date(moment: dt.datetime) -> str:
    """Write a moment in UTC as HTTP does; `email.utils` would import sockets and codecs."""
    day, month = _DAYS[moment.weekday()], _MONTHS[moment.month - 1]
    return f"{day}, {moment.day:02} {month} {moment.year:04} {moment:%H:%M:%S} GMT"


def _checked(key: str, attribute: str, text: str) -> str:
    if not _ATTRIBUTE.fullmatch(text):
        raise ValueError(
            f"cookie `{key}` has {attribute}={text!r}; use printable ASCII without `;`"
        )
    return text


_ATTRIBUTE = late(r"[\x20-\x3a\x3c-\x7e]*")
_PLAIN = late(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")
# Wider than a token: browsers store such names, and send them to every page of a site.
_COOKIE_NAME = late(r"[^\x00-\x20\x7f,;=\"]+")
_ESCAPED = late(rb"\\([0-3][0-7]{2}|.)", re.DOTALL)


def quote_value(value: str) -> str:
    """Write the characters that a cookie cannot have as octal escapes, as `http.cookies` does."""
    if _PLAIN.fullmatch(value):
        return value
    return '"' + "".join(_escape(byte) for byte in value.encode()) + '"'


def _escape(byte: int) -> str:
    character = chr(byte)
    if character == " " or _PLAIN.fullmatch(character):
        return character
    return f"\\{byte:03o}"


def unquote_value(value: str) -> str:
    """Read a value as `quote_value` has written it."""
    if len(value) < 2 or not value.startswith('"') or not value.endswith('"'):
        return value
    data = _ESCAPED.sub(_unescape, value[1:-1].encode(errors="replace"))
    return data.decode(errors="replace")


def _unescape(match: re.Match[bytes]) -> bytes:
    escaped = match[1]
    return bytes([int(escaped, 8)]) if len(escaped) == 3 else escaped
