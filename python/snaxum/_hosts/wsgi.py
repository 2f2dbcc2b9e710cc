"""Runs a WSGI application (PEP 3333) on the dispatch workers.

Owns its environ and its input, and sends its responses. Never runs on the loop, and never calls the
application: `wsgi_call` does.
"""

from __future__ import annotations

import contextvars
import io
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from .._core.chunks import Chunks
from .._host import Exchange
from .._runtime import respond
from .._runtime.generations import Generation
from .._runtime.runtime import running
from ..headers import HeaderList
from ..http import HTTPError, Request, Response
from ..mounts import Mount
from ..routing import Route
from ..server_process import process
from . import responses
from .scope import ClientDisconnected
from .wsgi_call import Call, ResultIterator, WsgiReply, to_bytes

INPUT_BUFFER = 64 * 1024


class WsgiHost:
    """One WSGI application at its prefix."""

    def __init__(self, mount: Mount) -> None:
        self._mount = mount
        self._app = mount.app
        self._application = running().hosted.wsgi_application(
            mount.prefix,
            {
                "SCRIPT_NAME": mount.prefix.encode().decode("latin-1"),
                "wsgi.version": (1, 0),
                "wsgi.input_terminated": True,
                "wsgi.multithread": True,
                "wsgi.multiprocess": process.count > 1,
                "wsgi.run_once": False,
                "wsgi.file_wrapper": FileWrapper,
            },
        )

    def direct(self, generation: Generation) -> tuple[Any, ...]:
        """Return what a dispatch worker needs for a request whose application Rust has found.

        Without timestamps, Rust makes the usual call itself (`wsgi/call.rs`).
        """
        if respond.is_timed:
            return self.serve, generation, self._mount
        mount = self._mount
        return self, self._application, self._app, generation, mount, generation.number, mount.id

    def respond(self, request: Request) -> Response:
        """Call the application, and return its response."""
        exchange: Any = request._raw
        return responses.make(*self._call(exchange))

    def serve(
        self, exchange: Exchange, generation: Generation, route: Route, request: Request | None
    ) -> None:
        """Call the application for a request without hooks, and send its response.

        Outside dev mode; the caller's context is that of its thread.
        """
        if respond.is_timed:
            exchange.found(route.id)  # before it may exceed its time limit
        try:
            try:
                reply = self._call(exchange)
            finally:
                if respond.is_timed:
                    exchange.returned()
        except BaseException as error:
            request = request or Request(exchange, {})
            respond.send_error(exchange, generation, route, error, request)
            return
        self.send(exchange, generation, route, reply)

    def send(
        self, exchange: Exchange, generation: Generation, route: Route, reply: WsgiReply
    ) -> None:
        """Send the response of the application."""
        status, headers, body = reply
        if type(body) is bytes and status not in (204, 304):
            headers = [(name.lower(), value) for name, value in headers]
            exchange.respond(generation.number, route.id, status, headers, body)
        else:
            response = responses.make(status, headers, body)
            respond.send_result(exchange, generation, route, response)

    def make_call(
        self,
        exchange: Exchange,
        mount: Mount,
        head: tuple[int, HeaderList] | None,
        has_begun: bool,
    ) -> Call:
        """Continue a call that Rust has begun; `has_begun`: it has a part of the body."""
        call = Call(mount, exchange, {})
        call.head, call.has_begun = head, has_begun
        return call

    def complete(
        self,
        exchange: Exchange,
        generation: Generation,
        route: Route,
        call: Call,
        context: contextvars.Context,
        given: Iterable[bytes],
    ) -> None:
        """Send the result of a call that Rust has begun, but not read."""
        try:
            reply = call.complete(context.run, given)
        except BaseException as error:
            self.fail(exchange, generation, route, error)
            return
        self.send(exchange, generation, route, reply)

    def send_rest(
        self,
        exchange: Exchange,
        generation: Generation,
        route: Route,
        status: int,
        headers: HeaderList,
        rest: tuple[contextvars.Context, Iterable[bytes], Iterator[bytes], bytes],
    ) -> None:
        """Send a large response, of which Rust has read the first part."""
        context, given, parts, first = rest
        body = Chunks(ResultIterator(given, parts, context.run, first), to_bytes)
        self.send(exchange, generation, route, (status, headers, body))

    def fail(
        self,
        exchange: Exchange,
        generation: Generation,
        route: Route,
        error: BaseException,
        call: Call | None = None,
    ) -> None:
        """Send the exception that a call has raised which Rust has begun."""
        if call is None or not call.break_off(error):
            respond.send_error(exchange, generation, route, error, Request(exchange, {}))

    def bytes_of(self, part: object) -> bytes:
        """Return a part of a body as bytes. Raises TypeError."""
        return to_bytes(part)

    def _call(self, exchange: Exchange) -> WsgiReply:
        """Return the response of the application."""
        body = Input(exchange) if exchange.is_streamed else None
        environ = self._environ(exchange, body)
        call = Call(self._mount, exchange, environ)
        try:
            response = call.run(self._app)
        except Exception:
            if body is None or body.failure is None:
                raise
        else:
            if body is None or body.failure is None:
                return response
            if isinstance(response[2], Chunks):
                response[2].close()
        # Whatever the application has made of the exception that its input has raised.
        raise HTTPError(*body.failure)

    def _environ(self, exchange: Exchange, body: Input | None) -> dict[str, Any]:
        given = (
            io.BytesIO(exchange.body()) if body is None else io.BufferedReader(body, INPUT_BUFFER)
        )
        environ = self._application.environ(exchange, given)
        environ["wsgi.errors"] = sys.stderr
        if "SERVER_NAME" not in environ:
            host, scheme = environ.get("HTTP_HOST", ""), environ["wsgi.url_scheme"]
            environ["SERVER_NAME"], environ["SERVER_PORT"] = address_of(host, scheme)
        return environ


def address_of(host: str, scheme: str) -> tuple[str, str]:
    """Return the name and the port that a client has addressed, for a server on a Unix socket."""
    parts = re.fullmatch(r"(\[.*\]|[^:]*)(?::([0-9]*))?", host)
    name, port = parts.groups() if parts else ("", None)
    return name or "localhost", port or ("443" if scheme == "https" else "80")


class Input(io.RawIOBase):
    """The body of a request as it arrives: `wsgi.input` reads through it."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__()
        self._exchange = exchange
        self._chunk = memoryview(b"")
        self._is_over = False
        # Status and reason of a body that cannot be read.
        self.failure: tuple[int, str] | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._chunk and not self._is_over:
            received = self._exchange.receive()
            if not isinstance(received, bytes):
                self.failure = received
                raise ClientDisconnected if self._exchange.cancelled() else OSError(received[1])
            self._is_over = not received
            self._chunk = memoryview(received)
        size = min(len(buffer), len(self._chunk))
        buffer[:size] = self._chunk[:size]
        self._chunk = self._chunk[size:]
        return size


class FileWrapper:
    """An iterable over a file, as PEP 3333 describes it."""

    def __init__(self, file: Any, block_size: int = 64 * 1024) -> None:
        self._file = file
        self._block_size = block_size
        if hasattr(file, "close"):
            self.close = file.close

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        data: bytes = self._file.read(self._block_size)
        if not data:
            raise StopIteration
        return data
