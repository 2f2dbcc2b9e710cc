"""A request is told which route answers it, and why each of those near it does not."""

from __future__ import annotations

import pytest

from snaxum._debug.route_lookup import MAX_MISSES, explain
from snaxum.routing import Route, RouteTable


def handler(request: object) -> str:
    return ""


def table(*routes: str) -> RouteTable:
    """Make the table of routes such as `POST /orders`."""
    split = (route.split(" ", 1) for route in routes)
    return RouteTable(Route(pattern, [method], handler) for method, pattern in split)


def misses(routes: RouteTable, method: str, path: str) -> list[tuple[str, str]]:
    return [(miss["path"], miss["why"]) for miss in explain(routes, method, path)["misses"]]


def test_the_answer_has_its_converted_parameters() -> None:
    told = explain(table("GET /users/<int:id>/<name>"), "GET", "/users/07/ada")
    assert told["status"] == 200
    assert told["answer"]["path"] == "/users/<int:id>/<name>"
    assert told["answer"]["params"] == [
        {"name": "id", "type": "int", "value": "7"},
        {"name": "name", "type": "string", "value": "'ada'"},
    ]
    assert told["misses"] == []


@pytest.mark.parametrize(
    ("route", "request_line", "why"),
    [
        ("POST /orders/<int:id>", "GET /orders/9", "answers only POST"),
        ("GET /orders/<int:id>", "GET /orders/x", "takes no `x` where it has `<int>`"),
        ("GET /orders/all", "GET /orders/9", "has `all` where the path has `9`"),
        ("GET /orders", "GET /order", "has `orders` where the path has `order`"),
        ("GET /orders", "GET /orders/", "has no slash at its end"),
        ("GET /orders/", "GET /orders", "ends with a slash"),
        ("GET /orders", "GET /orders/9", "is too short: ends before `/9`"),
        ("GET /orders/<id>", "GET /orders", "is too long: the path ends before `/<string>`"),
        ("GET /files/<path:p>", "GET /files/", "takes no `` where it has `<path>`"),
        (
            "POST /orders/<int:id>",
            "GET /orders/x",
            "takes no `x` where it has `<int>`, and answers only POST",
        ),
    ],
)
def test_one_thing_that_does_not_fit_is_told(route: str, request_line: str, why: str) -> None:
    method, path = request_line.split(" ")
    assert misses(table(route), method, path) == [(route.split(" ")[1], why)]


def test_a_route_that_comes_later_names_the_narrower_one() -> None:
    routes = table("GET /orders/<id>", "GET /orders/<int:id>", "GET /<path:rest>")
    narrower = "`/orders/<int:id>` is narrower and comes first"
    assert explain(routes, "GET", "/orders/9")["answer"]["path"] == "/orders/<int:id>"
    assert misses(routes, "GET", "/orders/9") == [
        ("/orders/<id>", narrower),
        ("/<path:rest>", narrower),
    ]


@pytest.mark.parametrize(
    "path", ["/orders/a/b", "/usrs/9/x", "/", "//orders//9", "/a" * 40, "", "orders", "/\n"]
)
def test_what_differs_in_more_is_not_near(path: str) -> None:
    told = explain(table("GET /orders/<int:id>"), "GET", path)
    assert (told["status"], told["misses"]) == (404, [])


@pytest.mark.parametrize(
    ("method", "status", "allow"),
    [
        ("HEAD", 200, []),
        ("OPTIONS", 200, ["GET", "HEAD", "OPTIONS"]),
        ("PUT", 405, ["GET", "HEAD", "OPTIONS"]),
    ],
)
def test_implied_methods_are_told_as_they_are_answered(
    method: str, status: int, allow: list[str]
) -> None:
    told = explain(table("GET /orders"), method, "/orders")
    assert (told["status"], told["allow"]) == (status, allow)
    assert (told["answer"] is None) == (method != "HEAD")


def test_only_the_nearest_are_told() -> None:
    routes = table(*(f"GET /orders/far{n}" for n in range(9)), "POST /orders/<id>")
    told = misses(routes, "GET", "/orders/9")
    assert len(told) == MAX_MISSES
    assert told[0] == ("/orders/<id>", "answers only POST")
