"""Aliases: `type X = ...` in return types, parameters and fields, at every place in a module.

The `type` statement needs Python 3.12; the others test the alias of typing-extensions.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from snaxum import Request, RouteError
from snaxum._core.json_encoding import dumps
from snaxum.routing import Route

STATEMENT = pytest.mark.skipif(
    sys.version_info < (3, 12), reason="`type` is a statement since Python 3.12"
)
ITEM = """
@dataclass
class Item:
    name: str = "x"
"""


def scope(source: str) -> dict[str, Any]:
    """Run the source of a module, in which a handler's types may not be defined yet."""
    found: dict[str, Any] = {"__name__": "unknown_module"}
    run("from dataclasses import dataclass\n" + source, found)
    return found


def run(source: str, scope: dict[str, Any]) -> None:
    exec(compile(source, "<module>", "exec", dont_inherit=True), scope)


def sent(route: Route, **build: Any) -> Any:
    return json.loads(dumps(route.call(Request.build(**build))))


@STATEMENT
@pytest.mark.parametrize(
    "alias",
    [
        "type Json = dict[str, Json] | list[Json] | str | None",
        "type Json = list[Json]",
        "type Json = dict[str, list[Json]]",
    ],
)
def test_a_return_type_may_contain_itself(alias: str) -> None:
    found = scope(f"{alias}\ndef handler() -> Json: return given")
    found["given"] = [{"a": [None]}]
    assert Route("/", None, found["handler"]).call(Request.build()) is found["given"]


@STATEMENT
def test_the_models_in_an_alias_that_contains_itself_remove_other_fields() -> None:
    found = scope(
        ITEM + "type Tree = Item | list[Tree] | dict[str, Tree]\n"
        "def handler() -> Tree: return [{'name': 'a', 'password': 'b'}, [{'name': 'c', 'd': 1}]]\n"
    )
    assert sent(Route("/", None, found["handler"])) == [{"name": "a"}, [{"name": "c"}]]


@STATEMENT
@pytest.mark.parametrize("alias", ["type Result = Item | None", "type Result = list[Item]"])
def test_an_alias_of_a_return_type_may_be_above_its_class(alias: str) -> None:
    found = scope(f"{alias}\ndef handler() -> Result: return given")
    found["given"] = {"name": "a", "password": "b"}
    if "list" in alias:
        found["given"] = [found["given"]]
    route = Route("/", None, found["handler"])
    assert not route.is_planned
    run(ITEM, found)
    route.finish()
    assert sent(route) in ({"name": "a"}, [{"name": "a"}])


@STATEMENT
def test_an_alias_for_type_checkers_only_counts_as_no_return_type() -> None:
    found = scope("type Result = Item | None\ndef handler() -> Result: return {'a': 1}")
    route = Route("/", None, found["handler"])
    route.finish()
    assert sent(route) == {"a": 1}


@STATEMENT
@pytest.mark.parametrize("kind", ["Items", "int | Items", "list[Items]"])
def test_an_alias_of_a_parameter_may_be_above_its_class(kind: str) -> None:
    source = f"type Items = list[Item]\ndef handler(items: {kind}): return items"
    found = scope(source)
    route = Route("/", ["POST"], found["handler"])
    assert not route.is_planned
    run(ITEM, found)
    route.finish()
    sends = [[{"name": "a"}]] if kind == "list[Items]" else [{"name": "a"}]
    assert sent(route, method="POST", body=json.dumps(sends).encode()) == sends
    with pytest.raises(RouteError, match="`Item`, in the type `Items`, is not defined"):
        Route("/", ["POST"], scope(source)["handler"]).finish()


@STATEMENT
def test_an_alias_may_have_arguments() -> None:
    found = scope(
        ITEM + "type Page[T] = list[T] | None\n"
        "def create(page: Page[Item]): return page\n"
        "def show() -> Page[Item]: return [{'name': 'a', 'password': 'b'}]\n"
    )
    assert sent(Route("/", None, found["show"])) == [{"name": "a"}]
    route = Route("/", ["POST"], found["create"])
    assert sent(route, method="POST", body=b'[{"name": "c"}]') == [{"name": "c"}]
