"""The warnings about routes in the report of a load."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from snaxum._reload.graph import Graph
from snaxum._reload.model import Node
from snaxum._reload.warnings import warnings
from snaxum.routing import Route


def node(*declared: tuple[str, Callable[..., Any]]) -> Node:
    made = Node("shop", None)
    made.routes += [Route(pattern, None, handler) for pattern, handler in declared]
    return made


def profile(user): ...  # type: ignore[no-untyped-def]
def search(request: object) -> None: ...


def test_a_route_that_is_probably_a_mistake_is_reported_until_it_has_been_loaded_once() -> None:
    first = node(("/user/<username>", profile), ("/fine", search))
    (warning,) = warnings([], [first], Graph([first]), "")
    line = profile.__code__.co_firstlineno
    assert warning.startswith("route `/user/<username>` at ")
    assert f"test_route_warnings.py:{line}: `user` gets the request, and no " in warning

    second = node(("/user/<username>", profile), ("/search?q=<q>", search))
    (warning,) = warnings([first], [second], Graph([second]), "")
    assert "route `/search?q=<q>` at " in warning
    assert warnings([second], [first], Graph([first]), "") == []
