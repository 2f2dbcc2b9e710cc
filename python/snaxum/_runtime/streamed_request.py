"""Requests whose handler starts before the body has arrived.

Owns `StreamedRequest`, which reads its body in chunks from Rust. A request with a whole body is
`snaxum.request.Request`.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

from .._core.body_chunks import BodyChunks, pieces
from .._host import Exchange
from ..http import HTTPError, Request
from .runtime import running

# The option `max-body-size`.
max_body_size = 16 * 1024 * 1024


class StreamedRequest(Request):
    """A request whose body is read with `stream()`, or in a `def` handler as a whole."""

    __slots__ = ("_is_begun", "_whole")

    _raw: Exchange
    _is_begun: bool
    _whole: bytes | None

    def __init__(self, raw: Exchange, path_params: dict[str, Any]) -> None:
        super().__init__(raw, path_params)
        self._is_begun = False
        self._whole = None

    def stream(self) -> BodyChunks:
        if self._whole is not None:
            return BodyChunks(pieces(self._whole))
        self._is_begun = True
        return _Arriving(self._raw)

    @property
    def data(self) -> bytes:  # type: ignore[override]
        if self._whole is not None:
            return self._whole
        if self._is_begun:
            raise RuntimeError(
                "the body was read with `request.stream()`, and is no longer there; join the chunks"
            )
        if _is_in_loop():
            raise RuntimeError(
                "the body has not arrived: this handler reads it in chunks; use "
                "`async for chunk in request.stream()`, or set `stream_body=False` on the route"
            )
        chunks, size = [], 0
        for chunk in self.stream():
            chunks.append(chunk)
            size += len(chunk)
            if size > max_body_size:
                detail = f"the body has more than {max_body_size} bytes, the limit of this server"
                raise HTTPError(413, detail)
        self._whole = b"".join(chunks)
        return self._whole


class _Arriving(BodyChunks):
    """The chunks of one body, as they arrive."""

    __slots__ = ("_exchange",)

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def __iter__(self) -> Iterator[bytes]:
        if _is_in_loop():
            raise RuntimeError("a `for` would block the event loop; write `async for chunk in`")
        while chunk := _checked(self._exchange.receive()):
            yield chunk

    async def __aiter__(self) -> AsyncIterator[bytes]:
        import asyncio

        made = running().made()[0]
        loop = None if made is None else made.that_runs(asyncio.get_running_loop())
        while True:
            if loop is not None:
                received = await loop.receive(self._exchange)
            else:  # a loop of the user
                received = await asyncio.to_thread(self._exchange.receive)
            if not (chunk := _checked(received)):
                return
            yield chunk


def _checked(received: bytes | tuple[int, str]) -> bytes:
    if isinstance(received, bytes):
        return received
    raise HTTPError(*received)


def _is_in_loop() -> bool:
    # Another thread may import it now: then no loop runs yet.
    running_loop = getattr(sys.modules.get("asyncio"), "_get_running_loop", None)
    return running_loop is not None and running_loop() is not None
