"""One call of a WSGI application (PEP 3333): its `start_response`, and the parts of its result.

A response of a known and small size is collected as a whole; another one continues in a thread for
streams. Never makes an environ (`wsgi`).
"""

from __future__ import annotations

import contextvars
import re
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any

from .._core.chunks import Chunks
from .._host import BodyStream, Exchange, to_json
from .._runtime import leases, respond
from ..headers import HeaderList
from ..mounts import Mount
from . import noted as noted_exceptions
from .failures import describe_failure
from .found_route import record_route
from .scope import ClientDisconnected

ExcInfo = tuple[type[BaseException], BaseException, TracebackType]

# 1xx is not the end of a response.
_STATUS = re.compile(r"[2-9][0-9]{2}(?![0-9])")
# A response up to this size is collected in the dispatch worker.
MAX_WHOLE = 1024 * 1024
# Status, headers and body of a response.
WsgiReply = tuple[int, HeaderList, object]
# In place of one that was sent already.
_SENT: WsgiReply = (200, [], b"")
_END: Any = object()


class Call:
    """One call of an application."""

    def __init__(self, mount: Mount, exchange: Exchange, environ: dict[str, Any]) -> None:
        self._mount = mount
        self._exchange = exchange
        self._environ = environ
        self.head: tuple[int, HeaderList] | None = None
        # The exceptions that the application handles, in dev mode.
        self._noted: list[BaseException] = []
        # Begun by `write`.
        self._stream: BodyStream | None = None
        # Whether a part of the body has come: from then on the head is fixed.
        self.has_begun = False

    def run(self, app: Callable[..., Any]) -> WsgiReply:
        """Call it, and return the response; raises what it raises."""
        # One context for the call and all parts, whatever thread takes them.
        context = contextvars.copy_context()
        if respond.is_observed:
            self._noted = context.run(noted_exceptions.begin)
        run = context.run
        try:
            given = run(app, self._environ, self.start_response)
        except BaseException as error:
            if not self.break_off(error):
                raise
            return _SENT
        return self.complete(run, given)

    def break_off(self, error: BaseException) -> bool:
        """End the response that `write` has begun; False if there is none."""
        if self._stream is None:
            return False
        if not isinstance(error, ClientDisconnected):
            respond.break_off(self._stream, self._mount, error)
        return True

    def complete(self, run: Callable[..., Any], given: Iterable[bytes]) -> WsgiReply:
        """Return the response, from what the application has returned."""
        try:
            parts = run(iter, given)
        except BaseException as error:
            if not self.break_off(error):
                raise
            return _SENT
        if self._stream is not None:
            return self._continue(self._stream, ResultIterator(given, parts, run))
        body: bytes | None = None
        try:
            first = _next_part(run, parts)
            if self.head is None:
                raise RuntimeError("the application returned without calling `start_response`")
            status, headers = self.head
            self.has_begun = first is not None
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
            return status, headers, Chunks(ResultIterator(given, parts, run, first), to_bytes)
        _close(run, given)
        return status, headers, body

    def start_response(
        self, status: str, headers: HeaderList, exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], object]:
        error: BaseException | None = None
        if exc_info is not None:
            try:
                if self._stream is not None or self.has_begun:
                    raise exc_info[1].with_traceback(exc_info[2])
                error = exc_info[1]
            finally:
                exc_info = None  # without a circle of references
        elif self.head is not None or self.has_begun:  # Rust has taken the head by then
            raise AssertionError(
                "`start_response` was called before; pass `exc_info` to replace it"
            )
        if not isinstance(status, str) or not _STATUS.match(status):
            raise ValueError(f"the status is {status!r}; write one such as '200 OK'")
        number = int(status[:3])
        given: HeaderList = []
        for name, value in headers:
            if not (isinstance(name, str) and isinstance(value, str)):
                raise TypeError(f"the header ({name!r}, {value!r}) is not a pair of two strings")
            given.append((name, value))  # Rust reads tuples, and no other pairs
        if respond.is_timed:
            # Flask removes it from the environ before it returns.
            record_route(self._exchange, self._mount, self._environ)
        if respond.is_observed and number >= 500:
            noted_exceptions.note_handled(self._noted, number, error)
        self.head = number, given
        return self.write

    def write(self, data: bytes) -> None:
        """Send a part of the body at once, before the application returns."""
        if self.head is None:
            raise AssertionError("`write` was called before `start_response`")
        if self._stream is None:
            generation = leases.for_caller()
            status, headers = self.head
            lower = [(name.lower(), value) for name, value in headers]
            number = generation.number if generation is not None else 0
            if respond.is_timed:
                self._exchange.returned()
            self._stream = self._exchange.stream(number, self._mount.id, status, lower, None)
        if not self._stream.send(to_bytes(data)):
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
        return to_bytes(self._run(next, self._parts))

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
            part = to_bytes(part)
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
    return sum(len(to_bytes(part)) for part in given) <= MAX_WHOLE


def _close(run: Callable[..., Any], given: object) -> None:
    close = getattr(given, "close", None)
    if close is not None:
        run(close)


def _size(headers: HeaderList) -> int | None:
    """Return the value of Content-Length."""
    for name, value in headers:
        is_size = len(name) == len("content-length") and name.lower() == "content-length"
        if is_size and value.strip().isdecimal():
            return int(value)
    return None


def to_bytes(part: object) -> bytes:
    """Return a part of a body as bytes. Raises TypeError."""
    if isinstance(part, bytes):
        return part
    if isinstance(part, bytearray | memoryview):
        return bytes(part)
    kind = type(part).__name__
    raise TypeError(f"the application returned a {kind} in its body; a part is bytes")
