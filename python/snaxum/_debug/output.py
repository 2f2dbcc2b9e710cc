"""What code prints and logs in dev mode: line by line, with the request it was written for.

Owns the standard streams there. Passes everything on at once, what could steer a terminal escaped
unless raw output is wanted, and tells Rust of each line, secrets masked and what is long cut. Never
keeps a line.
"""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any, TextIO

from .._runtime import generations, leases
from .redact import MASK, SLACK, begins_key, end_of_key, mask_beginning, mask_text

# Characters that are told of one line.
MAX_LINE = 4096
# What is kept of a line to its end: enough to see that there is more than what is masked.
_KEPT = SLACK * MAX_LINE + 1
# Lines of a private key; more are none of it.
MAX_KEY_LINES = 200

# Control characters but tab and line break, and bidi overrides.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
# The same, with what may stay: colours (SGR), line breaks of both kinds.
_PART = re.compile(rf"(?P<colour>\x1b\[[0-9;:]*m)|(?P<end>\r?\n)|{_STEERING.pattern}")
_NO_COLOUR = "\x1b[0m"

# Of the request, the stream's name, the line, and whether it was written by what is loading now.
OnLine = Callable[[int | None, str, str, bool], None]

# Whoever replaces `sys.stdout` may still print to these.
_installed: list[_Stream] = []


def install(on_line: OnLine, *, is_raw: bool) -> None:
    """Tell of each line from now on."""
    for name in ("stdout", "stderr"):
        stream = _Stream(getattr(sys, name), name, on_line, is_raw=is_raw)
        setattr(sys, name, stream)
        _installed.append(stream)


def end_lines() -> None:
    """Tell of what the calling thread has begun: it goes on to something else."""
    for stream in _installed:
        stream.end_line()


class _Unfinished(threading.local):
    """The line that a thread has begun."""

    text = ""
    # What it has of it that was too much to keep.
    more = 0
    # Whether it has a colour that may not have been ended.
    is_coloured = False
    # How many lines more may be of the private key that it has begun to print.
    key_lines = 0
    # The request that prints it.
    key_request: int | None = None


class _Stream:
    """A text stream around another one, whose every other attribute it has."""

    def __init__(self, stream: TextIO, name: str, on_line: OnLine, *, is_raw: bool = False) -> None:
        self._stream = stream
        self._name = name
        self._on_line = on_line
        self._is_raw = is_raw
        self._has_colours = stream.isatty()
        self._unfinished = _Unfinished()

    def write(self, text: str) -> int:
        self._stream.write(text if self._is_raw else self._plain(text))
        *ended, begun = text.split("\n")
        for part in ended:
            self._add(part)
            self._end()
        self._add(begun)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def end_line(self) -> None:
        """Tell of the line that the calling thread has begun, if it has."""
        if self._unfinished.text:
            self._end()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _plain(self, text: str) -> str:
        """Escape what could steer a terminal; on one, colours stay within their line."""
        line = self._unfinished
        if not line.is_coloured and not _STEERING.search(text):
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
        room = _KEPT - len(line.text)
        line.text += part[:room]
        line.more += max(0, len(part) - room)

    def _end(self) -> None:
        line = self._unfinished
        text, more = line.text, line.more
        line.text, line.more = "", 0
        text, left = mask_beginning(text, MAX_LINE, self._masked)
        if left + more:
            text += f"… ({left + more} characters more)"
        # Half a surrogate pair does not cross.
        text = text.encode("utf-8", "replace").decode()
        self._on_line(leases.request_id(), self._name, text, generations.is_loading())

    def _masked(self, text: str) -> str:
        """Mask a line, all of it where it is one of a private key."""
        line, request = self._unfinished, leases.request_id()
        if line.key_lines and line.key_request == request:
            end = end_of_key(text)
            line.key_lines = line.key_lines - 1 if end is None else 0
            return MASK if end is None else MASK + self._masked(text[end:])
        if begins_key(text):
            line.key_lines, line.key_request = MAX_KEY_LINES, request
        return mask_text(text)
