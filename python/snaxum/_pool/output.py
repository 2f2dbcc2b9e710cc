"""Sends the lines that a pool worker prints in dev mode to the server.

Owns the worker's end of the socket. Lines and replies share it: so the lines of a task arrive
before its reply, and the lines before a crash arrive too. Printing does not wait for the server:
lines without room in the socket wait in a bounded queue, and a thread sends them; further lines are
counted. Never writes to the streams themselves (`_debug.output`).
"""

from __future__ import annotations

import errno
import os
import pickle
import select
import socket
import struct
import threading
from collections import deque
from contextlib import suppress
from multiprocessing.connection import Connection

# Whether the task has printed it, and not a thread of the user's code; the stream; the line.
Line = tuple[bool, str, str]

# The most lines that wait in a worker.
MAX_WAITING = 2000
# The most lines in one message.
MAX_LINES = 100
# The first byte of a message of lines; no pickle begins with it.
_MARK = b"\n"


def read(message: bytes) -> list[Line] | None:
    """Unpack lines; None if `message` is the reply of a task."""
    if not message.startswith(_MARK):
        return None
    lines: list[Line] = pickle.loads(message[len(_MARK) :])
    return lines


class Sender:
    """A worker's end of a socket, for lines and replies; made by the thread that runs the tasks."""

    def __init__(self, replies: Connection) -> None:
        self._replies = replies
        self._socket: socket.socket | None = socket.socket(fileno=os.dup(replies.fileno()))
        self._task_thread = threading.get_ident()
        self._lines: deque[Line] = deque()
        self._dropped = 0
        self._last_dropped: Line | None = None
        # The unsent part of a message.
        self._rest = b""
        # Locked by the sending thread; a destructor or a signal handler may print meanwhile.
        self._sending = threading.Lock()
        self._has_unsent = threading.Event()
        self._thread: threading.Thread | None = None
        os.register_at_fork(after_in_child=self._detach)

    def send_line(self, _request: int | None, stream: str, text: str, _loads: bool) -> None:
        """Send a line now, or once the socket has room."""
        if self._socket is None:
            return
        line = (threading.get_ident() == self._task_thread, stream, text)
        if len(self._lines) < MAX_WAITING:
            self._lines.append(line)
        else:
            self._dropped += 1
            self._last_dropped = line
        self._send()

    def send_reply(self, reply: bytes) -> None:
        """Send the reply of a task, after the lines that it has printed."""
        with self._sending:
            while not self._try_send_all():
                self._wait_for_room()
            self._replies.send_bytes(reply)
        self._send()

    def _send(self) -> None:
        """Send the lines that there is room for, unless another caller is sending them already."""
        while self._is_pending() and self._sending.acquire(blocking=False):
            try:
                if not self._try_send_all():
                    self._has_unsent.set()
                    self._start_thread()
                    return
            finally:
                self._sending.release()

    def _is_pending(self) -> bool:
        return self._socket is not None and bool(self._rest or self._lines or self._dropped)

    def _try_send_all(self) -> bool:
        """Send without waiting; False if there is no room for the rest."""
        while self._socket is not None and self._is_pending():
            self._rest = self._rest or self._next_message()
            try:
                sent = self._socket.send(self._rest, socket.MSG_DONTWAIT)
            except OSError as error:
                if error.errno in (errno.EAGAIN, errno.ENOBUFS):
                    return False
                self._close()  # the server has closed its end
                return True
            self._rest = self._rest[sent:]
        return True

    def _next_message(self) -> bytes:
        lines = [self._lines.popleft() for _ in range(min(len(self._lines), MAX_LINES))]
        if self._last_dropped is not None and not self._lines:
            count, (is_of_task, stream, _) = self._dropped, self._last_dropped
            self._dropped, self._last_dropped = 0, None
            lines.append((is_of_task, stream, f"… (dropped lines: {count})"))
        message = _MARK + pickle.dumps(lines, pickle.HIGHEST_PROTOCOL)
        # As `Connection.send_bytes` writes it, which would wait.
        return struct.pack("!i", len(message)) + message

    def _start_thread(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._send_rest, name="lines", daemon=True)
            with suppress(RuntimeError):  # the process is ending
                self._thread.start()

    def _send_rest(self) -> None:
        while self._socket is not None:
            self._has_unsent.wait()
            self._wait_for_room()
            with self._sending:
                if self._try_send_all():
                    self._has_unsent.clear()
            self._send()  # lines that came while this thread had the lock

    def _wait_for_room(self) -> None:
        current = self._socket
        if current is not None:
            room = select.poll()
            room.register(current, select.POLLOUT)
            room.poll()

    def _close(self) -> None:
        current, self._socket = self._socket, None
        if current is not None:
            current.close()
        self._lines.clear()
        self._has_unsent.set()  # ends the thread

    def _detach(self) -> None:
        """Send nothing from a process that a task has forked."""
        current, self._socket = self._socket, None
        if current is not None:
            current.close()
        self._sending = threading.Lock()  # its owner is in the other process
