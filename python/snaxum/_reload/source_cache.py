"""A snapshot of the user's files: every file is read once in a reload.

Owns the text of each file in one generation. Never decides which files there are.
"""

from __future__ import annotations

from .model import Source


class SourceCache:
    """The user's files as one reload read them; it starts as a copy of the previous cache."""

    def __init__(self, previous: SourceCache | None = None) -> None:
        self._files: dict[str, Source] = dict(previous._files) if previous else {}

    def read(self, path: str) -> Source:
        """Return a file as it was read first. Raises OSError."""
        source = self._files.get(path)
        return source if source is not None else self._load(path)

    def refresh(self, path: str) -> Source | None:
        """Read a file again; forget it and return None if it cannot be read.

        A file of the same content stays the same object, with its code.
        """
        before = self._files.pop(path, None)
        try:
            source = self._load(path)
        except OSError:
            return None
        if before is not None and before.digest == source.digest:
            source = self._files[path] = before
        return source

    def cached(self, path: str) -> Source | None:
        """Return a file that was read before, without reading it."""
        return self._files.get(path)

    def replace(self, source: Source) -> None:
        """Replace the text of a file by another text of the same code."""
        self._files[source.path] = source

    def forget(self, path: str) -> None:
        """Read a file again at its next use."""
        self._files.pop(path, None)

    def retain(self, paths: set[str]) -> None:
        """Forget all other files: no module is made from them."""
        self._files = {path: source for path, source in self._files.items() if path in paths}

    def by_path(self) -> dict[str, Source]:
        """Return a copy of the whole table."""
        return dict(self._files)

    def preload(self, contents: dict[str, bytes]) -> None:
        """Add files that were read by another process, as in a pool worker."""
        self._files.update((path, Source(path, content)) for path, content in contents.items())

    def _load(self, path: str) -> Source:
        with open(path, "rb") as file:
            source = self._files[path] = Source(path, file.read())
        return source
