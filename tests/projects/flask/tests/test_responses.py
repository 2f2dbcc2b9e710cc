"""Flask's quick start: both applications respond the same to each request.

A row is a section of the quick start. `DIFFERENCES` lists what differs, with the reason, and
`IMPOSSIBLE` what cannot be written; a difference that is not there, or no longer is, fails.
"""

from __future__ import annotations

import importlib
import re
from io import BytesIO
from typing import Any

import comparison
import original
import pytest
from comparison import (
    Difference,
    Differences,
    Reply,
    SentRequest,
    check_row,
    check_tables,
    form,
    get,
    read_reply,
    upload,
)

ALSO = ("x-shelf",)
AGENT = {"User-Agent": "a test"}
# Frameworks write the text of a redirect, or of an error without a handler, in their own words:
# HTML in Flask, and here none, or a problem document.
OWN_WORDS = "the framework's own words"


def visit(user: str) -> str:
    return f"visit={original.signer.dumps({'user': user})!s}"


ROWS: dict[str, list[SentRequest]] = {
    "A minimal application": [get("/"), SentRequest("HEAD", "/")],
    "Escaping": [
        get("/greet/%3Cscript%3E"),
        get("/markup"),
    ],
    "Routing": [get("/hours"), get("/nowhere")],
    "Variables: string": [get("/readers/ada"), get("/readers/%C3%A4%20b"), get("/words/a-b")],
    "Variables: int": [get("/books/7"), get("/books/-7"), get("/books/x"), get("/books/007")],
    "Variables: float": [get("/prices/1.5"), get("/prices/2"), get("/prices/x")],
    "Variables: path": [get("/files/a/b/c.txt"), get("/files/a"), get("/files/")],
    "Variables: uuid": [
        get("/loans/12345678-1234-5678-1234-567812345678"),
        get("/loans/12345678"),
    ],
    "Unique URLs": [get("/rooms/"), get("/rooms"), get("/imprint"), get("/imprint/")],
    "URL building": [get("/urls")],
    "Methods": [
        get("/card"),
        SentRequest("POST", "/card"),
        SentRequest("OPTIONS", "/card"),
        SentRequest("PUT", "/card"),
    ],
    "Methods: one function each": [
        get("/ticket"),
        SentRequest("POST", "/ticket"),
        SentRequest("DELETE", "/ticket"),
        SentRequest("HEAD", "/ticket"),
        SentRequest("OPTIONS", "/ticket"),
        SentRequest("PUT", "/ticket"),
    ],
    "Static files": [
        get("/static/style.css"),
        SentRequest("HEAD", "/static/style.css"),
        get("/static/none.css"),
        get("/static/../original.py"),
    ],
    "Templates": [get("/pages/Dune%20%26%20more"), get("/pages/")],
    "Templates: Markup": [get("/pages/x?note=%3Cb%3E")],
    "Request: form": [
        form("/sign-in", user="ada", word="engine"),
        form("/sign-in", user="ada"),
    ],
    "Request: a missing key": [form("/sign-in", word="x"), get("/needs-key")],
    "Request: query": [
        get("/search?key=a"),
        get("/search"),
        get("/search?page=3"),
        get("/needs-key?key=%2B+"),
    ],
    "Request: a repeated key": [get("/search?key=a&key=b")],
    "Request: a value of the wrong type": [get("/search?page=x")],
    "Request: other attributes": [
        SentRequest("GET", "/facts", headers=AGENT),
        SentRequest("PUT", "/facts", body=b"text", headers={**AGENT, "Content-Type": "text/plain"}),
    ],
    "Request: JSON": [
        SentRequest("POST", "/json", json={"b": [1, None], "a": "ä"}),
        SentRequest("POST", "/json", body=b"{", headers={"Content-Type": "application/json"}),
        SentRequest("POST", "/json", body=b"{}", headers={"Content-Type": "text/plain"}),
    ],
    "File uploads": [
        upload("/covers", "picture", "a.png", note="new"),
        upload("/covers", "picture", "../b c.png", note="new"),
        form("/covers", note="x"),
    ],
    "File uploads: several": [
        upload("/covers/all", "picture", "a.png", "b.png", note="new"),
    ],
    "Cookies: reading": [get("/colour"), get("/colour", Cookie="colour=red; b=1")],
    "Cookies: storing": [get("/colour/blue"), get("/colour/none")],
    "Redirects": [get("/old"), get("/moved")],
    "Errors": [get("/staff"), get("/locked"), get("/divide/2"), get("/divide/0")],
    "Errors: handlers": [get("/missing"), get("/no-row")],
    "Responses: a tuple": [get("/made"), get("/made/headers"), get("/made/all")],
    "Responses: headers": [get("/made/pairs"), get("/plain"), get("/lost")],
    "Responses: bytes": [get("/raw")],
    "Responses: a generator": [get("/lines")],
    "Responses: a file": [get("/report")],
    "APIs with JSON": [get("/me"), get("/all"), get("/jsonify")],
    "Sessions": [
        get("/session"),
        form("/session", user="<ada>"),
        get("/session", Cookie=visit("<ada>")),
        get("/session", Cookie="visit=forged"),
        SentRequest("DELETE", "/session"),
    ],
}

