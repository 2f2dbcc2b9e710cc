"""Files: the content and the content type of a file that a handler returns.

Owns the reading of a path, of an open file and of a buffer, whole or in pieces. Knows nothing of
HTTP but content types, and never decides whether a client may have a file.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from .libraries import known

TEXT = "text/plain; charset=utf-8"
BYTES = "application/octet-stream"
# A file up to this size is read at once; a larger one is sent in pieces of it.
PIECE = 256 * 1024

_COMPRESSED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}


def is_file(value: object) -> bool:
    """Report whether `value` is the path of a file, an open file, or a buffer."""
    return isinstance(value, Path | io.IOBase) or _inner(value) is not value


def content_type(value: Any) -> str:
    """Guess the content type by the name of the file."""
    value = _inner(value)
    name = value if isinstance(value, Path) else getattr(value, "name", None)
    if isinstance(name, str | Path):
        from mimetypes import guess_type  # reads the tables of the system

        mime, encoding = guess_type(str(name))
        if encoding is not None:
            return _COMPRESSED.get(encoding, BYTES)
        if mime is not None:
            return f"{mime}; charset=utf-8" if mime.startswith("text/") else mime
    return TEXT if isinstance(value, io.TextIOBase) else BYTES


def read(value: Any) -> bytes | Iterator[bytes]:
    """Return the content: bytes, or the pieces of a large file. Raises OSError."""
    value = _inner(value)
    if isinstance(value, io.BytesIO):
        return value.getvalue()
    if isinstance(value, io.StringIO):
        return value.getvalue().encode()
    if not isinstance(value, Path):
        return _pieces(value)
    file = value.open("rb")
    if os.fstat(file.fileno()).st_size > PIECE:
        return _pieces(file)
    with file:
        return file.read()


def _pieces(file: IO[Any]) -> Iterator[bytes]:
    with file:
        while piece := file.read(PIECE):
            yield piece.encode() if isinstance(piece, str) else bytes(piece)


def _inner(value: Any) -> Any:
    """Return the file inside a wrapper of `tempfile`."""
    return value.file if known(value, {"tempfile._TemporaryFileWrapper": True}) else value
