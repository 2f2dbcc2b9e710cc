"""The routes within applications of frameworks, as the console lists them."""

from __future__ import annotations

from typing import Any

import pytest

from snaxum._core.foreign_routes import parameters_of, routes_of
from snaxum._core.mounted_routes import inner_routes, route_for
from snaxum.mounts import Mount

Row = tuple[list[str], str, str]


def rows(app: Any, interface: Any = "asgi") -> list[Row]:
    mount = Mount("/at", app, interface, file="main.py", line=1)
    described = [route.row("/") for route in inner_routes(mount)]
    here = [row for row in described if row["module"] == __name__]
    assert all(row["line"] > 1 and row["file"].endswith("test_mounted_routes.py") for row in here)
    return [(row["methods"], row["path"], row["handler"].rpartition(".")[2]) for row in here]


async def item(n: int = 1) -> None:
    """Returns an item."""


async def socket(websocket: Any = None) -> None: ...


def test_fastapi_with_routers_within_routers() -> None:
    fastapi = pytest.importorskip("fastapi")
    inner = fastapi.APIRouter(prefix="/inner")
    inner.add_api_route("/{n:path}", item, methods=["PUT", "POST"])
    outer = fastapi.APIRouter(prefix="/outer")
    outer.include_router(inner)
    app = fastapi.FastAPI()
    app.get("/items/{n}")(item)
    app.websocket("/ws")(socket)
    app.include_router(outer, prefix="/v1")
    assert sorted(rows(app)) == [
        (["GET"], "/at/items/{n}", "item"),
        (["POST", "PUT"], "/at/v1/outer/inner/{n:path}", "item"),
        (["WS"], "/at/ws", "socket"),
    ]


def test_starlette_with_mounts_and_middleware() -> None:
    from starlette.applications import Starlette
    from starlette.middleware.gzip import GZipMiddleware
    from starlette.routing import Mount as Below
    from starlette.routing import Route, WebSocketRoute

    below = Below("/sub", routes=[Route("/x", item, methods=["POST"])])
    app = GZipMiddleware(
        Starlette(
            routes=[Route("/", item), WebSocketRoute("/ws", socket), below, Below("/f", item)]
        )
    )
    assert rows(app) == [
        (["GET"], "/at/", "item"),
        (["WS"], "/at/ws", "socket"),
        (["POST"], "/at/sub/x", "item"),
        (["ANY"], "/at/f/{path:path}", "item"),
    ]


def test_flask_with_a_blueprint() -> None:
    flask = pytest.importorskip("flask")

    def page(n: int = 0) -> str:
        return ""

    blueprint = flask.Blueprint("shop", __name__, url_prefix="/shop")
    blueprint.route("/<int:n>", methods=["GET", "DELETE"])(page)
    app = flask.Flask(__name__)
    app.route("/")(page)
    app.register_blueprint(blueprint)
    assert sorted(rows(app, "wsgi")) == [
        (["DELETE", "GET"], "/at/shop/<int:n>", "page"),
        (["GET"], "/at/", "page"),
    ]


def test_a_request_refers_to_its_route_by_a_key() -> None:
    from starlette.applications import Starlette
    from starlette.routing import Route

    route = Route("/", item)
    mount = Mount("", Starlette(routes=[Route("/s", socket), route]), "asgi")
    assert route_for(mount, (None, item)) == inner_routes(mount)[1].id
    assert route_for(mount, (route,)) == inner_routes(mount)[1].id
    assert route_for(mount, (None, rows)) is None


class Hostile:
    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


def test_an_application_of_another_kind_has_no_routes() -> None:
    for app in (item, Hostile(), object(), type("A", (), {"routes": [1, 2]})()):
        assert routes_of(app) == []


def test_parameters_of_both_syntaxes() -> None:
    names = [{"name": "a", "type": "int"}, {"name": "b", "type": "path"}]
    assert parameters_of("/x/{a:int}/{b:path}") == ("/x/{a}/{*b}", names)
    assert parameters_of("/x/<int:a>/<path:b>") == ("/x/{a}/{*b}", names)
    assert parameters_of("/<slug:s>") == ("/{s}", [{"name": "s", "type": "string"}])
