"""FastAPI's first steps and user guide: both applications respond the same to each request.

A row is a section of the guide. `DIFFERENCES` lists what differs, with the reason, and
`IMPOSSIBLE` what cannot be written; a difference that is not there, or no longer is, fails.

Errors have another form here, a problem document. The test compares the places and kinds of all
faults, or the detail.
"""

from __future__ import annotations

import functools
import re
import threading
from typing import Any

import comparison
import garden
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
from fastapi.testclient import TestClient

from snaxum.testing import Client

ALSO = ("x-garden", "x-cat", "x-error")
ORIGIN = {"Origin": "https://garden.example"}
UUID = "12345678-1234-5678-1234-567812345678"


def post(path: str, json: Any) -> SentRequest:
    return SentRequest("POST", path, json=json)


def put(path: str, json: Any) -> SentRequest:
    return SentRequest("PUT", path, json=json)


def preflight(origin: str, method: str) -> SentRequest:
    preflight = {
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "X-Token",
    }
    return SentRequest("OPTIONS", "/list", headers={"Origin": origin, **preflight})


PLANT = {"name": "rose", "price": 2.5}
SEVERAL = {"plant": PLANT, "gardener": {"username": "ada"}, "importance": 5, "note": "n"}
PICTURE = {"url": "https://a.example/b.png", "name": "b"}
CARD = {"name": "a", "tags": ["x", "x"], "labels": ["l"], "picture": PICTURE}
TYPES = (
    f"/types/{UUID}?start=2026-05-01T10:00:00Z&end=2026-05-02T10:00:00Z&after=PT1H"
    "&repeat_at=14:23:55"
)
DATES = f"/types/{UUID}?start=2026-05-01&end=2026-05-02&after=PT1H"
SECONDS = f"/types/{UUID}?start=2026-05-01T10:00:00&end=2026-05-02T10:00:00&after=60"
VISIT = {"title": "look", "at": "2026-05-01T10:00:00"}

