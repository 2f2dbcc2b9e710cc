"""The coverage-guided fuzzers of the framework: `framework.py TARGET`, then libFuzzer's options.

Owns the properties of what Python parses of a request. tests/fuzz/run starts it, in an environment
with atheris. Starts no server.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

import atheris

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "python"), str(ROOT / "tests/python")]

with atheris.instrument_imports(include=["snaxum"]):
    from snaxum import HTTPError, Request
    from snaxum._core import accept, forms
    from snaxum._core.cookies import format_cookie, parse_cookies
    from snaxum.headers import QueryParams
    from snaxum.routing import Route, RouteTable

from test_routing_oracle import ask, oracle  # noqa: E402

FORM = "application/x-www-form-urlencoded"
UUID = "12345678-1234-5678-1234-567812345678"


def handler(request: object) -> None: ...


PATTERNS = (
    "/", "/a", "/a/", "/<p>", "/<int:p>", "/<float:p>", f"/{UUID}", "/<uuid:p>", "/<path:p>/a",
    "/a/<p>", "/<p>/a", "/<p>-<q>", "/a/<int:p>-<q>", "/<path:p>", "/<p>/<path:q>", "/x/<p>.<q>/y",
)  # fmt: skip
ROUTES = [Route(pattern, {"GET"}, handler) for pattern in PATTERNS]
TABLE = RouteTable(ROUTES)
# By whether the path ends with a slash.
ORACLES = {has_slash: oracle(ROUTES, has_slash=has_slash) for has_slash in (False, True)}


def text_of(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def route(data: bytes) -> None:
    """Each path has the route and the values that Werkzeug gives it."""
    path = "/" + text_of(data).lstrip("/")
    if "//" not in path:
        expected = ask(ORACLES[path.endswith("/")], path, "GET")
        assert TABLE.match("GET", path) == expected, path


def query(data: bytes) -> None:
    """A query never fails, and has the values of the standard library."""
    text = data.decode("latin-1")
    parsed = QueryParams.parse(text)
    for name, _ in parse_qsl(text, keep_blank_values=True):
        expected = [v for n, v in parse_qsl(text, keep_blank_values=True) if n == name]
        assert parsed.get_all(name) == expected, text


def cookies(data: bytes) -> None:
    """A header is refused with a place, or has values that come back from a response."""
    try:
        found = parse_cookies(data.decode("latin-1"))
    except ValueError as error:
        if " at character " in str(error):
            return
        raise
    for name, value in found.items():
        try:
            header = format_cookie(
                name, value, max_age=None, expires=None, path=None, domain=None, secure=False,
                httponly=False, samesite=None, partitioned=False,
            )  # fmt: skip
        except ValueError:
            continue
        assert not {"\r", "\n", "\0"} & set(header), header
        assert parse_cookies(header.split("; ")[0]) == {name: value}, header


def form(data: bytes) -> None:
    """A form is a 4xx with the place, or has fields that are the same when they are sent again."""
    request = Request.build("POST", headers=[("content-type", FORM)], body=data)
    try:
        request.form  # noqa: B018
    except HTTPError as error:
        if 400 <= error.status < 500:
            return
        raise
    fields = forms.parse(data, "utf-8")
    assert forms.parse(urlencode(fields).encode(), "utf-8") == fields, fields


def quality(data: bytes) -> None:
    """A quality is from 0 to 1, and a type that is named without one has 1."""
    header = data.decode("latin-1")
    for mime in ("text/html", "application/json"):
        assert 0 <= accept.quality(header, mime) <= 1, header
    if "text/x" not in header.lower():
        assert accept.quality(f"{header},text/x", "text/x") == 1, header


TARGETS: dict[str, Callable[[bytes], None]] = {
    "accept": quality,
    "cookies": cookies,
    "form": form,
    "query": query,
    "route": route,
}


def main() -> None:
    target = TARGETS[sys.argv.pop(1)]
    atheris.Setup(sys.argv, target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
