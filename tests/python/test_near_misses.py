"""A path that no route has is told which routes nearly have it, and why they do not."""

from __future__ import annotations

import pytest

from snaxum._debug.route_lookup import MAX_NAMED, near_misses
from snaxum.routing import Route


def handler(request: object) -> str:
    return ""


def routes(*patterns: str) -> list[Route]:
    return [Route(pattern, None, handler) for pattern in patterns]


@pytest.mark.parametrize(
    ("pattern", "path", "why"),
    [
        ("/users/<int:id>", "/users/ada", "takes no `ada` where it has `<int>`"),
        ("/users", "/users/", "has no slash at its end"),
        ("/users/", "/users", "ends with a slash"),
        ("/users/<int:id>", "/users/7/", "has no slash at its end"),
        ("/orders", "/order", "has `orders` where the path has `order`"),
        ("/orders/<id>/items", "/orders/7/Item", "has `items` where the path has `Item`"),
    ],
)
def test_one_thing_that_does_not_fit_is_told(pattern: str, path: str, why: str) -> None:
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
def test_what_differs_in_more_is_not_near(pattern: str, path: str) -> None:
    assert near_misses(routes(pattern), path) == []


def test_only_some_are_named() -> None:
    many = routes(*(f"/item{n}" for n in range(9)))
    assert len(near_misses(many, "/item")) == MAX_NAMED
