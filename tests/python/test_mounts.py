"""Mounts: which kind of application it is, and which paths it gets."""

from __future__ import annotations

import functools
import re
from collections.abc import Awaitable, Iterator
from typing import Any

import pytest

from snaxum import RouteError, mount
from snaxum._core.applications import interface_of
from snaxum._core.websocket_routes import WebSocketRoute
from snaxum._hosts.wsgi import address_of
from snaxum.mounts import Mount
from snaxum.routing import DuplicateRoute, Route, RouteTable


async def asgi(scope: Any, receive: Any, send: Any) -> None: ...


def wsgi(environ: Any, start_response: Any) -> list[bytes]:
    return []


class Asgi:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


class Wsgi:
    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        return []


class AwaitableEndpoint:
    """As Starlette's class of an endpoint."""

    def __init__(self, scope: Any, receive: Any, send: Any) -> None: ...
    def __await__(self) -> Iterator[None]: ...  # type: ignore[empty-body]


class WsgiClass:
    """As the class of an application in PEP 3333."""

    def __init__(self, environ: Any, start_response: Any) -> None: ...
    def __iter__(self) -> Iterator[bytes]: ...  # type: ignore[empty-body]


def returns_awaitable(scope: Any, receive: Any, send: Any) -> Awaitable[None]:
    return asgi(scope, receive, send)


def with_defaults(scope: Any, receive: Any = None, send: Any = None) -> Awaitable[None]:
    return asgi(scope, receive, send)


def with_option(environ: Any, start_response: Any, debug: bool = False) -> list[bytes]:
    return []


@pytest.mark.parametrize(
    ("app", "interface"),
    [
        (asgi, "asgi"),
        (Asgi(), "asgi"),
        (Asgi().__call__, "asgi"),
        (AwaitableEndpoint, "asgi"),
        (returns_awaitable, "asgi"),
        (with_defaults, "asgi"),
        (functools.partial(asgi), "asgi"),
        (wsgi, "wsgi"),
        (Wsgi(), "wsgi"),
        (WsgiClass, "wsgi"),
        (with_option, "wsgi"),
        (functools.partial(wsgi), "wsgi"),
    ],
)
def test_the_parameters_show_the_interface(app: Any, interface: str) -> None:
    assert interface_of(app) == interface


class DoubleCallable:
    def __init__(self, scope: Any) -> None: ...
    async def __call__(self, receive: Any, send: Any) -> None: ...


@pytest.mark.parametrize(
    ("app", "problem"),
    [
        (DoubleCallable, "ASGI 2; wrap it with `asgiref.compatibility.guarantee_single_callable`"),
        (Asgi, "as a factory; call it: `Asgi()`"),
        (lambda debug=False: None, "as a factory; call it"),
        (lambda *, a: None, "it takes 4 parameters"),
        (b"app", "it is a bytes"),
        (re, "pass its application, as `re.app`"),
        (max, "do not show whether"),
    ],
)
def test_an_object_that_is_not_an_application_has_a_way_out(app: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        interface_of(app)


def test_the_declaration_is_checked_without_a_server() -> None:
    mount("/x", asgi)
    with pytest.raises(RouteError, match=r"mount `/y` at .*test_mounts\.py:\d+: this is not an"):
        mount("/y", None)  # type: ignore[arg-type]


def of(request: Any) -> None: ...


def found(table: RouteTable, method: str, path: str) -> str | None:
    match = table.match(method, path)
    return match[0].pattern if isinstance(match, tuple) else None


def test_routes_and_longer_prefixes_come_first() -> None:
    outer, inner = Mount("/a", asgi, "asgi"), Mount("/a/b", wsgi, "wsgi")
    routes = [Route(path, None, of) for path in ("/a/x", "/a/b/<int:id>", "/<path:rest>")]
    table = RouteTable([outer, *routes, inner, WebSocketRoute("/a/ws", socket)])
    for method, path, pattern in [
        ("GET", "/a", outer.pattern),
        ("GET", "/a/", outer.pattern),
        ("FOO", "/a//y\n", outer.pattern),
        ("GET", "//a/y", outer.pattern),
        ("GET", "/a/x", "/a/x"),
        ("HEAD", "/a/x", "/a/x"),
        ("POST", "/a/x", outer.pattern),
        ("GET", "/a/x/", outer.pattern),
        ("GET", "/a/b", inner.pattern),
        ("GET", "/a/b/1", "/a/b/<int:id>"),
        ("GET", "/a/b/1/2", inner.pattern),
        ("PUT", "/a/b/1", inner.pattern),
        ("GET", "/a/bc", outer.pattern),
        ("GET", "/ab", "/<path:rest>"),
        ("PUT", "/ab", None),
        ("WS", "/a/ws", "/a/ws"),
        ("WS", "/a/x", outer.pattern),
        ("WS", "/a/b", outer.pattern),
        ("ws", "/a/b", inner.pattern),
    ]:
        assert found(table, method, path) == pattern, (method, path)


async def socket(ws: Any) -> None: ...


def test_an_application_at_the_root_gets_what_no_route_has() -> None:
    table = RouteTable([Mount("", asgi, "asgi"), Route("/x", ["GET"], of)])
    assert found(table, "GET", "/x") == "/x"
    for method, path in [("GET", "/"), ("POST", "/x"), ("GET", "/x/"), ("GET", "//")]:
        assert found(table, method, path) == "/<path:path>"
    assert found(table, "OPTIONS", "*") is None


def test_two_for_one_prefix_are_an_error() -> None:
    one = Mount("/a", asgi, "asgi", file="one.py", line=1)
    two = Mount("/a", wsgi, "wsgi", file="two.py", line=2)
    with pytest.raises(DuplicateRoute, match=r"two applications at `/a`: one\.py:1 and two\.py:2"):
        RouteTable([one, two])
    for routes in ([one, Route("/a/<path:p>", ["PUT"], of)], [Route("/a/<path:p>", None, of), one]):
        with pytest.raises(DuplicateRoute, match=r"two handlers for (PUT|GET) /a/<path:p>: one"):
            RouteTable(routes)


@pytest.mark.parametrize(
    ("host", "scheme", "address"),
    [
        ("a.example", "http", ("a.example", "80")),
        ("a.example", "https", ("a.example", "443")),
        ("a.example:8080", "https", ("a.example", "8080")),
        ("a.example:", "http", ("a.example", "80")),
        ("[::1]", "http", ("[::1]", "80")),
        ("[::1]:81", "http", ("[::1]", "81")),
        ("", "http", ("localhost", "80")),
    ],
)
def test_wsgi_gets_the_address_that_the_client_has_used_on_a_unix_socket(
    host: str, scheme: str, address: tuple[str, str]
) -> None:
    assert address_of(host, scheme) == address
