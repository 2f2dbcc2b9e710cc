"""The user's files as one reload saw them.

Owns the snapshot of each file's text, and its code once compiled. Never decides which files there
are.
"""

from __future__ import annotations

import importlib.util
from types import CodeType
from typing import TYPE_CHECKING

from .._core.digests import blake2b

if TYPE_CHECKING:
    from .effects.patches import Targets


class Source:
    """One file as it was read: its bytes, and its code once compiled."""

    __slots__ = ("code", "content", "digest", "path", "targets")

    def __init__(self, path: str, content: bytes) -> None:
        self.path = path
        self.content = content
        self.digest = blake2b(content, digest_size=16).digest()
        self.code: CodeType | None = None
        # What it may assign to of others, once somebody has looked (`effects.patches`).
        self.targets: Targets | None = None

    def compile(self) -> CodeType:
        """Compile once. Raises SyntaxError, which carries this text as `source_text`."""
        if self.code is None:
            try:
                self.code = compile(self.content, self.path, "exec", dont_inherit=True)
            except SyntaxError as error:
                error.source_text = self.text  # type: ignore[attr-defined]
                raise
            except ValueError as error:  # a NUL byte, a wrong encoding
                raise SyntaxError(str(error), (self.path, 1, 1, "")) from error
        return self.code

    @property
    def text(self) -> str:
        return _decode(self.content)


class Sources:
    """The user's files as one reload saw them; made from those of the generation before."""

    def __init__(self, previous: Sources | None = None) -> None:
        self._files: dict[str, Source] = dict(previous._files) if previous else {}

    def read(self, path: str) -> Source:
        """Return a file as it was read first. Raises OSError."""
        source = self._files.get(path)
        return source if source is not None else self._take(path)

    def refresh(self, path: str) -> Source | None:
        """Read a file once more; None, and forgotten, if it cannot be read.

        A file of the same content stays the same object, with its code.
        """
        before = self._files.pop(path, None)
        try:
            source = self._take(path)
        except OSError:
            return None
        if before is not None and before.digest == source.digest:
            source = self._files[path] = before
        return source

    def kept(self, path: str) -> Source | None:
        """Return a file that was read, without reading it."""
        return self._files.get(path)

    def replace(self, source: Source) -> None:
        """Take another text for a file: one of the same code."""
        self._files[source.path] = source

    def forget(self, path: str) -> None:
        """Read a file anew when it is next asked for."""
        self._files.pop(path, None)

    def retain(self, paths: set[str]) -> None:
        """Forget all other files: what nothing is made from is read anew when it is asked for."""
        self._files = {path: source for path, source in self._files.items() if path in paths}

    def all(self) -> dict[str, Source]:
        """Give a copy of the whole table, by path."""
        return dict(self._files)

    def preload(self, contents: dict[str, bytes]) -> None:
        """Take files as already read, as a pool worker does."""
        self._files.update((path, Source(path, content)) for path, content in contents.items())

    def _take(self, path: str) -> Source:
        with open(path, "rb") as file:
            source = self._files[path] = Source(path, file.read())
        return source


def _decode(content: bytes) -> str:
    try:
        return importlib.util.decode_source(content)
    except (SyntaxError, UnicodeDecodeError):
        return content.decode("utf-8", "replace")