ROWS: dict[str, list[SentRequest]] = {
    "First steps": [get("/"), get("/nowhere")],
    "First steps: another method": [SentRequest("DELETE", "/")],
    "Path parameters": [get("/plants/rose"), get("/plants/a%20b")],
    "Path parameters with types": [get("/beds/3"), get("/beds/-3")],
    "Path parameters: validation": [get("/beds/x"), get("/beds/4.2")],
    "Path parameters: order": [get("/gardeners/me"), get("/gardeners/ada")],
    "Path parameters: predefined values": [get("/kinds/tree"), get("/kinds/herb"), get("/kinds/x")],
    "Path parameters with paths": [get("/files/a/b.txt"), get("/files/a")],
    "Path parameters with paths: a leading slash": [get("/files//home/b.txt")],
    "Query parameters": [get("/list"), get("/list?skip=20&limit=2"), get("/list?skip=x&limit=y")],
    "Query parameters: optional": [get("/optional/a"), get("/optional/a?q=b")],
    "Query parameters: bool": [
        get(f"/optional/a?short={text}") for text in ("1", "True", "true", "on", "yes", "0", "OFF")
    ],
    "Query parameters: not a bool": [get("/optional/a?short=perhaps")],
    "Query parameters: required": [get("/needy/a"), get("/needy/a?needed=b&limit=3")],
    "Request body": [
        post("/plants", PLANT),
        post("/plants", {**PLANT, "tax": 1}),
        post("/plants", {"price": "x"}),
        post("/plants", None),
    ],
    "Request body: not JSON": [
        SentRequest("POST", "/plants", body=b"{", headers={"Content-Type": "application/json"})
    ],
    "Request body, path and query": [put("/plants/3?q=a", PLANT), put("/plants/x", {"name": 1})],
    "Strings: length and pattern": [
        get("/texts"),
        get("/texts?q=abc"),
        get("/texts?q=ab"),
        get("/texts?q=abcdef"),
        get("/texts?q=ABC"),
    ],
    "Strings: required": [get("/texts/required"), get("/texts/required?q=abc")],
    "Strings: default": [get("/texts/default"), get("/texts/default?q=x")],
    "Strings: many values": [
        get("/texts/many"),
        get("/texts/many?q=a&q=b"),
        get("/texts/many/default"),
        get("/texts/many/default?q=c"),
    ],
    "Strings: alias": [get("/texts/alias?plant-query=a"), get("/texts/alias?q=a")],
    "Strings: a validator": [get("/texts/checked?q=id-1"), get("/texts/checked?q=1")],
    "Numbers": [
        get("/numbers/1?q=a&size=0.1"),
        get("/numbers/0?q=a&size=1"),
        get("/numbers/1001?size=0"),
        get("/numbers/x?q=a&size=10.5"),
    ],
    "Query models": [
        get("/filtered"),
        get("/filtered?limit=5&tags=a&tags=b&order_by=updated"),
        get("/filtered?limit=0&offset=-1&order_by=x"),
    ],
    "Query models: further names": [get("/filtered?limit=5&tool=plumbus")],
    "Bodies: path, query, optional body": [
        put("/maybe/3?q=a", PLANT),
        put("/maybe/3", None),
        put("/maybe/1001", PLANT),
    ],
    "Bodies: several": [
        put("/orders", {"plant": PLANT, "gardener": {"username": "ada"}, "importance": 5}),
        put("/orders", {"plant": PLANT}),
    ],
    "Bodies: several parameters": [
        put("/several/3?q=a", SEVERAL),
        put("/several/3", {**SEVERAL, "importance": "5", "further": 1}),
        put("/several/x", {"plant": {"name": 1}, "importance": "y"}),
        put("/several/3", {**SEVERAL, "note": None}),
        put("/several/3", {}),
        put("/several/3", []),
        put("/several/3", None),
    ],
    "Bodies: a single one by its name": [
        put("/embedded", {"plant": PLANT}),
        put("/embedded", PLANT),
        put("/embedded", None),
    ],
    "Bodies: one value": [
        put("/bodies/number", 5),
        put("/bodies/number", "5"),
        put("/bodies/number", "x"),
        put("/bodies/number", 5.0),
        put("/bodies/number", 1.5),
        put("/bodies/number", [5]),
    ],
    "Fields": [
        put("/bodies/bed", {"name": "a", "width": 1}),
        put("/bodies/bed", {"name": "a", "width": 0, "note": "x" * 11}),
    ],
    "Nested models": [
        put("/bodies/card", CARD),
        put("/bodies/card", {"name": "a", "picture": {"url": "no URL", "name": 1}}),
        post("/bodies/offer", {"name": "a", "cards": [CARD, {"name": "b"}]}),
        post("/bodies/offer", {"name": "a", "cards": [CARD, {"labels": [1]}]}),
    ],
    "Nested models: a list": [post("/bodies/pictures", [PICTURE]), post("/bodies/pictures", [{}])],
    "Nested models: a dict": [post("/bodies/weights", {"1": 2, "3": 4.5})],
    "Nested models: a key of another type": [post("/bodies/weights", {"a": 2})],
    "Extra types": [
        put("/types/x?start=2026-05-01T10:00:00&end=2026-05-02T10:00:00&after=x", None),
    ],
    "Extra types: UTC": [put(TYPES, None)],
    "Extra types: a date for a time": [put(DATES, None)],
    "Extra types: seconds": [put(SECONDS, None)],
    "Cookies": [get("/cookies"), get("/cookies", Cookie="ads_id=a%20b; c=d")],
    "Headers": [
        get("/headers", User_Agent="a test"),
        SentRequest("GET", "/headers", headers={"User-Agent": "a", "strange_header": "x"}),
    ],
    "Headers: several values": [get("/headers", User_Agent="a", X_Token="foo")],
    "Cookie models": [
        get("/cookies/model", Cookie="session_id=1; tracker=x"),
        get("/cookies/model", Cookie="tracker=x"),
    ],
    "Header models": [
        get("/headers/model", Save_Data="on", X_Tag="a"),
        get("/headers/model", Save_Data="perhaps"),
    ],
    "Response model": [
        post("/accounts", {"username": "ada", "password": "x"}),
        get("/accounts"),
    ],
    "Response model: faults of the body": [post("/accounts", {"username": "ada"})],
    "Response model: the type of the result": [
        post("/accounts/typed", {"username": "ada", "password": "x"}),
        get("/accounts/typed"),
    ],
    "Response model: a result that does not fit": [get("/accounts/wrong")],
    "Response model: a response": [get("/portal"), get("/portal?away=true")],
    "Extra models": [get("/trees/oak"), get("/trees/rose"), get("/weights")],
    "Status": [SentRequest("DELETE", "/plants/3"), SentRequest("DELETE", "/plants/x")],
    "Form data": [
        form("/login", username="ada", password="x y&"),
        form("/login", username="ada"),
    ],
    "Form models": [
        form("/login/model", username="ada", password="xyz"),
        form("/login/model", password="x"),
    ],
    "Files": [
        upload("/upload", "file", "a.txt"),
        upload("/upload/bytes", "file", "a.txt"),
        SentRequest("POST", "/upload"),
    ],
    "Files: a text": [form("/upload", file="text")],
    "Files: optional": [
        upload("/upload/optional", "file", "a.txt"),
        SentRequest("POST", "/upload/optional"),
    ],
    "Files: several": [upload("/upload/many", "files", "a.txt", "b.txt")],
    "Forms and files": [
        upload("/upload/form", "file", "a.txt", token="t"),
        upload("/upload/form", "file", "a.txt"),
    ],
    "Errors": [get("/errors/missing")],
    "Errors: handlers": [get("/errors/wilted/rose")],
    "Errors: another 422": [get("/own-errors/1?size=2"), get("/own-errors/x")],
    "Encoder": [put("/visits/a", VISIT), put("/visits/a", {"title": "no time"})],
    "Updates": [
        put("/visits/b", VISIT),
        SentRequest("PATCH", "/visits/b", json={"note": "later"}),
        SentRequest("PATCH", "/visits/none", json={}),
    ],
    "Dependencies": [get("/depends?q=a&limit=5"), get("/depends")],
    "Dependencies: faults": [get("/depends?skip=x&limit=y")],
    "Security": [get("/secure"), get("/secure", Authorization="Bearer abc")],
    "Middleware": [get("/plants/x")],
    "CORS": [SentRequest("GET", "/list?limit=1", headers=ORIGIN)],
    "CORS: preflight": [preflight("https://garden.example", "POST")],
    "CORS: other origins": [preflight("https://other.example", "POST")],
    "Larger applications": [
        get("/tools/", X_Token="watering-can"),
        get("/tools/spade", X_Token="watering-can"),
        get("/tools/spade", X_Token="spoon"),
    ],
    "Slashes at the end": [get("/tools"), get("/plants/")],
    "Static files": [get("/static/garden.css"), SentRequest("HEAD", "/static/garden.css")],
    "Response: headers and cookies": [get("/cookie"), get("/plain")],
}

