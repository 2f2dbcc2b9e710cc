"""HTTP over a connection within this process, by the standard library's client.

Owns the connection and the exceptions of handlers. Never builds a request (`snaxum.testing`).
"""

from __future__ import annotations

import http.client
import io
from collections import OrderedDict
from typing import Any

from .._host import InProcessConnection
from .._runtime import respond
from .._runtime.runtime import Runtime, has_started, running
from . import in_process

RECEIVE_BYTES = 64 * 1024
# The most exceptions that wait for their response to be read.
MAX_EXCEPTIONS = 100
_WAY_OUT = "run the tests with `snaxum test`, or install the wheel of snaxum in this environment"

_exceptions: OrderedDict[str, BaseException] = OrderedDict()


class Connection(http.client.HTTPConnection):
    """A connection to the server in this process; opened by the first request."""

    def __init__(self, timeout: float | None) -> None:
        super().__init__("testserver")
        self.seconds = timeout

    def connect(self) -> None:
        """Open the connection. Raises RuntimeError without a project."""
        self.sock: Any = ClientSocket(connect(), self.seconds)


def is_loaded() -> bool:
    """Report whether this process has loaded a project."""
    return has_started() and in_process.is_ready()


def loaded(project: str | None = None) -> Runtime:
    """Return the runtime of the project.

    If this process has loaded none, loads `project`, by default that of the working directory.
    Raises RuntimeError if it does not load, or if this package cannot load one.
    """
    if not is_loaded():
        in_process.load(project, _WAY_OUT)
    return running()


def connect() -> InProcessConnection:
    """Connect to the server within this process. Raises RuntimeError without a project."""
    runtime = loaded()
    respond.on_exception = record_exception
    return runtime.host.connect()


def record_exception(request: int, error: BaseException) -> None:
    """Store what a handler raised, for the client that sent the request."""
    _exceptions[str(request)] = error
    while len(_exceptions) > MAX_EXCEPTIONS:
        _exceptions.popitem(last=False)


def take_exception(request: str) -> BaseException | None:
    """Return what the handler of a request raised, once."""
    return _exceptions.pop(request, None)


def take_last_exception() -> BaseException | None:
    """Return what the last handler raised, once: for a stream that broke off."""
    return _exceptions.popitem()[1] if _exceptions else None


def forget_exceptions() -> None:
    """Drop the exceptions that no client has taken."""
    _exceptions.clear()


class ClientSocket:
    """The methods of a socket that `http.client` calls."""

    def __init__(self, connection: InProcessConnection, timeout: float | None) -> None:
        self._connection = connection
        self._timeout = timeout
        self._reader: Any = io.BufferedReader(_SocketReader(self), RECEIVE_BYTES)

    def sendall(self, data: bytes) -> None:
        self._connection.send(bytes(data))

    def recv(self, size: int) -> bytes:
        return self._connection.receive(size, self._timeout)

    def makefile(self, mode: str) -> Any:
        """Return the reader; it stays the same, so that no byte is lost between responses."""
        return _Borrowed(self._reader)

    def read_exactly(self, size: int) -> bytes:
        """Read `size` bytes; fewer at the end."""
        data: bytes = self._reader.read(size)
        return data

    def close(self) -> None:
        self._connection.close()


class _SocketReader(io.RawIOBase):
    def __init__(self, socket: ClientSocket) -> None:
        self._socket = socket

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._socket.recv(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class _Borrowed:
    """A reader whose `close` leaves the connection open."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def close(self) -> None:
        pass

    def flush(self) -> None:
        pass
