"""The user's files as one reload saw them.

Owns which text each file had. Never decides which files there are.
"""

from __future__ import annotations

from .model import Source


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
