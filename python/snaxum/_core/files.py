"""Files: the content and the content type of a file that a handler returns.

Owns the reading of an open file and of a buffer, whole or in pieces; the file of a path is read by
Rust. Knows nothing of HTTP but content types, and never decides whether a client may have a file.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

from .late_module import late_module
from .libraries import ByClass

if TYPE_CHECKING:
    import pathlib
else:
    pathlib = late_module("pathlib")

TEXT = "text/plain; charset=utf-8"
BYTES = "application/octet-stream"
# An open file is sent in pieces of this size.
PIECE = 256 * 1024

_WRAPPERS = ByClass({"tempfile._TemporaryFileWrapper": True})
_COMPRESSED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}


def is_file(value: object) -> bool:
    """Report whether `value` is the path of a file, an open file, or a buffer."""
    return isinstance(value, pathlib.Path | io.IOBase) or _inner(value) is not value


def content_type(value: Any) -> str:
    """Guess the content type by the name of the file."""
    name = name_of(value)
    if name:
        from mimetypes import guess_type  # reads the tables of the system

        mime, encoding = guess_type(name)
        if encoding is not None:
            return _COMPRESSED.get(encoding, BYTES)
        if mime is not None:
            return f"{mime}; charset=utf-8" if mime.startswith("text/") else mime
    return TEXT if isinstance(_inner(value), io.TextIOBase) else BYTES


def name_of(value: Any) -> str:
    """Return the name of a file without its directories; "" if it has none."""
    value = _inner(value)
    name = value if isinstance(value, pathlib.Path) else getattr(value, "name", None)
    return pathlib.Path(name).name if isinstance(name, str | pathlib.Path) else ""


def read(value: Any) -> bytes | Iterator[bytes]:
    """Return the content of a buffer, or the pieces of an open file. Raises OSError."""
    value = _inner(value)
    if isinstance(value, io.BytesIO):
        return value.getvalue()
    if isinstance(value, io.StringIO):
        return value.getvalue().encode()
    return _pieces(value)


def _pieces(file: IO[Any]) -> Iterator[bytes]:
    with file:
        while piece := file.read(PIECE):
            yield piece.encode() if isinstance(piece, str) else bytes(piece)


def _inner(value: Any) -> Any:
    """Return the file inside a wrapper of `tempfile`."""
    return value.file if _WRAPPERS.of(value) else value
