"""Opens the console's event stream of a `snaxum dev`, and reads it as a page would, or not at all.

Knows just enough of WebSocket to connect. Reads no event, and sends none.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import dev_api
from servers import Server, ServerError

TIMEOUT_S = 10.0
PIECE = 1 << 18
# The growth of the server's memory, while one console does not read.
MOST_GROWN_MB = 16.0
# Any sixteen bytes do: the reply to them is not checked.
KEY = "AAAAAAAAAAAAAAAAAAAAAA=="


@contextmanager
def open_console(server: Server) -> Iterator[None]:
    """One console that reads while the block runs; ServerError unless it did to the end."""
    with _upgraded(server) as stream:
        reader = _Reader(stream)
        reader.start()
        try:
            yield
            if reader.ended.is_set() or not reader.received:
                raise ServerError(f"the console's stream ended after {reader.received} bytes")
        finally:
            stream.shutdown(socket.SHUT_RDWR)
            reader.join()


@contextmanager
def open_stuck_console(server: Server) -> Iterator[None]:
    """One console that reads nothing, with a small receive buffer; ServerError if the server stores
    the unread events for it."""
    with _upgraded(server, receive_buffer=4096):
        before = server.figures().rss_mb
        yield
        if (grown := server.figures().rss_mb - before) > MOST_GROWN_MB:
            raise ServerError(f"the server grew by {grown:.1f} MB for a console that never reads")


class _Reader(threading.Thread):
    def __init__(self, stream: socket.socket) -> None:
        super().__init__(daemon=True)
        self._stream = stream
        self.received = 0
        self.ended = threading.Event()

    def run(self) -> None:
        piece = bytearray(PIECE)
        try:
            while count := self._stream.recv_into(piece):
                self.received += count
        except OSError:
            pass
        self.ended.set()


def _upgraded(server: Server, receive_buffer: int | None = None) -> socket.socket:
    lines = [
        "GET /__snaxum/ws HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        f"Authorization: Bearer {dev_api.token(server.app)}",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {KEY}",
    ]
    stream = socket.socket()
    if receive_buffer is not None:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    stream.settimeout(TIMEOUT_S)
    stream.connect(("127.0.0.1", server.port))
    stream.sendall("\r\n".join([*lines, "", ""]).encode())
    # Events may follow in the same packet; they count for nothing.
    head = stream.recv(PIECE)
    if not head.startswith(b"HTTP/1.1 101 "):
        stream.close()
        raise ServerError(f"the console is not let in: {head[:100]!r}")
    stream.settimeout(None)
    return stream