DIFFERENCES: Differences = {
    "Path parameters with paths: a leading slash": {
        "GET /files//home/b.txt": Difference(
            {"status", "body", "content-type"},
            404,
            "no route for /files//home/b.txt",
            "a path does not begin with a slash, as in Werkzeug",
            {"content-type": None},
        ),
    },
    "Request body: not JSON": {
        "POST /plants": Difference(
            {"status", "body"}, 400, "at line 1 column 2", "a 400 with line and column"
        ),
    },
    "First steps: another method": {
        "DELETE /": Difference(
            {"allow"},
            405,
            "use GET, HEAD, OPTIONS",
            "HEAD is implied by GET, and OPTIONS by any method",
            {"allow": ["get", "head", "options"]},
        ),
    },
    "Extra types: UTC": {
        f"PUT {TYPES}": Difference(
            {"body"},
            200,
            '"start":"2026-05-01T10:00:00+00:00"',
            "UTC is `+00:00`, as `isoformat` of Python writes it, and not `Z`",
        ),
    },
    "Extra types: seconds": {
        f"PUT {SECONDS}": Difference(
            {"status", "body", "content-type"},
            200,
            '"seconds":60.0',
            "a duration may also be in seconds, which FastAPI accepts in JSON only",
            {"content-type": "application/json"},
        ),
    },
    "CORS: preflight": {
        "OPTIONS /list": Difference(
            {"body", "content-type", "x-garden"},
            200,
            "",
            "Rust responds, without a body",
            {"content-type": None, "x-garden": None},
        ),
    },
    "CORS: other origins": {
        "OPTIONS /list": Difference(
            {"status", "body", "content-type", "x-garden"},
            200,
            "",
            "the response leaves out the headers that allow it; a browser checks these",
            {"content-type": None, "x-garden": None},
        ),
    },
    "Slashes at the end": {
        f"GET {path}": Difference(
            {"status", "body", "location"},
            404,
            f"no route for {path}",
            "a path with a slash at its end is another one, and there are no redirects",
            {"location": None},
        )
        for path in ("/tools", "/plants/")
    },
    "Static files": {
        f"{method} /static/garden.css": Difference(
            {"x-garden"}, 200, text, "Rust sends files, without middleware", {"x-garden": None}
        )
        for method, text in (("GET", "body { color: green; }"), ("HEAD", ""))
    },
}

