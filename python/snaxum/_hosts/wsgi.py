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
from urllib.parse import unquote_to_bytes

from .._core.chunks import Chunks
from .._host import BodyStream, Exchange, to_json
from .._runtime import leases, respond
from .._runtime.streamed_request import StreamedRequest
from ..headers import HeaderList
from ..http import HTTPError, Request, Response
from ..mounts import Mount
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


class WsgiHost:
    """One WSGI application at its prefix."""

    def __init__(self, mount: Mount) -> None:
        self._mount = mount
        self._app = mount.app
        self._prefix = mount.prefix.encode()

    def respond(self, request: Request) -> Response:
        """Call the application, and return its response."""
        exchange: Any = request._raw
        body = Input(exchange) if isinstance(request, StreamedRequest) else None
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
            if isinstance(response.body, Chunks):
                response.body.close()
        # Whatever the application has made of the exception that its input has raised.
        raise HTTPError(*body.failure)

    def _environ(self, exchange: Exchange, body: Input | None) -> dict[str, Any]:
        version, raw_path, query, headers, client, server, scheme = exchange.head()
        path = unquote_to_bytes(raw_path)
        if self._prefix and path[:2] == b"//":
            path = b"/" + path.lstrip(b"/")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": exchange.method,
            "SCRIPT_NAME": self._prefix.decode("latin-1"),
            "PATH_INFO": path[len(self._prefix) :].decode("latin-1"),
            "QUERY_STRING": query.decode("latin-1"),
            "REQUEST_URI": (raw_path + (b"?" + query if query else b"")).decode("latin-1"),
            "SERVER_PROTOCOL": f"HTTP/{version}",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": scheme,
            "wsgi.input": io.BufferedReader(body, INPUT_BUFFER)
            if body is not None
            else io.BytesIO(exchange.body()),
            "wsgi.input_terminated": True,
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": FileWrapper,
        }
        for name, value in headers:
            if b"_" in name:
                continue  # it would look like another header
            key = name.decode("latin-1").upper().replace("-", "_")
            if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
                key = f"HTTP_{key}"
            text = value.decode("latin-1")
            if key in environ:
                text = f"{environ[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{text}"
            environ[key] = text
        environ["SERVER_NAME"], environ["SERVER_PORT"] = (
            (server[0], str(server[1]))
            if server
            else address_of(environ.get("HTTP_HOST", ""), scheme)
        )
        if client:
            environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = client[0], str(client[1])
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

    def run(self, app: Callable[..., Any]) -> Response:
        """Call it, and return the response; raises what it raises."""
        # One context for the call and all parts, whatever thread takes them.
        context = contextvars.copy_context()
        if respond.is_observed:
            self._noted = context.run(noted_exceptions.begin)
        try:
            returned = context.run(app, self._environ, self._start_response)
            result = ResultIterator(returned, context)
        except ClientDisconnected:
            if self._stream is None:
                raise
            return Response()  # not sent
        except BaseException as error:
            if self._stream is None:
                raise
            respond.break_off(self._stream, self._mount, error)
            return Response()
        try:
            if self._stream is not None:
                return self._continue(self._stream, result)
            first = result.next_part()
            if self._head is None:
                raise RuntimeError("the application returned without calling `start_response`")
            status, headers = self._head
            if status >= 500 and self._noted:
                failure = describe_failure(self._noted[-1], self._mount)
                self._exchange.raised(to_json(failure))
            size = _size(headers)
            is_small = result.is_small() or (size is not None and size <= MAX_WHOLE)
            if first is None or is_small:
                parts = [] if first is None else [first]
                while (part := result.next_part()) is not None:
                    parts.append(part)
                result.close()
                return responses.make(status, headers, b"".join(parts))
        except BaseException:
            result.close()
            raise
        result.put_back(first)
        return responses.make(status, headers, Chunks(result, _bytes))

    def _start_response(
        self, status: str, headers: HeaderList, exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], object]:
        error: BaseException | None = None
        if exc_info is not None:
            try:
                if self._stream is not None:
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
        if respond.is_timed:
            # Flask removes it from the environ before it returns.
            record_route(self._exchange, self._mount, self._environ)
        if respond.is_observed and number >= 500:
            noted_exceptions.note_handled(self._noted, number, error)
        self._head = number, list(headers)
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

    def _continue(self, stream: BodyStream, result: ResultIterator) -> Response:
        """Send the rest after the parts of `write`; the response has begun already."""
        try:
            while (part := result.next_part()) is not None:
                if not stream.send(part):
                    break
            stream.finish()
        except BaseException as error:
            respond.break_off(stream, self._mount, error)
        finally:
            result.close()
        return Response()  # not sent


class ResultIterator(Iterator[object]):
    """The iterable that an application has returned."""

    def __init__(self, given: Iterable[bytes], context: contextvars.Context) -> None:
        self._given: Any = given
        self._run = context.run
        self._parts = self._run(iter, given)
        self._first: bytes | None = None

    def is_small(self) -> bool:
        """Report whether all parts are there, and are of at most `MAX_WHOLE` bytes together."""
        given = self._given
        is_sized = isinstance(given, list | tuple)
        return is_sized and sum(len(_bytes(part)) for part in given) <= MAX_WHOLE

    def __next__(self) -> bytes:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        return _bytes(self._run(next, self._parts))

    def next_part(self) -> bytes | None:
        """Return the next part that is not empty; None after the last one."""
        for part in self:
            if part:
                return part  # type: ignore[return-value]
        return None

    def put_back(self, part: bytes | None) -> None:
        """Return a part once more."""
        self._first = part

    def close(self) -> None:
        """Call the application's `close`, once."""
        given, self._given = self._given, None
        close = getattr(given, "close", None)
        if close is not None:
            self._run(close)


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
        if name.lower() == "content-length" and value.strip().isdecimal():
            return int(value)
    return None


def _bytes(part: object) -> bytes:
    if isinstance(part, bytes):
        return part
    if isinstance(part, bytearray | memoryview):
        return bytes(part)
    kind = type(part).__name__
    raise TypeError(f"the application returned a {kind} in its body; a part is bytes")
