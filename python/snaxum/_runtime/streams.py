"""The standard streams of the server and of its workers, which never wait for their reader.

Owns the way from `print` to the descriptor. A text is written at once while there is room; without
room it waits in a bounded queue for a thread of the stream, and the newest texts are dropped and
counted. Never changes a text, and never sees the output of C code or of child processes.
"""

from __future__ import annotations

import io
import os
import stat
import sys
import threading
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket

# The most bytes that wait for the reader of a stream.
MAX_WAITING = 1 << 20
# The most bytes of one write.
_CHUNK = 1 << 16

_writers: list[Writer] = []
# The streams of before: the end of an unreferenced stream closes its buffer.
_replaced: list[object] = []


def install() -> None:
    """Replace stdout and stderr, unless the embedding program has already replaced them."""
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        if _descriptor(getattr(sys, name)) == descriptor:
            writer = Writer(descriptor, f"<{name}>")
            buffer = io.BufferedWriter(writer)
            replace(name, io.TextIOWrapper(buffer, "utf-8", "backslashreplace", None, True))
            _writers.append(writer)


def replace(name: str, stream: io.TextIOWrapper) -> None:
    """Make `stream` the process's stream `name`."""
    before = getattr(sys, name)
    _replaced.append(before)
    setattr(sys, name, stream)
    if getattr(sys, f"__{name}__") is before:
        setattr(sys, f"__{name}__", stream)


def end(timeout: float) -> None:
    """Flush the streams; wait for their readers at most `timeout` seconds each."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # the user closed or replaced it
            stream.flush()
    for writer in _writers:
        writer.wait_until_written(timeout)


class Writer(io.RawIOBase):
    """A raw stream to a descriptor, whose `write` always takes everything and never waits."""

    def __init__(self, descriptor: int, name: str, max_waiting: int = MAX_WAITING) -> None:
        self.name = name
        self.mode = "wb"
        self._descriptor = descriptor
        self._max_waiting = max_waiting
        self._start()
        os.register_at_fork(after_in_child=self._start)

    def _start(self) -> None:
        """Begin without waiting texts, also in a fork: the parent writes its own."""
        # Reentrant: a destructor may print at any time.
        self._lock = threading.RLock()
        # Locked by the thread that writes.
        self._writing = threading.Lock()
        self._waiting: deque[bytes] = deque()
        self._size = self._dropped = 0
        self._thread: threading.Thread | None = None
        self._has_waiting = threading.Event()
        self._is_idle = threading.Event()
        self._is_idle.set()
        self._target: _Target | None = None

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, data: Any, /) -> int:
        text = bytes(data)
        with self._lock:
            if self._size + len(text) <= self._max_waiting or not self._waiting:
                self._append_note()
                self._waiting.append(text)
                self._size += len(text)
            else:
                self._dropped += max(1, text.count(b"\n"))
        self._write_now()
        return len(text)

    def wait_until_written(self, timeout: float) -> None:
        """Wait until nothing waits for the reader."""
        self._write_now()
        if self._waiting:
            self._is_idle.wait(timeout)

    def _append_note(self) -> None:
        """Put the number of dropped lines where they are missing."""
        if self._dropped:
            note = f"… ({self.name}: {self._dropped} lines dropped, as nothing read it)\n".encode()
            self._dropped = 0
            self._waiting.append(note)
            self._size += len(note)

    def _write_now(self) -> None:
        """Write what there is room for, unless another thread writes it already."""
        while self._waiting and self._writing.acquire(blocking=False):
            try:
                has_written = self._try_write()
            finally:
                self._writing.release()
            if not has_written:
                self._wake_thread()
                return

    def _try_write(self, *, may_wait: bool = False) -> bool:
        """Write the waiting texts; False if there is no room for one. The caller has `_writing`."""
        while self._waiting:
            text = self._waiting[0]
            try:
                target = self._current_target()
                if target.must_wait and not may_wait:
                    return False
                written = target.write(text[:_CHUNK])
            except BlockingIOError:
                return False
            except OSError:
                written = len(text)  # there is no reader any more
            self._remove(written)
        return True

    def _remove(self, written: int) -> None:
        with self._lock:
            text = self._waiting[0]
            self._size -= written
            if written < len(text):
                self._waiting[0] = text[written:]
                return
            self._waiting.popleft()
            if not self._waiting:
                self._append_note()

    def _wake_thread(self) -> None:
        with self._lock:
            self._is_idle.clear()
            self._has_waiting.set()
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._write_rest, name=self.name.strip("<>"), daemon=True
                )
                with suppress(RuntimeError):  # the process is ending
                    self._thread.start()

    def _write_rest(self) -> None:
        while True:
            self._has_waiting.wait()
            self._has_waiting.clear()
            with self._writing:
                while not self._try_write(may_wait=True):
                    self._wait_for_room()
                # With the lock: no text without room for it comes in between.
                self._is_idle.set()
            self._write_now()  # texts that came while this thread had the lock

    def _wait_for_room(self) -> None:
        import select  # rarely needed

        room = select.poll()
        room.register(self._descriptor, select.POLLOUT)
        room.poll()

    def _current_target(self) -> _Target:
        """Return the file of the descriptor; the user may have replaced it."""
        status = os.fstat(self._descriptor)
        target = self._target
        if target is None or target.identity != (status.st_dev, status.st_ino):
            self._target = target = _Target(self._descriptor, status)
        return target


class _Target:
    """The file behind a descriptor, and how to write to it without waiting."""

    def __init__(self, descriptor: int, status: os.stat_result) -> None:
        self.identity = (status.st_dev, status.st_ino)
        self._descriptor = descriptor
        self._socket: socket.socket | None = None
        self._own: int | None = None
        # Whether only a write that waits for room is possible.
        self.must_wait = False
        if stat.S_ISSOCK(status.st_mode):
            import socket

            self._socket = socket.socket(fileno=os.dup(descriptor))
            self._dont_wait = socket.MSG_DONTWAIT
        elif not stat.S_ISREG(status.st_mode):
            # Other processes share the descriptor's flags, and must not find it non-blocking. Only
            # Linux can open the same pipe or terminal again.
            flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
            try:
                self._own = os.open(f"/proc/self/fd/{descriptor}", flags)
            except OSError:
                self.must_wait = True

    def write(self, text: bytes) -> int:
        """Write a part of `text`, at least one byte; BlockingIOError without room."""
        if self._socket is not None:
            return self._socket.send(text, self._dont_wait)
        return os.write(self._descriptor if self._own is None else self._own, text)

    def __del__(self) -> None:
        if self._own is not None:
            os.close(self._own)


def _descriptor(stream: object) -> int | None:
    """Return the descriptor of a text stream of Python's own."""
    if type(stream) is not io.TextIOWrapper:
        return None
    try:
        return stream.fileno()
    except (OSError, ValueError):
        return None
