"""Uploaded files: `UploadFile`, as a handler reads and saves it.

Owns the file object over the bytes that Rust has received, in memory or on disk. Never parses a
body: Rust has done it before the handler starts.
"""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, NoReturn

from ._core.late_module import late_module

if TYPE_CHECKING:
    import pathlib
    from typing import Protocol
else:
    Protocol = object  # each one takes long to make
    pathlib = late_module("pathlib")

# A file that is read at once; a larger one is read in a thread by `aread`.
_QUICK_BYTES = 1024 * 1024


class UploadContent(Protocol):
    """The bytes of one file, which Rust lends until the end of the request."""

    @property
    def size(self) -> int: ...
    def read_at(self, offset: int, size: int, /) -> bytes: ...
    def save(self, path: str | os.PathLike[str], /) -> None: ...
    def is_closed(self) -> bool: ...
    def close(self) -> None: ...


# The field's name, the file's name and content type, and its bytes.
RawFile = tuple[str, str, str, UploadContent]


class UploadFile(io.BufferedReader):
    """One file of a multipart form, open for reading in binary mode.

    - `filename`: the client's name for it, without directories; do not use it as a path unchecked
    - `content_type`: the client's word, `""` if it sent none; `size`: in bytes
    - `read()`, `seek()`, `readline()`, iteration by lines: as for any open file
    - `await aread()`: `read()` that does not block the event loop
    - `save(path)`: copies the whole file, wherever it has been read to

    It is closed at the end of its request. Files of up to 1 MiB are in memory, larger ones on disk.
    """

    def __init__(self, content: UploadContent, filename: str, content_type: str = "") -> None:
        super().__init__(_UploadReader(content))
        self._content = content
        self.filename = filename
        self.content_type = content_type

    @classmethod
    def build(
        cls, data: bytes, filename: str = "file", content_type: str = "application/octet-stream"
    ) -> UploadFile:
        """Make an upload for a unit test of a handler."""
        return cls(_BuiltUpload(data), filename, content_type)

    @property
    def size(self) -> int:
        """The number of bytes."""
        return self._content.size

    @property
    def name(self) -> str:
        """The same as `filename`, as other open files have it."""
        return self.filename

    async def aread(self, size: int | None = -1, /) -> bytes:
        """Read up to `size` bytes, or the rest, without blocking the event loop."""
        if self.size <= _QUICK_BYTES:
            return self.read(size)
        import asyncio

        return await asyncio.to_thread(self.read, size)

    def save(self, path: str | os.PathLike[str]) -> pathlib.Path:
        """Copy the file to `path`, in place of a file that is there; return the path.

        Raises OSError, such as FileNotFoundError for a directory that does not exist.
        """
        if self.closed:
            raise ValueError("the upload is closed; save it before the response")
        target = pathlib.Path(path)
        if target.is_dir():
            raise IsADirectoryError(
                f"`{target}` is a directory; add a name of your own, as in "
                f"`file.save({str(target)!r} + '/' + new_name)`"
            )
        self._content.save(target)
        return target

    def __del__(self) -> None:
        """Leave the content open: the request may have it in another file object."""

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError(
            "an UploadFile cannot be sent to another process; send `file.read()`, or the path of "
            "`file.save(path)`"
        )

    def __repr__(self) -> str:
        kind = f" {self.content_type}" if self.content_type else ""
        return f"<UploadFile {self.filename!r}{kind} {self.size} bytes>"


class _UploadReader(io.RawIOBase):
    """Reads the content at a position."""

    def __init__(self, content: UploadContent) -> None:
        super().__init__()
        self._content = content
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        view = memoryview(buffer).cast("B")
        data = self._content.read_at(self._position, len(view))
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    def readall(self) -> bytes:
        data = self._content.read_at(self._position, max(0, self._content.size - self._position))
        self._position += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._content.size}
        if whence not in start:
            raise ValueError(f"whence is {whence}; use 0, 1 or 2")
        position = start[whence] + offset
        if position < 0:
            raise ValueError(f"the position {position} is before the start of the file")
        self._position = position
        return position

    def __del__(self) -> None:
        pass  # the same

    @property
    def closed(self) -> bool:
        return self._content.is_closed()

    def close(self) -> None:
        self._content.close()
        super().close()


class _BuiltUpload:
    """Replaces the bytes that Rust has, in `UploadFile.build`."""

    def __init__(self, data: bytes) -> None:
        self._data: bytes | None = data
        self.size = len(data)

    def read_at(self, offset: int, size: int, /) -> bytes:
        if self._data is None:
            raise ValueError("the upload is closed")
        return self._data[offset : offset + size]

    def save(self, path: str | os.PathLike[str], /) -> None:
        pathlib.Path(path).write_bytes(self.read_at(0, self.size))

    def is_closed(self) -> bool:
        return self._data is None

    def close(self) -> None:
        self._data = None
