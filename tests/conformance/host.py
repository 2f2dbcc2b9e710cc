"""The applications that the server under test serves: they forward each request to that of its
test.

`asgi` and `wsgi` are for `snaxum serve host:asgi`. A request without the header of a call runs the
tests of a project in this process, in another thread, and responds with their results: so an
application may be a closure of its test. Owns the forwarding. Never decides how a test fails.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from typing import Any

import calls
import contract
import suite

_NAME = calls.HEADER.encode()
_KEY = "HTTP_" + calls.HEADER.upper().replace("-", "_")


async def asgi(scope: Any, receive: Any, send: Any) -> None:
    """Forward to the ASGI application of a test."""
    if scope["type"] == "lifespan":
        raise NotImplementedError("each test has a lifespan of its own")
    keys = [value for name, value in scope["headers"] if name == _NAME]
    if not keys:
        calls.address = tuple(scope["server"])
        report = await asyncio.get_running_loop().run_in_executor(None, suite.run)
        start = {"type": "http.response.start", "status": 200, "headers": []}
        await send(start)
        await send({"type": "http.response.body", "body": json.dumps(report).encode()})
        return
    call = calls.begin(keys[0].decode())
    contract.check_scope(scope)
    scope["headers"] = [each for each in scope["headers"] if each[0] != _NAME]
    scope.update(call.overrides)
    if scope["type"] == "http":
        # Starlette's templates describe themselves to its test client.
        scope["extensions"]["http.response.debug"] = {}

    async def checked_receive() -> Any:
        message = await receive()
        contract.check_message(message)
        return message

    async def noted_send(message: Any) -> None:
        call.sent[message["type"]] = message
        if message["type"] != "http.response.debug":
            await send(message)

    try:
        await call.app(scope, checked_receive, noted_send)
    except BaseException as error:
        call.error = error
        raise
    finally:
        call.end()


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Forward to the WSGI application of a test."""
    key = environ.pop(_KEY, None)
    if key is None:
        calls.address = (environ["SERVER_NAME"], int(environ["SERVER_PORT"]))
        report = json.dumps(suite.run()).encode()
        start_response("200 OK", [("Content-Length", str(len(report)))])
        return [report]
    call = calls.begin(key)
    contract.check_wsgi(environ)
    script = call.overrides.pop("SCRIPT_NAME", "")
    environ.update(call.overrides)
    if script:
        environ["SCRIPT_NAME"] = script
        environ["PATH_INFO"] = environ["PATH_INFO"].removeprefix(script)
    try:
        given = call.app(environ, start_response)
    except BaseException as error:
        call.error = error
        call.end()
        raise
    return contract.CheckedIterable(_noting(given, call), call.end)


class _noting:
    """An iterable that records the exception of the application's."""

    def __init__(self, given: Iterable[bytes], call: calls.Call) -> None:
        self._given = given
        self._call = call

    def __iter__(self) -> Iterable[bytes]:
        try:
            yield from self._given
        except BaseException as error:
            self._call.error = error
            raise

    def close(self) -> None:
        close = getattr(self._given, "close", None)
        if close is not None:
            close()
