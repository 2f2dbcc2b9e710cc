"""Runs a WSGI application (PEP 3333) on the dispatch workers.

Owns its environ, `start_response` and the end of its iterable. A response of a known and small size
is sent as a whole; another one continues in a thread for streams. Never runs on the loop.
"""

from __future__ import annotations

import contextvars
import io
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any

from .._core.chunks import Chunks
from .._host import BodyStream, Exchange, to_json
from .._runtime import leases, respond
from .._runtime.generations import Generation
from .._runtime.runtime import running
from ..headers import HeaderList
from ..http import HTTPError, Request, Response
from ..mounts import Mount
from ..routing import Route
from . import noted as noted_exceptions
from . import responses
from .failures import describe_failure
from .found_route import record_route
from .scope import ClientDisconnected

ExcInfo = tuple[type[BaseException], BaseException, TracebackType]

# 1xx is not the end of a response.
_STATUS = re.compile(r"[2-9][0-9]{2}(?![0-9])")
# A response up to this size is collected in the dispatch worker.
MAX_WHOLE = 1024 * 1024
INPUT_BUFFER = 64 * 1024
# Status, headers and body of a response.
WsgiReply = tuple[int, HeaderList, object]
# In place of one that was sent already.
_SENT: WsgiReply = (200, [], b"")
_END: Any = object()


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
                "wsgi.multiprocess": False,
                "wsgi.run_once": False,
                "wsgi.file_wrapper": FileWrapper,
            },
        )

    def direct(self, generation: Generation) -> tuple[Any, ...]:
        """Return what a dispatch worker needs for a request whose application Rust has found."""
        return self.serve, generation, self._mount

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
                status, headers, body = self._call(exchange)
            finally:
                if respond.is_timed:
                    exchange.returned()
        except BaseException as error:
            request = request or Request(exchange, {})
            respond.send_error(exchange, generation, route, error, request)
            return
        if type(body) is bytes and status not in (204, 304):
            headers = [(name.lower(), value) for name, value in headers]
            exchange.respond(generation.number, route.id, status, headers, body)
        else:
            response = responses.make(status, headers, body)
            respond.send_result(exchange, generation, route, response)

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


class Call:
    """One call of an application."""

    def __init__(self, mount: Mount, exchange: Exchange, environ: dict[str, Any]) -> None:
        self._mount = mount
        self._exchange = exchange
        self._environ = environ
        self._head: tuple[int, HeaderList] | None = None
        # The exceptions that the application handles, in dev mode.
        self._noted: list[BaseException] = []
        # Begun by `write`.
        self._stream: BodyStream | None = None
        # Whether a part of the body has come: from then on the head is fixed.
        self._has_begun = False

    def run(self, app: Callable[..., Any]) -> WsgiReply:
        """Call it, and return the response; raises what it raises."""
        # One context for the call and all parts, whatever thread takes them.
        context = contextvars.copy_context()
        if respond.is_observed:
            self._noted = context.run(noted_exceptions.begin)
        run = context.run
        try:
            given = run(app, self._environ, self._start_response)
            parts = run(iter, given)
        except ClientDisconnected:
            if self._stream is None:
                raise
            return _SENT
        except BaseException as error:
            if self._stream is None:
                raise
            respond.break_off(self._stream, self._mount, error)
            return _SENT
        if self._stream is not None:
            return self._continue(self._stream, ResultIterator(given, parts, run))
        body: bytes | None = None
        try:
            first = _next_part(run, parts)
            if self._head is None:
                raise RuntimeError("the application returned without calling `start_response`")
            status, headers = self._head
            self._has_begun = first is not None
            if status >= 500 and self._noted:
                failure = describe_failure(self._noted[-1], self._mount)
                self._exchange.raised(to_json(failure))
            if first is None:
                body = b""
            elif _is_small(headers, given):
                second = _next_part(run, parts)
                body = first if second is None else _joined(run, parts, [first, second])
        except BaseException:
            _close(run, given)
            raise
        if body is None:
            return status, headers, Chunks(ResultIterator(given, parts, run, first), _bytes)
        _close(run, given)
        return status, headers, body

    def _start_response(
        self, status: str, headers: HeaderList, exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], object]:
        error: BaseException | None = None
        if exc_info is not None:
            try:
                if self._stream is not None or self._has_begun:
                    raise exc_info[1].with_traceback(exc_info[2])
                error = exc_info[1]
            finally:
                exc_info = None  # without a circle of references
        elif self._head is not None:
            raise AssertionError(
                "`start_response` was called before; pass `exc_info` to replace it"
            )
        if not isinstance(status, str) or not _STATUS.match(status):
            raise ValueError(f"the status is {status!r}; write one such as '200 OK'")
        number = int(status[:3])
        given = list(headers)
        for name, value in given:
            if not (isinstance(name, str) and isinstance(value, str)):
                raise TypeError(f"the header ({name!r}, {value!r}) is not a pair of two strings")
        if respond.is_timed:
            # Flask removes it from the environ before it returns.
            record_route(self._exchange, self._mount, self._environ)
        if respond.is_observed and number >= 500:
            noted_exceptions.note_handled(self._noted, number, error)
        self._head = number, given
        return self._write

    def _write(self, data: bytes) -> None:
        """Send a part of the body at once, before the application returns."""
        if self._head is None:
            raise AssertionError("`write` was called before `start_response`")
        if self._stream is None:
            generation = leases.for_caller()
            status, headers = self._head
            lower = [(name.lower(), value) for name, value in headers]
            number = generation.number if generation is not None else 0
            if respond.is_timed:
                self._exchange.returned()
            self._stream = self._exchange.stream(number, self._mount.id, status, lower, None)
        if not self._stream.send(_bytes(data)):
            raise ClientDisconnected

    def _continue(self, stream: BodyStream, result: ResultIterator) -> WsgiReply:
        """Send the rest after the parts of `write`; the response has begun already."""
        try:
            for part in result:
                if part and not stream.send(part):
                    break
            stream.finish()
        except BaseException as error:
            respond.break_off(stream, self._mount, error)
        finally:
            result.close()
        return _SENT


