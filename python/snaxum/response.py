"""Responses: the values that a handler may return, as status, headers and bytes.

Owns `Response` and `to_response`. Never sends anything and never reads a request: Rust sends what
`Response.parts` gives.
"""

from __future__ import annotations

from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Mapping,
)
from types import GeneratorType
from typing import TYPE_CHECKING, Any, Literal

from ._core.event_head import EventHead
from ._core.foreign_names import explain_object
from ._core.json_encoding import dumps, dumps_struct, has_json_form
from ._core.late_module import late_module
from ._core.libraries import ByClass, way_out
from ._core.text_encoding import encode_text
from .headers import Pairs, ResponseHeaders
from .http_errors import GivenHeaders, HTTPError, checked_status

if TYPE_CHECKING:
    import inspect
    import pathlib
    from datetime import datetime, timedelta

    from ._core import chunks, cookies, files, frames, pictures

    # A path stands for the content of its file.
    EncodedBody = bytes | pathlib.Path | Iterator[bytes] | AsyncIterator[bytes]
else:
    inspect, pathlib = late_module("inspect"), late_module("pathlib")
    chunks, cookies = late_module("snaxum._core.chunks"), late_module("snaxum._core.cookies")
    files, frames = late_module("snaxum._core.files"), late_module("snaxum._core.frames")
    pictures = late_module("snaxum._core.pictures")

HTML = "text/html; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
JSON = "application/json"
BYTES = "application/octet-stream"

WAYS_OUT = (
    "return a dict, list, number, dataclass or model (JSON), str (HTML), bytes, a Path (its file), "
    "a generator (stream), None (204), (body, status), (body, status, headers) or Response(...)"
)

SameSite = Literal["Lax", "Strict", "None", "lax", "strict", "none"]


class Response:
    """A whole response: body, status, headers.

    The body decides the content type unless one is given: str is HTML; bytes are
    application/octet-stream; dicts, lists, numbers, dataclasses, models and arrays are JSON; a
    frame is JSON, CSV, Parquet or Arrow, and a figure or an image PNG or SVG, as the client
    accepts; a Path or an open file has the type of its name. A generator or another iterator,
    plain or async, of str or bytes is streamed as plain text, and one whose first value is an
    `Event` as events. None means no body.
    """

    __slots__ = ("body", "headers", "status")

    def __init__(
        self,
        body: object = None,
        status: int = 200,
        headers: GivenHeaders = None,
        content_type: str | None = None,
    ) -> None:
        self.body: object = body
        self.status: int = checked_status(status, 200)
        self.headers: ResponseHeaders = ResponseHeaders(headers)
        default = content_type_of(body)
        if content_type is not None:
            self.headers["content-type"] = content_type
        elif default is not None:
            self.headers.set_default_type(default)

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "")

    def set_cookie(
        self,
        key: str,
        value: str = "",
        max_age: timedelta | int | None = None,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,
        httponly: bool = False,
        samesite: SameSite | None = None,
        expires: datetime | float | str | None = None,
        partitioned: bool = False,
    ) -> None:
        """Add a Set-Cookie header.

        `max_age` is in seconds; `expires` is a date, and UTC without a time zone, or seconds since
        1970. Without both, the cookie ends with the browser's session. `partitioned` implies
        `secure`. Raises TypeError or ValueError for a value that a cookie cannot have.
        """
        cookie = cookies.format_cookie(
            key,
            value,
            max_age=max_age,
            expires=expires,
            path=path,
            domain=domain,
            secure=secure,
            httponly=httponly,
            samesite=samesite,
            partitioned=partitioned,
        )
        self.headers.add("set-cookie", cookie)

    def delete_cookie(
        self,
        key: str,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,
        httponly: bool = False,
        samesite: SameSite | None = None,
        partitioned: bool = False,
    ) -> None:
        """Make the browser forget the cookie that was set with this path and domain."""
        self.set_cookie(
            key,
            max_age=0,
            expires=cookies.EPOCH,
            path=path,
            domain=domain,
            secure=secure,
            httponly=httponly,
            samesite=samesite,
            partitioned=partitioned,
        )

    def parts(
        self, request_headers: Callable[[], Pairs] = tuple
    ) -> tuple[int, list[tuple[str, str]], EncodedBody]:
        """Return the values to send: a body, the path of a file, or an iterator to be closed."""
        if self.status in (204, 304):
            headers = [pair for pair in self.headers.multi_items() if pair[0] != "content-type"]
            return self.status, headers, b""
        if pictures.is_picture(self.body):
            return self._picture(request_headers())
        if frames.is_frame(self.body):
            return self._frame(request_headers())
        return self.status, self.headers.multi_items(), _encoded(self.body)

    def _picture(self, request_headers: Pairs) -> tuple[int, list[tuple[str, str]], EncodedBody]:
        headers, content_type = self.headers.multi_items(), self.content_type
        if not content_type:
            accept = ",".join(value for name, value in request_headers if name == "accept")
            content_type = pictures.choose(self.body, accept)
            headers += [("content-type", content_type), ("vary", "accept")]
        return self.status, headers, pictures.encode(self.body, content_type)

    def _frame(self, request_headers: Pairs) -> tuple[int, list[tuple[str, str]], EncodedBody]:
        headers, content_type = self.headers.multi_items(), self.content_type
        if not content_type:
            headers += frames.choose_headers(list(request_headers))
            content_type = dict(headers)["content-type"]
        return self.status, headers, frames.encode(self.body, content_type)

    def __repr__(self) -> str:
        return f"<Response {self.status} {self.content_type or 'without a body'}>"


def encode_plainly(result: object) -> bytes:
    """Encode a value of one of the `PLAIN_TYPES`."""
    return PLAIN_TYPES[type(result)][1](result)


