"""A lookup is explained: the route of a request, and the reason against each near miss."""

from __future__ import annotations

import pytest

from snaxum._debug.route_lookup import MAX_MISSES, MAX_NAMED, explain, near_misses
from snaxum.routing import Route, RouteTable


def handler(request: object) -> str:
    return ""


def table(*routes: str) -> RouteTable:
    """Make the table of routes such as `POST /orders`."""
    split = (route.split(" ", 1) for route in routes)
    return RouteTable(Route(pattern, [method], handler) for method, pattern in split)


def misses(routes: RouteTable, method: str, path: str) -> list[tuple[str, str]]:
    return [(miss["path"], miss["reason"]) for miss in explain(routes, method, path)["near_misses"]]


def test_the_found_route_has_its_converted_parameters() -> None:
    lookup = explain(table("GET /users/<int:id>/<name>"), "GET", "/users/07/ada")
    assert lookup["status"] == 200
    assert lookup["route"]["path"] == "/users/<int:id>/<name>"
    assert lookup["route"]["params"] == [
        {"name": "id", "type": "int", "value": "7"},
        {"name": "name", "type": "string", "value": "'ada'"},
    ]
    assert lookup["near_misses"] == []


@pytest.mark.parametrize(
    ("route", "request_line", "why"),
    [
        ("POST /orders/<int:id>", "GET /orders/9", "accepts only POST"),
        ("GET /orders/<int:id>", "GET /orders/x", "has `<int>` where the path has `x`"),
        ("GET /orders/all", "GET /orders/9", "has `all` where the path has `9`"),
        ("GET /orders", "GET /order", "has `orders` where the path has `order`"),
        ("GET /orders", "GET /orders/", "has no slash at its end"),
        ("GET /orders/", "GET /orders", "ends with a slash"),
        ("GET /orders", "GET /orders/9", "is too short: ends before `/9`"),
        ("GET /orders/<id>", "GET /orders", "is too long: the path ends before `/<string>`"),
        ("GET /files/<path:p>", "GET /files/", "has `<path>` where the path has ``"),
        (
            "POST /orders/<int:id>",
            "GET /orders/x",
            "has `<int>` where the path has `x`, and accepts only POST",
        ),
    ],
)
def test_one_difference_is_explained(route: str, request_line: str, why: str) -> None:
    method, path = request_line.split(" ")
    assert misses(table(route), method, path) == [(route.split(" ")[1], why)]


def test_a_later_route_names_the_more_specific_route() -> None:
    routes = table("GET /orders/<id>", "GET /orders/<int:id>", "GET /<path:rest>")
    narrower = "`/orders/<int:id>` is more specific and comes first"
    assert explain(routes, "GET", "/orders/9")["route"]["path"] == "/orders/<int:id>"
    assert misses(routes, "GET", "/orders/9") == [
        ("/orders/<id>", narrower),
        ("/<path:rest>", narrower),
    ]


@pytest.mark.parametrize(
    "path", ["/orders/a/b", "/usrs/9/x", "/", "//orders//9", "/a" * 40, "", "orders", "/\n"]
)
def test_more_differences_are_not_a_near_miss(path: str) -> None:
    lookup = explain(table("GET /orders/<int:id>"), "GET", path)
    assert (lookup["status"], lookup["near_misses"]) == (404, [])


@pytest.mark.parametrize(
    ("method", "status", "allow"),
    [
        ("HEAD", 200, []),
        ("OPTIONS", 200, ["GET", "HEAD", "OPTIONS"]),
        ("PUT", 405, ["GET", "HEAD", "OPTIONS"]),
    ],
)
def test_implied_methods_are_explained(method: str, status: int, allow: list[str]) -> None:
    lookup = explain(table("GET /orders"), method, "/orders")
    assert (lookup["status"], lookup["allow"]) == (status, allow)
    assert (lookup["route"] is None) == (method != "HEAD")


def test_only_the_nearest_are_listed() -> None:
    routes = table(*(f"GET /orders/far{n}" for n in range(9)), "POST /orders/<id>")
    lookup = misses(routes, "GET", "/orders/9")
    assert len(lookup) == MAX_MISSES
    assert lookup[0] == ("/orders/<id>", "accepts only POST")


def routes(*patterns: str) -> list[Route]:
    return [Route(pattern, None, handler) for pattern in patterns]


@pytest.mark.parametrize(
    ("pattern", "path", "why"),
    [
        ("/users/<int:id>", "/users/ada", "has `<int>` where the path has `ada`"),
        ("/users", "/users/", "has no slash at its end"),
        ("/users/", "/users", "ends with a slash"),
        ("/users/<int:id>", "/users/7/", "has no slash at its end"),
        ("/orders", "/order", "has `orders` where the path has `order`"),
        ("/orders/<id>/items", "/orders/7/Item", "has `items` where the path has `Item`"),
    ],
)
def test_a_404_names_routes_with_one_difference(pattern: str, path: str, why: str) -> None:
    assert near_misses(routes(pattern), path) == [f"`{pattern}` {why}"]


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("/users/<int:id>", "/users/a/b"),
        ("/users/<int:id>", "/usrs/ada"),
        ("/users", "/report"),
        ("/a/b/c", "/"),
        ("/", "/a/b"),
    ],
)
def test_a_404_names_no_routes_with_more_differences(pattern: str, path: str) -> None:
    assert near_misses(routes(pattern), path) == []


def test_a_404_names_only_some() -> None:
    many = routes(*(f"/item{n}" for n in range(9)))
    assert len(near_misses(many, "/item")) == MAX_NAMED
