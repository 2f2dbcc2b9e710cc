"""Responses: the values that a handler may return or raise.

Owns the behaviour of `Response`, `HTTPError` and `to_response` for a user of them. Never sends
anything: what goes over the wire is read from `Response.parts`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import io
import pickle
import re
import tempfile
import uuid
from collections import UserList, deque, namedtuple
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from fractions import Fraction
from http import HTTPStatus
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from snaxum import HTTPError, Request, Response
from snaxum.http import QueryParams, to_response
from snaxum.response import file_error

Point = namedtuple("Point", "x y")


@dataclasses.dataclass
class User:
    name: str


class Pages:
    def __iter__(self) -> Iterator[str]:
        yield "page"


class AsyncPages:
    async def __aiter__(self) -> AsyncIterator[str]:
        yield "page"


@pytest.mark.parametrize(
    ("result", "status", "content_type", "body"),
    [
        ({"a": 1}, 200, "application/json", b'{"a":1}'),
        ([1, "é"], 200, "application/json", '[1,"é"]'.encode()),
        ("<p>é</p>", 200, "text/html; charset=utf-8", "<p>é</p>".encode()),
        (b"\x00", 200, "application/octet-stream", b"\x00"),
        (bytearray(b"\x01"), 200, "application/octet-stream", b"\x01"),
        (memoryview(b"\x02"), 200, "application/octet-stream", b"\x02"),
        (None, 204, None, b""),
        (User("ada"), 200, "application/json", b'{"name":"ada"}'),
        (True, 200, "application/json", b"true"),
        (42, 200, "application/json", b"42"),
        (1.5, 200, "application/json", b"1.5"),
        ((0, 201), 201, "application/json", b"0"),
        ({1}, 200, "application/json", b"[1]"),
        (frozenset(), 200, "application/json", b"[]"),
        (range(3), 200, "application/json", b"[0,1,2]"),
        ({"a": 1}.keys(), 200, "application/json", b'["a"]'),
        ({"a": 1}.values(), 200, "application/json", b"[1]"),
        (UserList("ab"), 200, "application/json", b'["a","b"]'),
        (deque(["a"]), 200, "application/json", b'["a"]'),
        (Point(1, 2), 200, "application/json", b"[1,2]"),
        (Decimal("1.10"), 200, "application/json", b'"1.10"'),
        (uuid.UUID(int=1), 200, "application/json", b'"00000000-0000-0000-0000-000000000001"'),
        (dt.date(2024, 1, 2), 200, "application/json", b'"2024-01-02"'),
        (io.BytesIO(b"all"), 200, "application/octet-stream", b"all"),
        (io.StringIO("all"), 200, "text/plain; charset=utf-8", b"all"),
        (QueryParams([("a", "1")]), 200, "application/json", b'{"a":"1"}'),
        (("made", 201), 201, "text/html; charset=utf-8", b"made"),
        (({"a": 1}, HTTPStatus.CREATED), 201, "application/json", b'{"a":1}'),
        ((None, 404), 404, None, b""),
        (("x", 200, {"Content-Type": "text/css"}), 200, "text/css", b"x"),
        (("x", {"Content-Type": "text/css"}), 200, "text/css", b"x"),
        (("x", [("content-type", "text/css")]), 200, "text/css", b"x"),
        (("x", 204), 204, None, b""),
        (Response({"a": 1}, 304), 304, None, b""),
        (Response(), 200, None, b""),
        (Response(b"x", content_type="image/png"), 200, "image/png", b"x"),
        (Response("x", headers=[("content-type", "a/b")]), 200, "a/b", b"x"),
        (Response("x", headers={"content-type": "a/b"}, content_type="c/d"), 200, "c/d", b"x"),
    ],
)
def test_a_return_value_becomes_status_type_and_bytes(
    result: object, status: int, content_type: str | None, body: bytes
) -> None:
    headers = [] if content_type is None else [("content-type", content_type)]

    assert to_response(result).parts() == (status, headers, body)


def test_a_response_in_a_tuple_takes_the_status_and_the_headers() -> None:
    inner = Response("x", 200, [("a", "1"), ("a", "2"), ("b", "3")])

    status, headers, body = to_response((inner, 201, {"A": "4"})).parts()

    assert (status, body) == (201, b"x")
    assert headers == [("b", "3"), ("content-type", "text/html; charset=utf-8"), ("a", "4")]
    assert inner.headers.get_all("a") == ["1", "2"]
    assert to_response((Response("x", 202), {"a": "4"})).status == 202


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (Pages(), "`Pages` cannot be a body; use a list of it for JSON, or iter(...) to stream it"),
        (AsyncPages(), "`AsyncPages` cannot be a body; use aiter(...) to stream it"),
        (Fraction(1, 3), "`Fraction` cannot be a body; convert it with float() or str()"),
        (ip_network("10.0.0.0/8"), "`IPv4Network` cannot be a body; convert it with str()"),
        (1j, "`complex` cannot be a body; return its .real and .imag"),
        (User, "`type` cannot be a body; return a dict, list, number, dataclass or model (JSON)"),
        (object(), "`object` cannot be a body; return a dict, list, number, dataclass or model"),
        (("a",), "a tuple of 1; return (body, status), (body, headers) or (body, status, h"),
        ((), "a tuple of 0"),
        (("a", 200, {}, 1), "a tuple of 4"),
        (("a", "200"), "status '200' is str; use an int"),
        (("a", True), "status True is bool"),
        (("a", {"x": "y"}, 200), "headers is int; pass a dict or a list"),
        (("a", 200, "x: y"), "headers is str; pass a dict or a list of (name, value) pairs"),
        (("a", 200, ["x: y"]), "an item is not a pair"),
    ],
)
def test_a_bad_return_value_is_refused_with_the_way_out(result: object, words: str) -> None:
    with pytest.raises(TypeError, match=re.escape(words)):
        to_response(result)


def test_an_unawaited_coroutine_is_refused() -> None:
    async def endpoint() -> str:
        return "x"

    with pytest.raises(TypeError, match="returned an unawaited coroutine; declare it `async def`"):
        to_response(endpoint())


@pytest.mark.parametrize("status", [99, 100, 199, 600, -1])
def test_a_status_out_of_range_is_refused(status: int) -> None:
    with pytest.raises(ValueError, match="use 200 to 599"):
        Response("x", status)


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"bad name": "x"}, "'bad name' is not a header name"),
        ({"": "x"}, "'' is not a header name"),
        ({"x": "a\r\nset-cookie: b"}, "header `x` has '\\r' at character 2"),
        ({"x": "a\0"}, "header `x` has '\\x00'"),
        ({"x": "日"}, "percent-encode it with urllib.parse.quote"),
        ({"x": 5}, "header `x` has the value 5, a int; use a str"),
        ({5: "x"}, "header name 5 is int"),
        ({"x": b"b"}, "a bytes; use a str"),
    ],
)
def test_a_header_that_cannot_be_sent_is_refused(headers: Any, words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=re.escape(words)):
        Response("x", headers=headers)
    with pytest.raises((TypeError, ValueError), match=re.escape(words)):
        HTTPError(400, headers=headers)


def test_headers_of_a_response_can_be_set_added_and_removed() -> None:
    response = Response("x", headers=[("Vary", "a"), ("vary", "b")])
    response.headers["X-One"] = "1"
    response.headers.add("x-one", "2")
    del response.headers["VARY"]

    assert response.parts()[1] == [
        ("content-type", "text/html; charset=utf-8"),
        ("x-one", "1"),
        ("x-one", "2"),
    ]
    with pytest.raises(ValueError, match="header `a`"):
        response.headers["a"] = "\n"


def test_cookies_are_set_side_by_side() -> None:
    response = Response()
    response.set_cookie("a", "1")
    response.set_cookie(
        "b", "2", 60, "/x", "example.org", secure=True, httponly=True, samesite="Lax"
    )
    response.set_cookie("gone", "", max_age=0, path=None)

    assert response.headers.get_all("Set-Cookie") == [
        "a=1; Path=/",
        "b=2; Max-Age=60; Path=/x; Domain=example.org; SameSite=Lax; Secure; HttpOnly",
        "gone=; Max-Age=0",
    ]


@pytest.mark.parametrize(
    "value", ["a b", 'q"uote', "semi;colon", "é", "back\\slash", "a,b", "\r\n"]
)
def test_any_cookie_value_comes_back_as_it_was_set(value: str) -> None:
    response = Response()
    response.set_cookie("c", value, path=None)

    sent = response.headers["set-cookie"]

    assert sent.isascii()
    assert sent.isprintable()
    assert Request.build(headers={"cookie": sent}).cookies == {"c": value}


@pytest.mark.parametrize(
    "arguments", [{"key": "a b"}, {"key": "a", "path": "/;x"}, {"key": "a", "samesite": "no"}]
)
def test_an_invalid_cookie_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="use "):
        Response().set_cookie(value="x", **arguments)


def test_an_iterator_is_streamed_as_plain_text_and_closed() -> None:
    closed = []

    def chunks() -> Iterator[str | bytes]:
        try:
            yield "é"
            yield b"b"
        finally:
            closed.append(True)

    status, headers, body = to_response(chunks()).parts()

    assert (status, headers) == (200, [("content-type", "text/plain; charset=utf-8")])
    assert isinstance(body, Iterator)
    assert next(body) == "é".encode()
    body.close()  # type: ignore[attr-defined]
    assert closed == [True]


def test_an_async_iterator_is_streamed_and_closed() -> None:
    closed = []

    async def chunks() -> AsyncIterator[str]:
        try:
            yield "a"
            yield "b"
        finally:
            closed.append(True)

    async def first(body: Any) -> bytes:
        chunk: bytes = await body.__anext__()
        await body.aclose()
        return chunk

    _, headers, body = Response(chunks(), content_type="text/event-stream").parts()

    assert headers == [("content-type", "text/event-stream")]
    assert isinstance(body, AsyncIterator)
    assert asyncio.run(first(body)) == b"a"
    assert closed == [True]


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("a.csv", "text/csv; charset=utf-8"),
        ("a.png", "image/png"),
        ("a.tar.gz", "application/gzip"),
        ("a.html.br", "application/octet-stream"),
        ("a", "application/octet-stream"),
    ],
)
@pytest.mark.parametrize("size", [0, 10, 600_000])
def test_a_path_is_the_file_with_the_type_of_its_name(
    tmp_path: Path, name: str, content_type: str, size: int
) -> None:
    file = tmp_path / name
    file.write_bytes(b"x" * size)

    for result in (file, file.open("rb"), (file, 200)):
        status, headers, body = to_response(result).parts()
        assert (status, headers) == (200, [("content-type", content_type)])
        content = body.read_bytes() if isinstance(body, Path) else b"".join(body)  # type: ignore[arg-type]
        assert content == b"x" * size


def test_a_temporary_file_is_sent_from_its_position() -> None:
    with tempfile.NamedTemporaryFile("w+", suffix=".txt") as file:
        file.write("text")
        file.seek(0)

        _, headers, body = to_response(file).parts()

        assert headers == [("content-type", "text/plain; charset=utf-8")]
        assert b"".join(body) == b"text"  # type: ignore[arg-type]


def test_a_missing_file_is_a_404_that_shows_only_its_name(tmp_path: Path) -> None:
    missing = file_error(tmp_path / "gone.txt", FileNotFoundError())
    assert str(missing) == "404 Not Found: the file `gone.txt` does not exist"
    is_directory = file_error(tmp_path, IsADirectoryError())
    assert "is a directory; return the path of a file" in str(is_directory)
    (tmp_path / "locked").touch()
    locked = PermissionError()
    assert file_error(tmp_path / "locked", locked) is locked


def test_a_stream_of_another_type_names_the_types_to_yield() -> None:
    _, _, body = Response(iter([{"a": 1}])).parts()

    assert isinstance(body, Iterator)
    with pytest.raises(TypeError, match="the stream yielded a dict; yield str or bytes"):
        next(body)


def test_half_a_surrogate_pair_in_text_is_refused() -> None:
    with pytest.raises(ValueError, match="at character 2"):
        Response("a\ud800").parts()


def test_an_http_error_carries_status_detail_and_headers() -> None:
    error = HTTPError(HTTPStatus.CONFLICT, "taken", {"Retry-After": "5"})

    assert str(error) == "409 Conflict: taken"
    assert (error.status, error.detail) == (409, "taken")
    assert error.headers == [("retry-after", "5")]
    assert str(HTTPError(499)) == "499"
    with pytest.raises(ValueError, match="use 400 to 599"):
        HTTPError(200)


def test_an_http_error_comes_back_whole_from_a_pool_worker() -> None:
    error = pickle.loads(pickle.dumps(HTTPError(409, "taken", {"a": "b"})))

    assert (error.status, error.detail, error.headers) == (409, "taken", [("a", "b")])


def test_a_response_has_a_readable_repr() -> None:
    assert repr(Response({})) == "<Response 200 application/json>"
    assert repr(Response(status=204)) == "<Response 204 without a body>"
