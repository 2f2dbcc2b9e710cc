"""Requests with any query, headers, cookies and body that a client can send.

Covers one property: each attribute is readable, or raises an `HTTPError` with a status of 4xx. Rust
passes on an ASCII query, headers in Latin-1, and a body of any bytes.
"""

from __future__ import annotations

from urllib.parse import urlencode

from hypothesis import given, settings
from hypothesis import strategies as st

from snaxum import HTTPError, Request
from snaxum.http import QueryParams

ASCII = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E))
LATIN_1 = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF))
# Fragments that parsers treat specially are more frequent than random bytes would have them.
QUERY = st.one_of(
    ASCII,
    st.lists(st.sampled_from(["a", "=", "&", ";", "%", "%zz", "%C3", "+", "[]"])).map("".join),
)
COOKIE = st.one_of(
    LATIN_1,
    st.lists(st.sampled_from(["a", "=", ";", '"', "\\", " ", ","])).map("".join),
)
CONTENT_TYPE = st.one_of(
    LATIN_1,
    st.builds(
        "{}; charset={}".format,
        st.sampled_from(
            [
                "application/json",
                "application/x-www-form-urlencoded",
                "text/plain",
                "a/b+json",
            ]
        ),
        st.one_of(
            LATIN_1,
            st.sampled_from(
                [
                    "utf-8",
                    "utf-16",
                    "utf-7",
                    "latin-1",
                    "idna",
                    "hex",
                    "rot13",
                    "undefined",
                    "\0",
                    '"',
                    "",
                ]
            ),
        ),
    ),
)
BODY = st.one_of(
    st.binary(),
    QUERY.map(str.encode),
    st.lists(
        st.sampled_from(
            [
                b"{",
                b"[",
                b'"',
                b"\\u",
                b"d800",
                b"1e999",
                b",",
                b":",
                b"]",
                b"}",
                b"nan",
            ]
        )
    ).map(b"".join),
)


def error_status(request: Request, name: str) -> int | None:
    try:
        repr(getattr(request, name))
    except HTTPError as error:
        return error.status
    return None


@settings(max_examples=100, deadline=None)
@given(query=QUERY, cookie=COOKIE, content_type=CONTENT_TYPE, body=BODY)
def test_each_attribute_is_readable_or_a_client_error(
    query: str, cookie: str, content_type: str, body: bytes
) -> None:
    headers = [
        ("content-type", content_type),
        ("cookie", cookie),
        ("x", "1"),
        ("X", "2"),
    ]
    request = Request.build("POST", query=query, headers=headers, body=body)
    for name in (
        "query_params",
        "headers",
        "cookies",
        "content_type",
        "data",
        "text",
        "body",
        "form",
    ):
        status = error_status(request, name)
        assert status is None or 400 <= status < 500, (name, status)
    assert request.data == body
    assert request.headers["X"] == "1, 2"


@settings(max_examples=100, deadline=None)
@given(pairs=st.lists(st.tuples(st.text(), st.text())))
def test_an_encoded_query_has_the_same_values_again(
    pairs: list[tuple[str, str]],
) -> None:
    encoded = urlencode(
        [
            (name.encode("utf-8", "replace"), value.encode("utf-8", "replace"))
            for name, value in pairs
        ]
    )
    expected = [
        (
            name.encode("utf-8", "replace").decode(),
            value.encode("utf-8", "replace").decode(),
        )
        for name, value in pairs
    ]
    parsed = QueryParams.parse(encoded)
    for name, _ in expected:
        assert parsed.get_all(name) == [value for other, value in expected if other == name]
