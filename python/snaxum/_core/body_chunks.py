"""The body of a request in chunks. Knows neither request nor connection."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

_PIECE_BYTES = 64 * 1024


class BodyChunks:
    """The body of a request in chunks of bytes, once."""

    __slots__ = ("_chunks",)

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk


def pieces(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), _PIECE_BYTES):
        yield data[start : start + _PIECE_BYTES]
