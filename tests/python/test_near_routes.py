"""The routes near a request, with the path that was probably meant."""

from __future__ import annotations

from snaxum._debug.route_lookup import near_routes
from snaxum.routing import Route


def handler(**_: object) -> str:
    return ""


def near(method: str, path: str, *patterns: tuple[str, list[str]]) -> list[tuple[str, object]]:
    routes = [Route(pattern, methods, handler) for pattern, methods in patterns]
    return [(row["path"], row["link"]) for row in near_routes(routes, path, method)]


def test_a_link_has_the_parameters_of_the_request() -> None:
    assert near("GET", "/user/7 8", ("/users/<name>", ["GET"])) == [
        ("/users/<name>", "/users/7%208")
    ]
    assert near("GET", "/users/x", ("/users/<int:id>", ["GET"])) == [("/users/<int:id>", None)]
    assert near("GET", "/users/", ("/users", ["GET"])) == [("/users", "/users")]
    assert near("GET", "/users", ("/users/", ["GET"])) == [("/users/", "/users/")]


def test_a_browser_can_open_only_routes_with_get() -> None:
    assert near("GET", "/users", ("/users", ["POST"])) == [("/users", None)]
    assert near("POST", "/users", ("/users", ["GET"])) == [("/users", "/users")]


def test_a_link_never_leaves_the_server_and_far_routes_are_left_out() -> None:
    assert near("GET", "//evil.example", ("/<path:rest>", ["POST"])) == [("/<path:rest>", None)]
    assert near("GET", "/nothing/like/it", ("/users", ["GET"])) == []
