"""Redirects, errors, files and cookies, as handlers make them."""

from __future__ import annotations

import datetime as dt
import io
from pathlib import Path
from typing import Any

import pytest

from snaxum import HTTPError, Response, abort, redirect, send_file


def test_a_redirect_has_an_address_that_can_be_sent() -> None:
    for location, sent in [
        ("/a?b=1#c", "/a?b=1#c"),
        ("https://example.org/é x", "https://example.org/%C3%A9%20x"),
        ("/a%20b", "/a%20b"),
        ("/a\r\nset-cookie: x", "/a%0D%0Aset-cookie:%20x"),
        ("/\\example.org", "/%5Cexample.org"),
    ]:
        status, headers, body = redirect(location).parts()
        assert (status, headers, body) == (302, [("location", sent)], b"")
    assert redirect("/new", 308, {"x-a": "1"}).status == 308


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("/a", 200), "`redirect` got the status 200; use one of 300, 301, 302"),
        (("/a", 304), "got the status 304"),
        ((7,), "`redirect` got a int; pass the address as a str"),
    ],
)
def test_a_redirect_that_is_not_possible_names_the_remedy(
    arguments: tuple[Any, ...], message: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        redirect(*arguments)


def test_abort_raises_the_error_that_is_the_response() -> None:
    with pytest.raises(HTTPError, match="404 Not Found: no such user") as raised:
        abort(404, "no such user", {"retry-after": "1"})
    assert raised.value.headers == [("retry-after", "1")]
    with pytest.raises(ValueError, match="use 400 to 599"):
        abort(200)
    with pytest.raises(TypeError, match="`abort` got a Response; return it"):
        abort(Response())  # type: ignore[arg-type]


def header(response: Response, name: str) -> str | None:
    return response.headers.get(name)


def test_a_file_is_shown_or_saved_under_a_name(tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    for arguments, disposition in [
        ({}, None),
        ({"filename": "a.pdf"}, 'attachment; filename="a.pdf"'),
        ({"as_attachment": True}, 'attachment; filename="report.pdf"'),
        ({"download_name": "a.pdf"}, 'inline; filename="a.pdf"'),
        ({"download_name": "a.pdf", "as_attachment": True}, 'attachment; filename="a.pdf"'),
        ({"filename": "a.pdf", "as_attachment": False}, 'inline; filename="a.pdf"'),
        ({"filename": 'é"x'}, "attachment; filename=\"__x\"; filename*=UTF-8''%C3%A9%22x"),
        ({"filename": "../../etc/passwd"}, 'attachment; filename="passwd"'),
    ]:  # fmt: skip
        response = send_file(path, **arguments)  # type: ignore[arg-type]
        assert header(response, "content-disposition") == disposition, arguments
        assert header(response, "content-type") == "application/pdf"
        assert response.parts()[2] == path


def test_the_type_of_a_file_is_that_of_its_name_or_the_given_one(tmp_path: Path) -> None:
    for response, content_type in [
        (send_file(str(tmp_path / "a.csv")), "text/csv; charset=utf-8"),
        (send_file(tmp_path / "tmp123", "a.csv"), "text/csv; charset=utf-8"),
        (send_file(tmp_path / "a.csv", content_type="text/x-table"), "text/x-table"),
        (send_file(io.BytesIO(b"x"), "a.png"), "image/png"),
        (send_file(io.BytesIO(b"x")), "application/octet-stream"),
    ]:
        assert header(response, "content-type") == content_type


def test_a_file_has_further_headers(tmp_path: Path) -> None:
    response = send_file(tmp_path / "a", max_age=60, headers={"etag": '"v1"', "x-a": "b"})
    assert (header(response, "cache-control"), header(response, "etag")) == ("max-age=60", '"v1"')
    assert header(response, "x-a") == "b"


def test_a_value_that_is_not_a_file_names_the_remedy() -> None:
    with pytest.raises(TypeError, match="`send_file` got a bytes; pass a path or an open file"):
        send_file(b"x")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="no name for the attachment; pass `filename`"):
        send_file(io.BytesIO(b"x"), as_attachment=True)


def test_a_cookie_has_every_attribute() -> None:
    response = Response()
    noon = dt.datetime(2030, 1, 2, 12, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    response.set_cookie("a", "1", expires=noon, max_age=dt.timedelta(minutes=1))
    response.set_cookie("b", "2", expires=dt.datetime(2030, 1, 2, 12))
    response.set_cookie("c", "3", expires=0, path=None)
    response.set_cookie("d", partitioned=True, samesite="None", httponly=True)
    assert response.headers.get_all("set-cookie") == [
        "a=1; Max-Age=60; Expires=Wed, 02 Jan 2030 10:00:00 GMT; Path=/",
        "b=2; Expires=Wed, 02 Jan 2030 12:00:00 GMT; Path=/",
        "c=3; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        "d=; Path=/; SameSite=None; Secure; HttpOnly; Partitioned",
    ]


def test_a_deleted_cookie_is_over_under_its_path_and_domain() -> None:
    response = Response()
    response.delete_cookie("a", path="/x", domain="example.org", secure=True)
    assert response.headers["set-cookie"] == (
        "a=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/x; Domain=example.org; Secure"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"value": 7}, "cookie `a` has the value 7, a int; use a str"),
        ({"expires": [1]}, r"has expires=\[1\], a list; use a datetime, or max_age"),
        ({"expires": "a;b"}, "has expires='a;b'; use printable ASCII"),
    ],
)
def test_a_cookie_that_cannot_be_sent_names_the_remedy(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        Response().set_cookie("a", **arguments)
