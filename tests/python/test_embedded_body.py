"""Several parameters of one body: members of its object, each with its faults and its default.

Each test runs with msgspec and without it. Never sends a request over a socket.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import polars
import pydantic
import pytest
from extraction import faults, fill
from test_openapi import operation
from typing_extensions import TypeAliasType

from snaxum import Body, HTTPError, Path, RouteError, ValidationError
from snaxum.routing import Route

pytestmark = pytest.mark.usefixtures("engine")


@dataclass
class Item:
    name: str
    price: float = 1.0


class User(msgspec.Struct):
    id: int


class Plant(pydantic.BaseModel):
    name: str


def handler(
    item: Item,
    user: User,
    count: Annotated[int, Body(ge=1)] = 1,
    note: Annotated[str | None, Body(alias="the-note")] = None,
    q: str = "",
) -> list[Any]:
    return [item, user, count, note, q]


def of_pydantic(plant: Plant, user: User, tags: Annotated[list[str], Body()] = []) -> list[Any]:  # noqa: B006
    tags.append(plant.name)
    return [plant, user, tags]


def embedded(item: Annotated[Item, Body(embed=True)]) -> Item:
    return item


def embedded_default(
    item: Annotated[Item | None, Body(embed=True)] = None,
) -> Item | None:
    return item


def send(function: Callable[..., Any], value: Any, path: str = "/") -> Any:
    return fill(function, method="POST", path=path, body=json.dumps(value).encode())


ITEM, USER = {"name": "a", "price": 2}, {"id": 1}


def test_each_parameter_is_a_member_of_the_object() -> None:
    assert send(handler, {"item": ITEM, "user": USER, "more": 1}) == [
        Item("a", 2.0), User(1), 1, None, "",
    ]  # fmt: skip
    found = send(handler, {"item": ITEM, "user": USER, "count": "5", "the-note": "x"})
    assert found[2:4] == [5, "x"]
    assert send(embedded, {"item": ITEM}) == Item("a", 2.0)
    for value in ({}, None, {"item": None}):
        assert send(embedded_default, value) is None
    assert fill(embedded_default, method="POST") is None


def test_a_default_belongs_to_one_request() -> None:
    for _ in range(2):
        assert send(of_pydantic, {"plant": {"name": "b"}, "user": USER}) == [
            Plant(name="b"), User(1), ["b"],
        ]  # fmt: skip


def test_every_fault_has_its_place_in_the_object() -> None:
    def refused(function: Callable[..., Any], value: Any) -> list[Any]:
        return faults(function, method="POST", body=json.dumps(value).encode())

    assert refused(handler, {"item": {"price": "x"}, "user": {"id": "1"}, "count": 0}) == [
        ("body", ["item", "name"], "missing"),
        ("body", ["item", "price"], "float_type"),
        ("body", ["user", "id"], "int_type"),
        ("body", ["count"], "greater_than_equal"),
    ]
    missing = [("body", [name], "missing") for name in ("item", "user")]
    assert refused(handler, {}) == refused(handler, None) == missing
    assert faults(handler, method="POST") == missing
    for value in ([], 1, "x"):
        assert refused(handler, value) == [
            *missing, ("body", ["count"], "missing"), ("body", ["the-note"], "missing"),
        ]  # fmt: skip
        assert refused(embedded, value) == [("body", ["item"], "missing")]
    assert refused(of_pydantic, {"plant": {}, "user": USER}) == [
        ("body", ["plant", "name"], "missing")
    ]
    assert refused(embedded, ITEM) == [("body", ["item"], "missing")]


class Strict(pydantic.BaseModel, strict=True):
    day: dt.date
    tags: set[str] = set()


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (bytes, "aGk="), (dt.date, 0), (dt.date, "2026-01-31"), (int, True), (int, "5"),
        (Item, {"name": "a", "price": "5"}), (Item, {"name": "a", "price": 5}), (list[int], ["1"]),
        (Strict, {"day": "2026-01-31", "tags": ["a"]}), (Strict, {"day": 5}), (Plant, {"name": 1}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("beside", [Plant, Item, Strict, bytes])
def test_a_member_has_the_rules_of_a_body_of_its_own(kind: Any, value: Any, beside: Any) -> None:
    def alone(*, own: Any) -> Any:
        return own

    def embedded(*, own: Any, other: Any, number: Annotated[int, Body()] = 1) -> Any:
        return own

    alone.__annotations__["own"] = embedded.__annotations__["own"] = Annotated[kind, Body()]
    embedded.__annotations__["other"] = Annotated[beside, Body()]
    other: Any = {
        Plant: {"name": "p"},
        Item: ITEM,
        Strict: {"day": "2026-01-01"},
        bytes: "aGk=",
    }
    for number in (
        1,
        0.5,
    ):  # the second one is a fault, so each member is converted by itself
        sent = {"own": value, "other": other[beside], "number": number}
        faulty = [("body", ["number"], "int_from_float")] if number == 0.5 else []
        try:
            expected = send(alone, value)
        except ValidationError as error:
            found = error.extensions()["errors"]
            own = [("body", ["own", *each["loc"]], each["type"]) for each in found]
            assert faults(embedded, method="POST", body=json.dumps(sent).encode()) == own + faulty
        else:
            if faulty:
                body = json.dumps(sent).encode()
                assert faults(embedded, method="POST", body=body) == faulty
            else:
                assert send(embedded, sent) == expected


def test_a_body_that_is_not_json_is_refused() -> None:
    with pytest.raises(HTTPError) as caught:
        fill(handler, method="POST", body=b"{")
    assert caught.value.status == 400
    with pytest.raises(HTTPError) as caught:
        fill(handler, method="POST", body=b"{}", headers={"content-type": "text/plain"})
    assert caught.value.status == 415


def test_a_path_and_a_query_are_beside_it() -> None:
    def mixed(n: Annotated[int, Path(ge=1)], a: User, b: User, q: int = 0) -> list[Any]:
        return [n, a.id, b.id, q]

    body = json.dumps({"a": {"id": 1}, "b": {"id": 2}}).encode()
    assert fill(mixed, "/<n>", method="POST", path_params={"n": "7"}, body=body) == [
        7,
        1,
        2,
        0,
    ]


def test_a_parameter_that_cannot_be_a_member_is_an_error_when_the_module_loads() -> None:
    def table(frame: polars.DataFrame, item: Item) -> None: ...
    def twice(item: Item, other: Annotated[Item, Body(alias="item")]) -> None: ...

    for function, words in (
        (
            table,
            "`frame` is a table, which is the whole body and no member of an object",
        ),
        (twice, "`item` and `other` are both the member `item` of the body"),
    ):
        with pytest.raises(RouteError, match=re.escape(words)):
            Route("/", ["POST"], function)


def test_the_document_has_an_object_with_a_property_for_each() -> None:
    body = operation(handler)["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    assert body["required"] is True
    assert schema["required"] == ["item", "user"]
    assert list(schema["properties"]) == ["item", "user", "count", "the-note"]
    assert schema["properties"]["item"] == {"$ref": "#/components/schemas/Item"}
    assert schema["properties"]["count"] == {
        "type": "integer",
        "minimum": 1,
        "default": 1,
    }
    assert operation(embedded_default)["requestBody"]["required"] is False


Json = TypeAliasType("Json", "dict[str, Json] | list[Json] | str | float | bool | None")
Choice = TypeAliasType("Choice", Item | User)
Number = TypeAliasType("Number", int | float)


def test_an_alias_is_the_body_if_its_value_is() -> None:
    def of_json(d: Json) -> Any:
        return d

    def of_choice(c: Choice) -> Any:
        return c

    def of_number(n: Number) -> Any:
        return n

    for function in (of_json, of_choice):
        function.__annotations__ = {
            name: globals().get(kind, kind) for name, kind in function.__annotations__.items()
        }
        assert Route("/", ["POST"], function).arguments[0].source == "body"
    assert send(of_json, {"a": [1.5, None]}) == {"a": [1.5, None]}
    assert send(of_choice, {"id": 1}) == User(1)
    assert fill(of_number, method="POST", query="n=5") == 5
    with pytest.raises(RouteError, match=r"`d` is a `Json`, which comes from a body, and GET"):
        Route("/", ["GET"], of_json)


@pytest.mark.parametrize(
    ("kind", "sent", "expected"),
    [
        (int, 5, 5), (int, "5", 5), (int, 5.0, 5), (float, "1.5", 1.5), (bool, "yes", True),
        (int | None, None, None), (int | str, "5", "5"),
        (int, 1.5, "int_from_float"), (int, "x", "int_parsing"), (int, True, "int_type"),
        (int | None, "null", "int_parsing"), (bool, [], "bool_type"),
    ],
)  # fmt: skip
def test_a_single_number_may_be_text(kind: Any, sent: Any, expected: Any) -> None:
    def single(*, value: Any) -> Any:
        return [value]

    single.__annotations__["value"] = Annotated[kind, Body()]
    if isinstance(expected, str) and "_" in expected:
        body = json.dumps(sent).encode()
        assert faults(single, method="POST", body=body) == [("body", [], expected)]
    else:
        (found,) = send(single, sent)
        assert (type(found), found) == (type(expected), expected)
