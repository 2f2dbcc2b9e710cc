"""Werkzeug's test client over a socket, for the tests of Werkzeug and Flask.

Owns the replacement of `run_wsgi_app`, through which each client calls its application. As there,
an exception of the application is raised by the client. Never changes a test.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

import calls
import connection
import werkzeug.test
from werkzeug.datastructures import Headers

# The server sets them; other keys are objects of the test, such as a function of Flask's client.
_OF_THE_SERVER = (
    *(
        "CONTENT_LENGTH",
        "CONTENT_TYPE",
        "PATH_INFO",
        "QUERY_STRING",
        "RAW_URI",
        "REMOTE_PORT",
    ),
    *("REQUEST_METHOD", "REQUEST_URI", "SCRIPT_NAME", "SERVER_NAME", "SERVER_PORT"),
    *("SERVER_PROTOCOL", "wsgi.input", "wsgi.input_terminated"),
    *("wsgi.multiprocess", "wsgi.multithread", "wsgi.run_once", "wsgi.version"),
)
# The rest of a path that a request target may have unquoted.
_UNQUOTED = "/:@!$&'()*+,;=~-._"


def install() -> None:
    """Replace the call of applications."""
    werkzeug.test.run_wsgi_app = run_over_a_socket


def run_over_a_socket(
    app: Any, environ: Any, buffered: bool = False
) -> tuple[Iterable[bytes], str, Headers]:
    """Send the request of an environ to the server; returns body, status and headers."""
    environ = dict(werkzeug.test._get_environ(environ))
    script, path = environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", "")
    target = "/" + quote((script + path).encode("latin-1"), safe=_UNQUOTED).removeprefix("/")
    if environ.get("QUERY_STRING"):
        target += "?" + environ["QUERY_STRING"]
    raw = environ.get("REQUEST_URI", "")
    if raw.startswith("/") and "%" in raw:
        target = raw  # it may quote more than it has to
    headers = [
        (name[5:].replace("_", "-").title(), value)
        for name, value in environ.items()
        if name.startswith("HTTP_") and name != "HTTP_TRANSFER_ENCODING"
    ]
    if "HTTP_HOST" not in environ:
        headers.append(("Host", environ.get("SERVER_NAME", "localhost")))
    if environ.get("CONTENT_TYPE"):
        headers.append(("Content-Type", environ["CONTENT_TYPE"]))
    given = environ.get("wsgi.input")
    length = environ.get("CONTENT_LENGTH")
    body = b""
    if length:
        headers.append(("Content-Length", length))
        body = _read(given, int(length))
    elif environ.get("HTTP_TRANSFER_ENCODING") == "chunked" or environ.get("wsgi.input_terminated"):
        headers.append(("Transfer-Encoding", "chunked"))
        body = _read(given, -1)
    extra = {
        name: value
        for name, value in environ.items()
        if not name.startswith("HTTP_") and name not in _OF_THE_SERVER
    }
    if script:
        extra["SCRIPT_NAME"] = script
    key, call = calls.open_call(app, **extra)
    headers.append((calls.HEADER, key))
    received = connection.send(environ.get("REQUEST_METHOD", "GET"), target, headers, body)
    assert call.wait(), "the application has not ended"
    if call.error is not None:
        raise call.error
    assert received.is_whole, "the server has broken the response off"
    # Werkzeug's tests compare the headers of the application.
    own = [each for each in received.headers if each[0].lower() not in ("connection", "date")]
    own = [each for each in own if each[0].lower() != "transfer-encoding"]
    parts = [received.body] if received.body else []
    return parts, f"{received.status} {received.reason}", Headers(own)


def _read(given: Any, size: int) -> bytes:
    """Read an input, and leave it as it was: an application might not read it, and redirect."""
    start = given.tell() if given.seekable() else None
    data: bytes = given.read(size)
    if start is not None:
        given.seek(start)
    return data