# The replacements are in `docs/from-fastapi.md`.
IMPOSSIBLE = {
    "Depends": "a model of the query, a hook, or a call replaces it, as in `/depends` and `/tools`",
    "Security: the schemes": "the header is read by a function, as in `/secure`",
}


def fastapi_reply(sent: SentRequest) -> Reply:
    files = [(field, (name, content, kind)) for field, name, content, kind in sent.files]
    client = TestClient(original.app, raise_server_exceptions=False, follow_redirects=False)
    response = client.request(
        sent.method,
        sent.path,
        json=sent.json,
        data=sent.form,
        files=files or None,
        content=sent.body,
        headers=sent.headers,
    )
    headers = response.headers.multi_items()
    reply = read_reply(sent, response.status_code, headers, response.content, also=ALSO)
    if isinstance(reply.body, dict) and reply.body.keys() == {"detail"}:
        detail = reply.body["detail"]
        if isinstance(detail, list):
            detail = sorted((*map(str, each["loc"]), each["type"]) for each in detail)
        reply.replace_body(detail)
    elif reply.status == 500:
        reply.replace_body(response.text)
    return reply


def our_reply(sent: SentRequest) -> Reply:
    reply = comparison.our_reply(sent, also=ALSO)
    if reply.headers.get("content-type") == "application/problem+json":
        reply.replace_body(detail_of(reply.body))
    return reply


def detail_of(problem: Any) -> object:
    """Return the content of a problem document as FastAPI has it in `detail`."""
    if re.match(r"no route for |\S+ does not allow |the handler raised ", problem["detail"]):
        return problem["title"]
    if "errors" not in problem:
        return problem["detail"] or problem["title"]
    places = {"form": "body"}
    return sorted(
        (places.get(each["in"], each["in"]), *map(str, each["loc"]), each["type"])
        for each in problem["errors"]
    )


@pytest.mark.parametrize("name", ROWS)
def test_a_row_has_the_same_responses(name: str) -> None:
    check_row(name, ROWS, DIFFERENCES, fastapi_reply, our_reply)


def test_each_difference_belongs_to_a_request() -> None:
    check_tables(ROWS, DIFFERENCES, IMPOSSIBLE)


def test_background_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    done = threading.Semaphore(0)

    def note(name: str, address: str, text: str = "") -> None:
        calls.append(f"{name} {address}: {text}")
        done.release()

    for module, reply in ((original, fastapi_reply), (garden, our_reply)):
        monkeypatch.setattr(module, "send_mail", functools.partial(note, module.__name__))
        assert reply(SentRequest("POST", "/notify/ada")).body == {"message": "sent later"}
        assert done.acquire(timeout=30)
    assert calls == ["original ada: it rains", "garden ada: it rains"]


def operations(document: Any) -> dict[str, object]:
    """Return the parameters and the body of each operation of an OpenAPI document."""
    found: dict[str, object] = {}
    for path, methods in document["paths"].items():
        for method, each in methods.items():
            parameters, body = each.get("parameters", []), each.get("requestBody", {})
            given = [(p["name"], p["in"], p.get("required", False)) for p in parameters]
            found[f"{method} {path}"] = sorted(given), body.get("required", False)
    return found


def test_metadata_and_documentation() -> None:
    document = Client().get("/openapi.json").json()
    theirs = original.app.openapi()

    assert document["info"]["title"] == theirs["info"]["title"]
    ours, expected = operations(document), operations(theirs)
    assert ours.keys() == expected.keys()
    # The hook reads a header that the dependency declares.
    differing = {name for name in ours if ours[name] != expected[name]}
    assert differing == {"get /tools/", "get /tools/{tool_id}"}
    page = Client().get("/docs")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
