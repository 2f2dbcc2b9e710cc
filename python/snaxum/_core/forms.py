"""Forms in `application/x-www-form-urlencoded`: their fields, or the place of the fault.

Owns the strict parsing and the limit of fields. Multipart forms are parsed by Rust.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .late_module import late_module
from .late_regex import late

if TYPE_CHECKING:
    import urllib.parse as url_parts
else:
    url_parts = late_module("urllib.parse")

_BROKEN = late(r"%(?![0-9A-Fa-f]{2}).{0,2}", re.DOTALL)


class FormError(ValueError):
    """A form that is malformed, or has too many fields; `status` is for the response."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def parse(data: bytes, charset: str, max_fields: int) -> list[tuple[str, str]]:
    """Parse `a=1&b=&a=2`; blank values stay. Raises FormError."""
    if data.count(b"&") >= max_fields:
        fields = len(data.split(b"&"))
        raise FormError(413, f"the form has {fields} fields; this server accepts {max_fields}")
    try:
        text = data.decode(charset)
    except UnicodeDecodeError as error:
        reason = f"{data[error.start : error.start + 1]!r} is not {charset}"
        raise _malformed(data, error.start, reason) from None
    if (broken := _BROKEN.search(text)) is not None:
        at = len(text[: broken.start()].encode(charset))
        raise _malformed(data, at, f"`{broken[0]}` is not a percent-encoded byte")
    try:
        return url_parts.parse_qsl(text, keep_blank_values=True, encoding=charset, errors="strict")
    except UnicodeDecodeError:
        at = 0
        for pair in text.split("&"):
            try:
                url_parts.parse_qsl(pair, keep_blank_values=True, encoding=charset, errors="strict")
            except UnicodeDecodeError as error:
                reason = f"`{pair[:60]}` is not {charset}: {error.reason}"
                raise _malformed(data, at, reason) from None
            at += len(pair.encode(charset)) + 1
        raise  # one of them does not parse


def _malformed(data: bytes, at: int, reason: str) -> FormError:
    field = data[:at].count(b"&") + 1
    return FormError(400, f"the form is malformed at byte {at + 1}, in its field {field}: {reason}")
