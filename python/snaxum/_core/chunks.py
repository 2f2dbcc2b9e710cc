"""Streams of values: each value is encoded as one chunk of a body.

Owns the iterators. Never chooses an encoding, and never waits: after each `keep_alive` seconds
without a chunk, Rust sends a comment.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .late_module import late_module

if TYPE_CHECKING:
    import inspect
else:
    inspect = late_module("inspect")

Encode = Callable[[object], bytes]


class Chunks(Iterator[bytes]):
    """The encoded values of a plain iterable."""

    __slots__ = ("_encode", "_values", "keep_alive")

    def __init__(
        self, values: Iterable[object], encode: Encode, keep_alive: float | None = None
    ) -> None:
        self._values: Any = iter(values)
        self._encode = encode
        self.keep_alive = keep_alive

    def __next__(self) -> bytes:
        return self._encode(next(self._values))

    def close(self) -> None:
        """Close the generator: its `finally` blocks run."""
        if hasattr(self._values, "close"):
            self._values.close()


class AsyncChunks(AsyncIterator[bytes]):
    """The encoded values of an async iterable."""

    __slots__ = ("_encode", "_values", "keep_alive")

    def __init__(
        self, values: AsyncIterable[object], encode: Encode, keep_alive: float | None = None
    ) -> None:
        self._values: Any = aiter(values)
        self._encode = encode
        self.keep_alive = keep_alive

    async def __anext__(self) -> bytes:
        return self._encode(await anext(self._values))

    async def aclose(self) -> None:
        """Close the generator: its `finally` blocks run."""
        if hasattr(self._values, "aclose"):
            await self._values.aclose()


def encoded(
    name: str, values: object, encode: Encode, keep_alive: float | None = None
) -> Chunks | AsyncChunks:
    """Make the iterator for `values`; `name` is the function that was given them.

    Raises TypeError for values that are not a stream.
    """
    if isinstance(values, AsyncIterable):
        return AsyncChunks(values, encode, keep_alive)
    if isinstance(values, Iterable) and not isinstance(values, str | bytes | Mapping):
        return Chunks(values, encode, keep_alive)
    kind = type(values).__name__
    way_out = f"pass a generator, or a list such as [{kind}(...)]"
    if inspect.iscoroutine(values):
        values.close()  # else Python warns later that it was never awaited
        way_out = "await it first, or make its function yield"
    elif callable(values):
        way_out = f"call it: {name}({getattr(values, '__name__', 'function')}())"
    raise TypeError(f"`{name}` got a {kind}; {way_out}")