def file_error(path: pathlib.Path, error: OSError) -> Exception:
    """Return the error to respond with, for a file that cannot be read."""
    if path.is_dir():
        return TypeError(f"`{path}` is a directory; return the path of a file")
    if path.exists():
        return error
    # Only its name: a client should not learn where the server has its files.
    return HTTPError(404, f"the file `{path.name}` does not exist")


def to_response(result: object) -> Response:
    """Turn whatever a handler returned into a Response, or raise a TypeError that helps."""
    if isinstance(result, Response):
        return result
    if result is None:
        return Response(status=204)
    if type(result) is not tuple:
        return Response(result)
    if not 2 <= len(result) <= 3:
        raise TypeError(
            f"handler returned a tuple of {len(result)}; return (body, status), (body, headers) or "
            "(body, status, headers), or a list for a JSON array"
        )
    body, status, *more = result
    if not more and isinstance(status, Mapping | list):
        status, more = body.status if isinstance(body, Response) else 200, [status]
    headers = ResponseHeaders(more[0] if more else None)
    if not isinstance(body, Response):
        return Response(body, status, headers)
    merged = Response(body.body, status, body.headers)
    for name in headers:
        merged.headers.pop(name, None)
    for name, value in headers.multi_items():
        merged.headers.add(name, value)
    return merged


def has_status(result: object) -> bool:
    """Report whether the result of a handler has a status of its own."""
    if type(result) is tuple and len(result) == 2 and isinstance(result[1], Mapping | list):
        return isinstance(result[0], Response)
    return isinstance(result, Response | tuple)


def content_type_of(body: object) -> str | None:
    """Choose the content type by the type of the body. Raises TypeError."""
    if body is None:
        return None
    kind = type(body)
    plain = PLAIN_TYPES.get(kind) or PLAIN_CLASSES.of_class(kind)
    if plain is not None:
        return plain[0]
    if isinstance(body, str):
        return HTML
    if isinstance(body, bytes | bytearray | memoryview):
        return BYTES
    if pictures.is_picture(body) or frames.is_frame(body):
        return None  # it depends on the client
    if files.is_file(body):
        return files.content_type(body)
    if has_json_form(body):
        return JSON
    if isinstance(body, Iterator | AsyncIterator) and (
        isinstance(body, GeneratorType) or way_out(body) is None
    ):
        return TEXT
    raise TypeError(_refusal(body))


def _refusal(body: object) -> str:
    kind = type(body).__name__
    if inspect.isawaitable(body):
        if inspect.iscoroutine(body):
            body.close()  # else Python warns later that it was never awaited
        return f"the handler returned an unawaited {kind}; declare it `async def`"
    if known := way_out(body) or explain_object(body):
        return f"`{kind}` cannot be a body; {known}"
    if isinstance(body, Iterable):
        return f"`{kind}` cannot be a body; use a list of it for JSON, or iter(...) to stream it"
    if isinstance(body, AsyncIterable):
        return f"`{kind}` cannot be a body; use aiter(...) to stream it"
    return f"`{kind}` cannot be a body; {WAYS_OUT}"


def _encoded(body: Any) -> EncodedBody:
    if body is None:
        return b""
    if isinstance(body, (str, bytes, bytearray, memoryview)):
        return _bytes(body)
    if isinstance(body, pathlib.Path | chunks.Chunks | chunks.AsyncChunks):
        return body
    plain = PLAIN_CLASSES.of(body)
    if plain is not None:
        return plain[1](body)
    if files.is_file(body):
        return files.read(body)
    if has_json_form(body):
        return dumps(body)
    return _stream_async(body) if isinstance(body, AsyncIterable) else _stream(body)


def _bytes(chunk: object) -> bytes:
    if isinstance(chunk, str):
        return encode_text(chunk)
    if isinstance(chunk, bytes | bytearray | memoryview):
        return bytes(chunk)
    kind = type(chunk).__name__
    raise TypeError(
        f"the stream yielded a {kind}; yield str or bytes, or pass the generator to stream_events "
        "or stream_json_lines"
    )


def _stream(values: Iterable[object]) -> Iterator[bytes]:
    encode = None
    try:
        for chunk in values:
            if encode is None:
                encode = _encoder_of(chunk)
                if encode is not _bytes:
                    yield EventHead()
            yield encode(chunk)
    finally:
        # If the client disconnects first, the user's `finally` blocks run here.
        if hasattr(values, "close"):
            values.close()


def _encoder_of(first: object) -> Callable[[object], bytes]:
    """Return the function that encodes the chunks of a stream which begins with this one."""
    from ._core.events import Event, encode_event  # many servers have no stream

    return encode_event if isinstance(first, Event) else _bytes


async def _stream_async(values: AsyncIterable[object]) -> AsyncIterator[bytes]:
    encode = None
    try:
        async for chunk in values:
            if encode is None:
                encode = _encoder_of(chunk)
                if encode is not _bytes:
                    yield EventHead()
            yield encode(chunk)
    finally:
        if hasattr(values, "aclose"):
            await values.aclose()


# The types of a response with status 200 and no header but its content type, which is the first
# part; the second encodes a value.
PLAIN_TYPES: dict[type, tuple[str, Callable[[Any], bytes]]] = {
    dict: (JSON, dumps),
    list: (JSON, dumps),
    str: (HTML, _bytes),
    bytes: (BYTES, bytes),
}
# The same for the subclasses of a class.
PLAIN_CLASSES: ByClass[tuple[str, Callable[[Any], bytes]]] = ByClass(
    {"msgspec.Struct": (JSON, dumps_struct), "pydantic.BaseModel": (JSON, dumps)}
)
