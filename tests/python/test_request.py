"""Requests, as a handler reads them.

Owns the behaviour of `Request` for a user of it, lazy reading and errors included. Never needs
Rust: `Request.build` replaces it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from codecs_of_json import both_decoders

from snaxum import HTTPError, Request, Response
from snaxum.headers import MissingField
from snaxum.http import Headers, QueryParams
from snaxum.response import to_response


class Counting:
    """A raw request that records its calls."""

    method, path, query = "GET", "/", "a=1"

    def __init__(self) -> None:
        self.calls: list[str] = []

    def headers(self) -> list[tuple[str, str]]:
        self.calls.append("headers")
        return [("content-type", "application/json")]

    def body(self) -> bytes:
        self.calls.append("body")
        return b"[1]"


def test_each_attribute_is_parsed_once_when_first_used() -> None:
    raw = Counting()
    request = Request(raw, {"id": 1})

    assert (request.method, request.path, request.path_params) == ("GET", "/", {"id": 1})
    assert raw.calls == []
    assert request.body is request.body
    assert request.text == "[1]"
    assert sorted(raw.calls) == ["body", "headers"]


def test_query_params_return_the_last_value_and_all_of_them() -> None:
    request = Request.build(query="?tag=a&empty=&tag=b+c%20d&n&bad=%ff")
    query = request.query_params

    assert query["tag"] == query.get("tag") == "b c d"
    assert query.get_all("tag") == ["a", "b c d"]
    assert query.get_all("nope") == []
    assert query.getlist("tag") == ["a", "b c d"]
    assert dict(query) == {"tag": "b c d", "empty": "", "n": "", "bad": "\ufffd"}
    assert query.multi_items()[:2] == [("tag", "a"), ("tag", "b c d")]
    assert query == {"tag": "b c d", "empty": "", "n": "", "bad": "\ufffd"}
    assert request.query_string == "tag=a&empty=&tag=b+c%20d&n&bad=%ff"


def test_headers_are_found_in_any_case_and_repeats_are_joined() -> None:
    pairs = [("Accept", "a"), ("accept", "b"), ("cookie", "x=1"), ("Cookie", "y=2")]
    headers = Request.build(headers=pairs).headers

    assert headers["ACCEPT"] == "a, b"
    assert headers["cookie"] == "x=1; y=2"
    assert headers.get_all("Accept") == ["a", "b"]
    assert headers.getlist("ACCEPT") == ["a", "b"]
    assert "aCCept" in headers
    assert "nope" not in headers
    assert headers.get("nope") is None
    assert list(headers) == ["accept", "cookie"]


def test_headers_and_query_params_of_a_request_cannot_be_set() -> None:
    for mapping in (Headers(), QueryParams()):
        with pytest.raises(TypeError):
            mapping["a"] = "b"  # type: ignore[index]


@pytest.mark.parametrize(
    ("content_type", "body", "parsed"),
    [
        ("application/json", b'{"a": [1, null]}', {"a": [1, None]}),
        ("Application/JSON; charset=utf-8", b'"\xc3\xa9"', "é"),
        ("application/problem+json", b"1", 1),
        ("application/json", b"\xef\xbb\xbf[]", []),
        ("application/json", b"", None),
        ("application/json", b"null", None),
        ("application/json", b"18446744073709551616", 2**64),
        ("application/json", rb'"\ud83d\ude00 \\ud800"', "😀 \\ud800"),
        (None, b"[1]", [1]),
        (None, b"plain", None),
        (None, b"\xff", None),
        (None, b"", None),
        ("text/plain", b"[1]", None),
        ("application/x-www-form-urlencoded", b"[1]", None),
    ],
)
def test_the_body_is_parsed_json_or_none(
    content_type: str | None, body: bytes, parsed: object
) -> None:
    headers = {} if content_type is None else {"content-type": content_type}

    assert Request.build(headers=headers, body=body).body == parsed


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{\n "a": 1,\n "b": x}', "line 3 column 7"),
        (b'{"a": 1} {}', "extra data at line 1 column 10"),
        (b"[1,\n\xff]", "byte 0xff is not UTF-8 at line 2 column 1"),
        (b" ", "line 1 column"),
        (b"[NaN]", "`NaN` is not a number in JSON"),
        (b"-Infinity", "`-Infinity` is not a number in JSON"),
        (b"1e999", "the number 1e999 is out of range"),
        (b"1" * 5000, "an integer has more digits than Python reads"),
        (rb'["\ud83d\ude00", "\ud800"]', r"\ud800 at line 1 column 19 is half a surrogate pair"),
        (rb'"\ude00"', r"\ude00 at line 1 column 2 is half a surrogate pair"),
        (b"[" * 100_000, "nested over 1024 deep"),
        (b"[" * 1025 + b"]" * 1025, "nested over 1024 deep"),
        (b'{"a":' * 5000 + b"1" + b"}" * 5000, "nested over 1024 deep"),
    ],
    ids=range(13),
)
@both_decoders
def test_declared_json_that_does_not_parse_is_a_400_with_the_place(
    body: bytes, words: str, decode: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("snaxum._core.json_codec.decode", decode)
    request = Request.build(headers={"content-type": "application/json"}, body=body)

    with pytest.raises(HTTPError, match=re.escape(words)) as caught:
        _ = request.body

    assert caught.value.status == 400
    assert caught.value.detail.startswith("the body is not valid JSON: ")


def test_many_small_lists_are_not_taken_for_deep_ones() -> None:
    body = b"[" + b"[1]," * 5000 + b'"\\u00e9"]'

    assert len(Request.build(body=body).body) == 5001


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        ("text/plain", "é".encode(), "é"),
        ("text/plain; charset=latin-1", b"\xe9", "é"),
        ('text/plain; charset="ISO-8859-1"', b"\xe9", "é"),
        ("text/plain", b"\xe9", "\ufffd"),
        ("text/plain; charset=nonsense", "é".encode(), "é"),
        ("text/plain; charset=hex", b"6f6b", "6f6b"),
        ("text/plain; charset=idna", b"xn--", "xn--"),
        ("text/plain; charset=undefined", b"ok", "ok"),
    ],
)
def test_text_is_decoded_by_its_charset_if_that_exists(
    content_type: str, body: bytes, text: str
) -> None:
    request = Request.build(headers={"content-type": content_type}, body=body)

    assert request.text == text
    assert request.data == body


def test_a_form_is_read_only_if_it_is_declared() -> None:
    declared = {"content-type": "application/x-www-form-urlencoded; charset=latin-1"}

    assert Request.build(headers=declared, body=b"a=%e9+b&a=2&c=").form.multi_items() == [
        ("a", "é b"),
        ("a", "2"),
        ("c", ""),
    ]
    assert Request.build(body=b"a=1").form == {}


def test_cookies_are_a_dict_and_the_first_of_a_name_counts() -> None:
    header = 'a=1; b = "two" ;a=3; c=x=y; junk; =z; d="\\303\\251\\073\\q"; e="'
    request = Request.build(headers={"cookie": header})

    assert request.cookies == {"a": "1", "b": "two", "c": "x=y", "d": "é;q", "e": '"'}


def test_a_request_stores_values_of_the_user() -> None:
    request = Request.build()
    request.state.user = "ada"

    assert request.state.user == "ada"
    with pytest.raises(AttributeError):
        request.user = "ada"  # type: ignore[attr-defined]


def test_an_unknown_attribute_names_the_nearest() -> None:
    with pytest.raises(AttributeError, match=r"no `query_param`; did you mean `query_params`\?"):
        _ = Request.build().query_param


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("json", "a request has no `json`; the parsed JSON is `request.body`"),
        ("args", "use `request.query_params`"),
        ("GET", "use `request.query_params`"),
        ("POST", "use `request.form`"),
        ("url", "use `request.path`, and `request.query_string`"),
        ("view_args", "use `request.path_params`"),
        ("is_json", "the parsed JSON is `request.body`"),
        ("hostname", "use `request.host`"),
        ("remote_addr", "use `request.client`"),
        ("access_route", "a proxy that `forwarded-allow-ips` names reports it"),
        ("url_for", "use `snaxum.url_for(name, **params)`"),
        ("unheard_of", "it has method, path, "),
        ("unheard_of", "state, path_params, stream();"),
    ],
)
def test_an_attribute_of_another_framework_names_the_one_here(name: str, words: str) -> None:
    with pytest.raises(AttributeError, match=re.escape(words)):
        getattr(Request.build(), name)


def test_a_missing_field_is_reported_with_the_fields_that_exist() -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    request = Request.build(query="a=1&b=2", headers=form, body="c=3")

    with pytest.raises(
        KeyError, match=r"the query parameter `x` is missing; the request has `a`, "
    ):
        _ = request.query_params["x"]
    with pytest.raises(KeyError, match="the form field `a` is missing; the request has `c`"):
        _ = request.form["a"]
    with pytest.raises(KeyError, match="`a` is missing; the body is `application/json`, not appl"):
        _ = Request.build(json={"a": 1}).form["a"]
    with pytest.raises(KeyError, match="the query parameter `a` is missing; the request has none"):
        _ = Request.build().query_params["a"]
    assert request.form.get("a") is None
    assert "a" not in request.form


def test_a_missing_header_or_cookie_is_the_same_error_as_a_missing_field() -> None:
    request = Request.build(headers={"cookie": "theme=dark", "x-one": "1"})
    with pytest.raises(MissingField, match=r"^the header `X-Key` is missing$"):
        _ = request.headers["X-Key"]
    with pytest.raises(MissingField, match=r"^the cookie `sid` is missing; .* has `theme`$"):
        _ = request.cookies["sid"]
    assert request.headers.get("x-key") is None
    assert request.headers.get("x-one") == "1"
    assert request.cookies.get("sid") is None
    assert "sid" not in request.cookies
    assert to_response(request.cookies).parts()[2] == b'{"theme":"dark"}'
    with pytest.raises(MissingField, match=r"the request has none$"):
        _ = Request.build().cookies["sid"]


def test_a_header_that_a_response_does_not_have_is_a_plain_key_error() -> None:
    with pytest.raises(KeyError) as raised:
        _ = Response("x").headers["x-key"]
    assert not isinstance(raised.value, MissingField)


def test_a_type_checker_knows_the_attributes_of_a_request(tmp_path: Path) -> None:
    file = tmp_path / "app.py"
    file.write_text(
        "from snaxum import Request\n"
        "def right(request: Request) -> str: return request.path\n"
        "def wrong(request: Request) -> object: return request.json\n"
    )

    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path), str(file)],
        capture_output=True,
        text=True,
        env={**os.environ, "MYPYPATH": str(Path(__file__).parents[2] / "python")},
    )

    assert 'app.py:3: error: "Request" has no attribute "json"' in checked.stdout
    assert "Found 1 error" in checked.stdout


def test_built_requests_behave_like_real_ones() -> None:
    request = Request.build(
        "post", "/users", query={"tag": ["a", "b"]}, json={"n": 1}, path_params={"id": 7}
    )

    assert repr(request) == "<Request POST /users?tag=a&tag=b>"
    assert request.content_type == "application/json"
    assert request.body == {"n": 1}
    assert request.path_params == {"id": 7}
    assert Request.build(body="é").data == "é".encode()
    assert Request.build().content_type == ""
    with pytest.raises(ValueError, match="pass one of them"):
        Request.build(body=b"x", json=1)


def test_a_value_is_converted_or_its_default_counts() -> None:
    request = Request.build(query="page=3&page=4&size=x", form={"n": "5"})
    params = request.query_params
    assert params.get("page", 1, type=int) == 4
    assert params.get("size", 1, type=int) == params.get("none", 1, type=int) == 1
    assert params.get("size", type=int) is None
    assert request.form.get("n", type=int) == 5
    assert params.get("page") == "4"
    with pytest.raises(ZeroDivisionError):
        params.get("page", type=lambda text: 1 // 0)
