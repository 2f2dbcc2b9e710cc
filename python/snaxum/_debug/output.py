"""Forwards printed and logged lines in dev mode, each with the request that it belongs to.

Owns the standard streams there. Passes everything on, with terminal control characters escaped
unless raw output is set, and sends each line to Rust, masked and truncated. Never stores a line.
"""

from __future__ import annotations

import io
import logging
import re
import sys
import threading
from collections.abc import Callable
from typing import IO

from .._core.current_record import current
from .._core.late_regex import late
from .._reload.user_paths import display_path, is_user_file
from .._runtime import generations, leases, streams
from .redact import MASK, SLACK, begins_key, end_of_key, mask_beginning
from .source_mask import mask_printed_line

# The most characters of a line that is sent.
MAX_LINE = 4096
# The most characters of an unfinished line in memory: enough to mask and then to truncate it.
_BUFFERED = SLACK * MAX_LINE + 1
# The most frames in which the code that prints is searched.
MAX_FRAMES = 16
# The most lines of a private key.
MAX_KEY_LINES = 200

# Control characters but tab and line break, and bidi overrides.
_CONTROL = "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
_UNSAFE = late(_CONTROL)
# The same, after the allowed parts: colours (SGR), and both kinds of line break.
_PART = late(rf"(?P<colour>\x1b\[[0-9;:]*m)|(?P<end>\r?\n)|{_CONTROL}")
_NO_COLOUR = "\x1b[0m"

# The level and the logger of a record, and the file and the line of the user's code.
Origin = tuple["str | None", "str | None", "str | None", "int | None"]
# Receives the request, the name of the stream, the line, and whether a loading module printed it;
# then its origin, if the stream finds it.
OnLine = Callable[..., None]

# The installed streams: user code may replace `sys.stdout`.
_installed: list[_Stream] = []


def install(on_line: OnLine, *, is_raw: bool, finds_origin: bool = False) -> None:
    """Send each line to `on_line` from now on, unless it goes to a stream of another program."""
    for name in ("stdout", "stderr"):
        current = getattr(sys, name)
        if isinstance(current, io.TextIOWrapper):
            stream = _Stream(current.buffer, name, on_line, is_raw=is_raw)
            stream.finds_origin = finds_origin
            streams.replace(name, stream)
            _installed.append(stream)


def streams_of_terminal() -> list[_Stream]:
    """Return the installed streams that a person reads."""
    return [stream for stream in _installed if stream.isatty()]


def end_lines() -> None:
    """Send the unfinished lines of the calling thread, before it works for something else."""
    for stream in _installed:
        stream.end_line()


class _Unfinished(threading.local):
    """The unfinished line of a thread."""

    text = ""
    # The number of its further characters, which were dropped.
    more = 0
    # Whether it has a colour without an end.
    is_coloured = False
    # How many more lines may belong to an unfinished private key.
    key_lines = 0
    # The request that prints it.
    key_request: int | None = None


class _Stream(io.TextIOWrapper):
    """A text stream that also sends its lines."""

    # Whether it sends where each line comes from.
    finds_origin = False
    # Returns the head of the lines of the request, if they need one; on a terminal only.
    head_of: Callable[[], str] | None = None

    def __init__(
        self, buffer: IO[bytes], name: str, on_line: OnLine, *, is_raw: bool = False
    ) -> None:
        super().__init__(buffer, "utf-8", "backslashreplace", None, True)
        self._name = name
        self._on_line = on_line
        self._is_raw = is_raw
        self._has_colours = self.isatty()
        self._unfinished = _Unfinished()

    def write(self, text: str, /) -> int:
        is_safe = self._is_raw or not isinstance(text, str)  # an error, which the stream raises
        shown = text if is_safe else self._escaped(text)
        if self.head_of is not None and text and not self._unfinished.text:
            shown = self.head_of() + shown  # in one piece: another thread may write, too
        super().write(shown)
        *ended, begun = text.split("\n")
        for part in ended:
            self._add(part)
            self._end()
        self._add(begun)
        return len(text)

    def end_line(self) -> None:
        """Send the unfinished line of the calling thread, if there is one."""
        if self._unfinished.text:
            self._end()

    def _escaped(self, text: str) -> str:
        """Escape control characters; on a terminal, allow colours up to the end of a line."""
        line = self._unfinished
        if not line.is_coloured and not _UNSAFE.search(text):
            return text

        def part(found: re.Match[str]) -> str:
            if found["end"]:
                was_coloured, line.is_coloured = line.is_coloured, False
                return _NO_COLOUR + found[0] if was_coloured else found[0]
            if found["colour"] and self._has_colours:
                line.is_coloured = found[0] != _NO_COLOUR
                return found[0]
            return f"\\u{{{ord(found[0][0]):x}}}" + found[0][1:]

        return _PART.sub(part, text)

    def _add(self, part: str) -> None:
        line = self._unfinished
        room = _BUFFERED - len(line.text)
        line.text += part[:room]
        line.more += max(0, len(part) - room)

    def _end(self) -> None:
        line = self._unfinished
        text, more = line.text, line.more
        line.text, line.more = "", 0
        text, left = mask_beginning(text, MAX_LINE, self._masked)
        if left + more:
            text += f"… ({left + more} characters more)"
        # Rust has no lone surrogates.
        text = text.encode("utf-8", "replace").decode()
        is_loading = generations.is_loading()
        origin = (_origin(),) if self.finds_origin else ()
        self._on_line(leases.attributed_request(), self._name, text, is_loading, *origin)

    def _masked(self, text: str) -> str:
        """Mask a line; all of it, if it belongs to a private key."""
        line, request = self._unfinished, leases.attributed_request()
        if line.key_lines and line.key_request == request:
            end = end_of_key(text)
            line.key_lines = line.key_lines - 1 if end is None else 0
            return MASK if end is None else MASK + self._masked(text[end:])
        if begins_key(text):
            line.key_lines, line.key_request = MAX_KEY_LINES, request
        return mask_printed_line(text)


def _origin() -> Origin:
    """Find what writes a line: a record of `logging`, or code of the user."""
    record = current.record
    if record is not None:
        # A formatter may have colored `levelname`; a record of the user's own has any values.
        own_level, own_name = logging.getLevelName(record.levelno), record.name
        level = own_level.lower() if type(own_level) is str else None
        name = own_name if type(own_name) is str else None
        file, line = record.pathname, record.lineno
        if type(file) is str and type(line) is int and line >= 0 and is_user_file(file):
            return (level, name, display_path(file), line)
        return (level, name, None, None)
    frame = sys._getframe(2)
    for _ in range(MAX_FRAMES):
        if frame.f_back is None:
            break
        frame = frame.f_back
        if is_user_file(frame.f_code.co_filename):
            return (None, None, display_path(frame.f_code.co_filename), frame.f_lineno)
    return (None, None, None, None)
