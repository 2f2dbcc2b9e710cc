"""Sends one request at a time, on a fresh connection or a reused one, and reports the outcome.

Knows just enough HTTP/1.1 for the responses of small endpoints. Never repeats a request.
"""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)
_CLOSE = re.compile(rb"\r\nconnection: *close", re.I)


@dataclass(frozen=True)
class Answer:
    """`fault` is empty for a 200; otherwise "refused", "reset", "timeout" or "status 500"."""

    fault: str
    body: bytes = b""


class Client:
    """One connection to a port of this machine, reused if both sides allow it."""

    def __init__(self, port: int, *, keep: bool) -> None:
        self._port, self._keep = port, keep
        self._socket: socket.socket | None = None

    def get(self, path: str, timeout_s: float = 10.0) -> Answer:
        """Ask once."""
        try:
            return self._receive(self._send(path, timeout_s))
        except OSError as error:
            return self._lost(_fault(error))

    def send(self, path: str, *, method: str = "GET", body: str = "") -> None:
        """Send a request, with a JSON body if there is one; `receive` reads its response.

        Raises OSError if the connection fails.
        """
        self._send(path, 10.0, method, body)

    def receive(self) -> Answer:
        """The other half."""
        assert self._socket is not None, "something was sent"
        try:
            return self._receive(self._socket)
        except OSError as error:
            return self._lost(_fault(error))

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(
        self, path: str, timeout_s: float, method: str = "GET", body: str = ""
    ) -> socket.socket:
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), timeout_s)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.settimeout(timeout_s)
        connection = "keep-alive" if self._keep else "close"
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: {connection}\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body.encode())}\r\n"
        self._socket.sendall(f"{head}\r\n{body}".encode())
        return self._socket

    def _receive(self, stream: socket.socket) -> Answer:
        received, length = b"", None
        while length is None or len(received) < length:
            piece = stream.recv(65536)
            if not piece:
                break
            received += piece
            end = received.find(b"\r\n\r\n")
            if length is None and end >= 0 and (found := _LENGTH.search(received[: end + 2])):
                length = end + 4 + int(found[1])
        head, _, body = received.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.") or (length is not None and len(received) < length):
            return self._lost("reset")
        if not self._keep or length is None or _CLOSE.search(head) or head.startswith(b"HTTP/1.0"):
            self.close()
        status = head.split(b" ", 2)[1].decode()
        return Answer("" if status == "200" else f"status {status}", body)

    def _lost(self, fault: str) -> Answer:
        self.close()
        return Answer(fault)


def _fault(error: OSError) -> str:
    match error:
        case ConnectionRefusedError():
            return "refused"
        case TimeoutError():
            return "timeout"
    return "reset"


@contextlib.contextmanager
def connected(port: int, *, keep: bool) -> Iterator[Client]:
    """A client whose connection ends with the block."""
    client = Client(port, keep=keep)
    try:
        yield client
    finally:
        client.close()
