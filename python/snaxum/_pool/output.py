"""What pool workers print in dev mode, on its way to the server.

Owns that way, which is the one of the answers: so the lines of a task are there before its answer,
and those that it wrote before it crashed are there, too. Printing does not wait for the server:
what finds no room is kept up to a limit, and sent by a thread; what is more is counted. Never
writes to the streams themselves: the worker does (`_output`).
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

# Whether the task has written it, or a thread that code has started; the stream; the line.
Line = tuple[bool, str, str]

# Lines that wait in a worker.
MAX_WAITING = 2000
# Lines in one message.
AT_ONCE = 100
# What a message of lines begins with, and no pickle does.
_MARK = b"\n"


def read(message: bytes) -> list[Line] | None:
    """Unpack lines; None if `message` is the answer of a task."""
    if not message.startswith(_MARK):
        return None
    lines: list[Line] = pickle.loads(message[len(_MARK) :])
    return lines


class Sender:
    """A worker's end of a socket, for lines and answers. Made by the thread that runs the tasks."""

    def __init__(self, answers: Connection) -> None:
        self._answers = answers
        self._socket: socket.socket | None = socket.socket(fileno=os.dup(answers.fileno()))
        self._of_tasks = threading.get_ident()
        self._lines: deque[Line] = deque()
        self._lost = 0
        self._last_lost: Line | None = None
        # What has been sent in part.
        self._rest = b""
        # Who sends; a destructor or a signal handler may print in the middle of it.
        self._turn = threading.Lock()
        self._is_left = threading.Event()
        self._thread: threading.Thread | None = None
        os.register_at_fork(after_in_child=self._let_go)

    def tell(self, _request: int | None, stream: str, line: str, _loads: bool) -> None:
        """Send a line at once, or as soon as there is room."""
        if self._socket is None:
            return
        told = (threading.get_ident() == self._of_tasks, stream, line)
        if len(self._lines) < MAX_WAITING:
            self._lines.append(told)
        else:
            self._lost += 1
            self._last_lost = told
        self._send()

    def answer(self, answer: bytes) -> None:
        """Send the answer of a task, after what it has printed."""
        with self._turn:
            while not self._sends_all():
                self._wait_for_room()
            self._answers.send_bytes(answer)
        self._send()

    def _send(self) -> None:
        """Send what there is room for, unless somebody is at it who sends this, too."""
        while self._has_some() and self._turn.acquire(blocking=False):
            try:
                if not self._sends_all():
                    self._is_left.set()
                    self._start_thread()
                    return
            finally:
                self._turn.release()

    def _has_some(self) -> bool:
        return self._socket is not None and bool(self._rest or self._lines or self._lost)

    def _sends_all(self) -> bool:
        """Send without waiting; False if there is no room for the rest."""
        while self._socket is not None and self._has_some():
            self._rest = self._rest or self._message()
            try:
                sent = self._socket.send(self._rest, socket.MSG_DONTWAIT)
            except OSError as error:
                if error.errno in (errno.EAGAIN, errno.ENOBUFS):
                    return False
                self._close()  # nobody listens any more
                return True
            self._rest = self._rest[sent:]
        return True

    def _message(self) -> bytes:
        lines = [self._lines.popleft() for _ in range(min(len(self._lines), AT_ONCE))]
        if self._last_lost is not None and not self._lines:
            count, (is_of_task, stream, _) = self._lost, self._last_lost
            self._lost, self._last_lost = 0, None
            lines.append((is_of_task, stream, f"… (lines that were too many to keep: {count})"))
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
            self._is_left.wait()
            self._wait_for_room()
            with self._turn:
                if self._sends_all():
                    self._is_left.clear()
            self._send()  # what came while nobody else could have the turn

    def _wait_for_room(self) -> None:
        held = self._socket
        if held is not None:
            room = select.poll()
            room.register(held, select.POLLOUT)
            room.poll()

    def _close(self) -> None:
        held, self._socket = self._socket, None
        if held is not None:
            held.close()
        self._lines.clear()
        self._is_left.set()  # the thread ends

    def _let_go(self) -> None:
        """Tell of nothing in a process that a task has forked."""
        held, self._socket = self._socket, None
        if held is not None:
            held.close()
        self._turn = threading.Lock()  # whoever held it is not there
