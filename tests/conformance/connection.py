"""One HTTP request over a socket, as it is given: no header is added or changed.

Owns the connection. Never knows an application.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterable
from dataclasses import dataclass

import calls

CHUNK = 16 * 1024
# The bodies of some tests are endless.
MAX_BODY = 8 * 1024 * 1024


@dataclass
class Received:
    """A response; `is_whole` is false if its body was broken off."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes
    is_whole: bool


def send(method: str, target: str, headers: Iterable[tuple[str, str]], body: bytes) -> Received:
    """Send a request, and read the response to its end."""
    connection = http.client.HTTPConnection(*calls.address, timeout=2 * calls.LIMIT_S)
    # A target may have characters that a URL should not have.
    connection._validate_path = lambda url: None  # type: ignore[attr-defined]
    connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
    is_chunked = has_length = False
    for name, value in headers:
        is_chunked |= name.lower() == "transfer-encoding"
        has_length |= name.lower() == "content-length"
        connection.putheader(name, value.encode("latin-1"))
    if body and not (is_chunked or has_length):
        connection.putheader("content-length", str(len(body)))
    connection.endheaders()
    if is_chunked:
        for start in range(0, len(body), CHUNK):
            part = body[start : start + CHUNK]
            connection.send(b"%x\r\n%s\r\n" % (len(part), part))
        connection.send(b"0\r\n\r\n")
    elif body:
        connection.send(body)
    try:
        with connection.getresponse() as response:
            try:
                data, is_whole = response.read(MAX_BODY), True
            except (http.client.IncompleteRead, ConnectionError) as error:
                data, is_whole = getattr(error, "partial", b""), False
            received = [(name, value) for name, value in response.msg.raw_items()]
            return Received(response.status, response.reason, received, data, is_whole)
    finally:
        connection.close()