DIFFERENCES: Differences = {
    "Unique URLs": {
        "GET /rooms": Difference(
            {"status", "location", "body", "content-type"},
            404,
            "<h1>Nothing on this shelf</h1>",
            "`/rooms` and `/rooms/` are two paths",
            {"location": None, "content-type": "text/html;charset=utf-8"},
        ),
    },
    "Static files": {
        f"{method} /static/style.css": Difference(
            {"content-disposition"},
            200,
            text,
            "a browser shows the file, with the header and without; FastAPI sends none",
            {"content-disposition": None},
        )
        for method, text in (("GET", "h1 { color: teal; }"), ("HEAD", ""))
    },
    "Request: a repeated key": {
        "GET /search?key=a&key=b": Difference(
            {"body"}, 200, '"key":"b"', "the last value counts, not the first"
        ),
    },
    "Responses: bytes": {
        "GET /raw": Difference(
            {"content-type"},
            200,
            "\x00\x01",
            "bytes may be anything; `Response` takes a type",
            {"content-type": "application/octet-stream"},
        ),
    },
}

# The replacements are in `docs/from-flask.md`.
IMPOSSIBLE = {
    "Message flashing": "there is no session; sign a cookie, as `/session` does",
    "Templates: `request`, `session` and `g`": "pass them to `render`",
    "WSGI middleware": "there is no WSGI application; `@middleware` surrounds the handlers",
}


def flask_reply(sent: SentRequest) -> Reply:
    options: dict[str, Any] = {"headers": dict(sent.headers)}
    if sent.json is not None:
        options["json"] = sent.json
    elif sent.files:
        options["data"] = dict(sent.form or {})
        for name, filename, content, kind in sent.files:
            options["data"].setdefault(name, []).append((BytesIO(content), filename, kind))
    elif sent.form is not None or sent.body is not None:
        options["data"] = dict(sent.form) if sent.form is not None else sent.body
    client = original.app.test_client(use_cookies=False)
    response = client.open(sent.path, method=sent.method, **options)
    reply = read_reply(sent, response.status_code, response.headers, response.data, also=ALSO)
    if reply.status >= 300 and re.match(rb"<!doctype html>\s+<html lang=en>", response.data):
        reply.replace_body(OWN_WORDS)
    return reply


def our_reply(sent: SentRequest) -> Reply:
    reply = comparison.our_reply(sent, also=ALSO)
    is_problem = reply.headers.get("content-type") == "application/problem+json"
    if is_problem or (300 <= reply.status < 400 and not reply.body):
        reply.replace_body(OWN_WORDS)
    return reply


@pytest.mark.parametrize("name", ROWS)
def test_a_row_has_the_same_responses(name: str) -> None:
    check_row(name, ROWS, DIFFERENCES, flask_reply, our_reply)


def test_each_difference_belongs_to_a_request() -> None:
    check_tables(ROWS, DIFFERENCES, IMPOSSIBLE)


def test_logging(caplog: pytest.LogCaptureFixture) -> None:
    for reply in (flask_reply(get("/logs")), our_reply(get("/logs"))):
        assert reply.body == b"logged"
    found = [(record.levelname, record.getMessage()) for record in caplog.records]
    assert found == [("WARNING", "a warning of the shelf")] * 2


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("Flask", "`mount(prefix, app)` runs the application here"),
        ("render_template", "render("),
        ("make_response", "Response("),
        ("jsonify", "return the dict or list"),
        ("session", "set_cookie"),
        ("flash", "cookie"),
        ("g", "request.state"),
        ("send_from_directory", "static("),
    ],
)
def test_a_name_of_flask_is_explained(name: str, instead: str) -> None:
    with pytest.raises(ImportError, match=re.escape(instead)):
        getattr(importlib.import_module("snaxum"), name)


@pytest.mark.parametrize("name", ["args", "json", "get_json", "view_args", "values"])
def test_an_attribute_of_flasks_request_is_explained(name: str) -> None:
    from snaxum import Request

    with pytest.raises(AttributeError, match=r"use `request\.|is `request\.body"):
        getattr(Request.build(), name)
