"""Calls the hello of an application so many times, without any server: the cost of its framework.

    alone.py DIRECTORY CALLS

`instructions.py` counts it. Checks each response.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from typing import Any

PATH = "/python/hello"
HELLO = (b'{"message":"hello"}', b'{"message":"hello"}\n')


def main() -> None:
    directory, calls = sys.argv[1], int(sys.argv[2])
    sys.path.insert(0, directory)
    from app import app  # type: ignore[import-not-found]

    if inspect.iscoroutinefunction(type(app).__call__):
        asyncio.run(call_asgi(app, calls))
    else:
        call_wsgi(app, calls)


def call_wsgi(app: Any, calls: int) -> None:
    def start_response(status: str, headers: list[tuple[str, str]], error: object = None) -> None:
        assert status == "200 OK", status

    for _ in range(calls):
        environ = {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": PATH,
            "QUERY_STRING": "",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "127.0.0.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": None,
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        result = app(environ, start_response)
        body = b"".join(result)
        if (close := getattr(result, "close", None)) is not None:
            close()
        assert body in HELLO, body


async def call_asgi(app: Any, calls: int) -> None:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    for _ in range(calls):
        sent = []

        async def send(message: dict[str, object]) -> None:
            sent.append(message)  # noqa: B023

        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": PATH,
            "raw_path": PATH.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"127.0.0.1")],
            "client": ("127.0.0.1", 50000),
            "server": ("127.0.0.1", 80),
            "state": {},
        }
        await app(scope, receive, send)
        assert sent[0]["status"] == 200, sent
        assert sent[1]["body"] in HELLO, sent


if __name__ == "__main__":
    main()
