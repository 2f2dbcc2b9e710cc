"""The responses of applications, as the rest of the framework knows them.

Owns their making: without a default content type, and with headers as they are.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..http import Response


def make(status: int, headers: Iterable[tuple[str, str]], body: object) -> Response:
    """Make a response; header values may have any character of Latin-1, as bytes of UTF-8 do."""
    response = Response()
    response.status = status
    values = response.headers._values
    for name, value in headers:
        values.setdefault(name.lower(), []).append(value)
    response.body = body
    return response
