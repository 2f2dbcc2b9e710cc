"""`url_for`: paths of routes and static files by the names of functions."""

from __future__ import annotations

import uuid
from pathlib import Path
from types import FunctionType, SimpleNamespace
from typing import Any

import pytest
from hooked_module import Module

import snaxum
from snaxum import Blueprint, RouteError, url_for


@pytest.fixture
def shop(module: Module) -> Blueprint:
    shop = Blueprint("shop", prefix="/shop")

    @snaxum.get("/")
    def index() -> None: ...

    @shop.get("/items/<int:n>")
    @shop.get("/items/<int:n>/<name>.html")
    def item(n: int, name: str = "") -> None: ...

    @shop.get("/files/<path:rest>/<float:x>/é <uuid:u>")
    def file(rest: str, x: float, u: uuid.UUID) -> None: ...

    module.plan()
    return shop


UUID = uuid.UUID(int=7)


@pytest.mark.parametrize(
    ("name", "params", "path"),
    [
        ("index", {}, "/"),
        ("index", {"q": "a b&c", "n": [1, 2], "none": None}, "/?q=a+b%26c&n=1&n=2"),
        ("index", {"next": "/a?b"}, "/?next=/a?b"),
        ("shop.item", {"n": 3}, "/shop/items/3"),
        ("shop.item", {"n": 3, "page": 2}, "/shop/items/3?page=2"),
        ("shop.item", {"n": 3, "name": "a?#%é b"}, "/shop/items/3/a%3F%23%25%C3%A9%20b.html"),
        (
            "shop.file",
            {"rest": "a/b c", "x": 2, "u": UUID},
            f"/shop/files/a/b%20c/2.0/%C3%A9%20{UUID}",
        ),
    ],
)
def test_url_for_writes_the_path(
    shop: Blueprint, name: str, params: dict[str, Any], path: str
) -> None:
    assert url_for(name, **params) == path


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("item", {"n": 3}, r"no function of a route has this name; did you mean 'shop.item'\?"),
        ("shop.itme", {}, r"did you mean 'shop.item'"),
        ("zzz", {}, r"there are 'index', 'shop.file', 'shop.item'"),
        ("shop.item", {}, r"needs a value for `n`; write `url_for\('shop.item', n=...\)`"),
        ("shop.item", {"n": "x"}, r"'x' is not a value of `<int:n>` in `/shop/items/<int:n>`"),
        ("shop.item", {"n": -1}, r"-1 is not a value of `<int:n>`"),
        ("shop.item", {"n": 1, "name": "a/b"}, r"'a/b' is not a value of `<string:name>`"),
        ("shop.item", {"n": True}, r"True is not a value of"),
        ("shop.item", {"n": 1, "_external": True}, r"has no `_external`; it returns a path, so "),
        ("index", {"_anchor": "top"}, r"has no `_anchor`; add `#` and the anchor to its result"),
    ],
)
def test_url_for_refuses_what_no_route_would_match(
    shop: Blueprint, name: str, params: dict[str, Any], message: str
) -> None:
    with pytest.raises(RouteError, match=message):
        url_for(name, **params)


def test_url_for_a_name_of_two_functions_asks_for_the_module(module: Module) -> None:
    def index() -> None: ...

    snaxum.get("/one")(index)
    other = FunctionType(index.__code__, {"__name__": "admin"}, "index")
    other.__module__, other.__qualname__ = "admin", "index"
    snaxum.get("/two")(other)
    module.plan()

    with pytest.raises(RouteError, match=r"2 functions have this name; use one of 'admin.index'"):
        url_for("index")
    assert url_for("admin.index") == "/two"


def test_url_for_static_is_the_path_of_a_file(module: Module, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        mount = SimpleNamespace(prefix=f"/{name}", path=f"/{name}", directory=tmp_path / name)
        module.mounts.append(mount)
    (tmp_path / "two" / "app é.css").touch()

    assert url_for("static", filename="app é.css", v=2) == "/two/app%20%C3%A9.css?v=2"
    with pytest.raises(RouteError, match="no directory of `static` has this file: /one, /two"):
        url_for("static", filename="missing.css")
    with pytest.raises(RouteError, match="name the file"):
        url_for("static")
    del module.mounts[0]
    assert url_for("static", filename="later.css") == "/two/later.css"


def test_url_for_without_routes_names_the_place_to_call_it() -> None:
    with pytest.raises(RouteError, match="there are no routes yet; call it in a handler"):
        url_for("index")
