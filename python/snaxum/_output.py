"""What code prints and logs in dev mode: line by line, with the request it was written for.

Owns the standard streams there. Passes everything on at once and unchanged, and tells Rust of each
line, secrets masked and what is long cut. Never keeps a line.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any, TextIO

from . import state
from ._masking import mask_text

# Characters that are told of one line.
MAX_LINE = 4096

Tell = Callable[[int | None, str, str], None]


def install(tell: Tell) -> None:
    """Tell of each line from now on."""
    sys.stdout = _Stream(sys.stdout, "stdout", tell)
    sys.stderr = _Stream(sys.stderr, "stderr", tell)


class _Unfinished(threading.local):
    """The line that a thread has begun."""

    text = ""
    # What it has of it that was too much to keep.
    more = 0


class _Stream:
    """A text stream around another one, whose every other attribute it has."""

    def __init__(self, stream: TextIO, name: str, tell: Tell) -> None:
        self._stream = stream
        self._name = name
        self._tell = tell
        self._unfinished = _Unfinished()

    def write(self, text: str) -> int:
        written = self._stream.write(text)
        *ended, begun = text.split("\n")
        for part in ended:
            self._add(part)
            self._end()
        self._add(begun)
        return written

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _add(self, part: str) -> None:
        line = self._unfinished
        room = MAX_LINE - len(line.text)
        line.text += part[:room]
        line.more += max(0, len(part) - room)

    def _end(self) -> None:
        line = self._unfinished
        text, more = line.text, line.more
        line.text, line.more = "", 0
        text = mask_text(text) + (f"… ({more} characters more)" if more else "")
        # Half a surrogate pair does not cross.
        self._tell(state.request(), self._name, text.encode("utf-8", "replace").decode())