class ResultIterator(Iterator[bytes]):
    """The iterable that an application has returned, for the thread of a stream."""

    def __init__(
        self,
        given: Iterable[bytes],
        parts: Iterator[bytes],
        run: Callable[..., Any],
        first: bytes | None = None,
    ) -> None:
        """Continue after `first`, by `run` in the context of the application."""
        self._given, self._parts, self._run, self._first = given, parts, run, first

    def __next__(self) -> bytes:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return _bytes(self._run(next, self._parts))

    def close(self) -> None:
        """Call the application's `close`, once."""
        given, self._given = self._given, ()
        _close(self._run, given)


def _next_part(run: Callable[..., Any], parts: Iterator[bytes]) -> bytes | None:
    """Return the next part that is not empty; None after the last one."""
    while True:
        part = run(next, parts, _END)
        if part is _END:
            return None
        if type(part) is not bytes:
            part = _bytes(part)
        if part:
            return part


def _joined(run: Callable[..., Any], parts: Iterator[bytes], begun: list[bytes]) -> bytes:
    while (part := _next_part(run, parts)) is not None:
        begun.append(part)
    return b"".join(begun)


def _is_small(headers: HeaderList, given: object) -> bool:
    """Report whether the body is small by its header, or all parts are there and are small."""
    size = _size(headers)
    if size is not None and size <= MAX_WHOLE:
        return True
    if not isinstance(given, list | tuple):
        return False
    return sum(len(_bytes(part)) for part in given) <= MAX_WHOLE


def _close(run: Callable[..., Any], given: object) -> None:
    close = getattr(given, "close", None)
    if close is not None:
        run(close)


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


def _size(headers: HeaderList) -> int | None:
    """Return the value of Content-Length."""
    for name, value in headers:
        is_size = len(name) == len("content-length") and name.lower() == "content-length"
        if is_size and value.strip().isdecimal():
            return int(value)
    return None


def _bytes(part: object) -> bytes:
    if isinstance(part, bytes):
        return part
    if isinstance(part, bytearray | memoryview):
        return bytes(part)
    kind = type(part).__name__
    raise TypeError(f"the application returned a {kind} in its body; a part is bytes")
