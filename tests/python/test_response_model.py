"""`response_model`: a result has the fields of the model and no others, or is refused."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections import deque
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Generic, NamedTuple, TypedDict, TypeVar

import attrs
import msgspec
import pydantic
import pytest
from typing_extensions import TypeAliasType

from snaxum import Response, RouteError
from snaxum._core.json_encoding import dumps
from snaxum._validation.results import ResultError, converter
from snaxum.routing import Route

T = TypeVar("T")


@dataclass
class User:
    name: str
    age: int = 0


@dataclass
class StoredUser(User):
    password: str = "secret"


class Struct(msgspec.Struct, rename="camel"):
    user_name: str
    seen: dt.datetime | None = None


class StoredStruct(Struct):
    password: str = "secret"


class Typed(TypedDict):
    name: str


@dataclass
class Page(Generic[T]):
    items: list[T]
    first: T | None = None


class Row(NamedTuple):
    name: str
    password: str


class Model(pydantic.BaseModel):
    name: str = pydantic.Field(alias="userName")
    wait: dt.timedelta = dt.timedelta(seconds=1)


class StoredModel(Model):
    password: str = "secret"


def sent(model: Any, result: Any) -> Any:
    """Return the JSON that a client gets for a result."""
    return json.loads(dumps(converter(model)(result)))


ADA = {"name": "Ada", "age": 36}


@pytest.mark.parametrize(
    ("model", "result", "expected"),
    [
        (User, {"name": "Ada", "age": 36, "password": "secret"}, ADA),
        (User, StoredUser("Ada", 36), ADA),
        (User, SimpleNamespace(name="Ada", age=36, password="secret"), ADA),
        (User, Row("Ada", "secret"), {"name": "Ada", "age": 0}),
        (list[User], [StoredUser("Ada", 36), {"name": "Bob"}], [ADA, {"name": "Bob", "age": 0}]),
        (dict[str, User], {"a": StoredUser("Ada", 36)}, {"a": ADA}),
        (User | None, None, None),
        (Typed, StoredUser("Ada"), {"name": "Ada"}),
        (list[int], (1, 2), [1, 2]),
        (Page[User], {"items": [StoredUser("Ada", 36)]}, {"items": [ADA], "first": None}),
        (dict[str, dt.date], {"a": dt.date(2026, 1, 2)}, {"a": "2026-01-02"}),
        (list[dt.timedelta], [dt.timedelta(hours=-1)], [-3600.0]),
        (str, "text", "text"),
    ],
)
def test_a_result_has_the_fields_of_its_model_only(model: Any, result: Any, expected: Any) -> None:
    assert sent(model, result) == expected


def test_a_struct_is_sent_by_its_names_in_json() -> None:
    moment = dt.datetime(2026, 1, 2, tzinfo=dt.timezone.utc)
    stored = StoredStruct("Ada", moment)
    expected = {"userName": "Ada", "seen": "2026-01-02T00:00:00Z"}
    assert sent(Struct, stored) == expected
    assert sent(Struct, {"userName": "Ada", "seen": moment, "password": "x"}) == expected
    assert sent(Struct, SimpleNamespace(user_name="Ada", seen=moment)) == expected


def test_a_model_of_pydantic_is_converted_by_pydantic() -> None:
    expected = {"userName": "Ada", "wait": "PT1S"}
    stored = StoredModel(userName="Ada")
    assert sent(Model, stored) == expected
    assert sent(Model, {"userName": "Ada", "password": "x"}) == expected
    assert sent(list[Model], [stored]) == [expected]
    with pytest.raises(ResultError, match=r"`Model`: `userName` is missing"):
        converter(Model)({})


def test_a_result_that_does_not_fit_names_the_field() -> None:
    with pytest.raises(ResultError) as caught:
        converter(list[User])([{"name": "Ada"}, {"age": "old"}])
    assert str(caught.value) == (
        "the result does not fit `list[test_response_model.User]`: `1.name` is missing; "
        "1 more fault"
    )
    with pytest.raises(ResultError, match="`User`: it must be an object"):
        converter(User)(None)


def test_a_route_converts_its_results() -> None:
    results: list[Any] = [StoredUser("Ada"), (StoredUser("Ada"), 201), Response("x", 418)]
    route = Route("/", None, lambda request: results.pop(0), response_model=User, status=202)
    first = route.call(None)
    assert (first.status, json.loads(first.parts()[2])) == (202, {"name": "Ada", "age": 0})
    assert route.call(None) == ({"name": "Ada", "age": 0}, 201)
    assert route.call(None).status == 418

    async def handler(request: object) -> StoredUser:
        return StoredUser("Bob")

    route = Route("/", None, handler, response_model=User)
    assert asyncio.run(route.call(None)) == {"name": "Bob", "age": 0}


def test_a_route_without_a_model_has_no_further_step() -> None:
    def handler(request: object) -> str:
        return "x"

    assert Route("/", None, handler).call is handler


def test_a_model_that_cannot_be_sent_is_an_error_with_its_place() -> None:
    with pytest.raises(RouteError) as caught:
        Route("/", None, lambda request: None, response_model=5)
    text = str(caught.value)
    assert "test_response_model.py:" in text
    assert "`response_model` cannot be sent: `5` is not a type" in text


def test_a_model_of_pydantic_has_its_aliases_in_every_response() -> None:
    assert json.loads(dumps(Model(userName="Ada"))) == {"userName": "Ada", "wait": "PT1S"}


# The fields of the model at one place


class Part(msgspec.Struct):
    size: int = msgspec.field(name="x")


class Whole(msgspec.Struct):
    part: Part
    size: int = 0


class Author(msgspec.Struct):
    name: str


class Post(msgspec.Struct):
    title: str
    author: Author


class Writer(msgspec.Struct):
    name: str
    posts: list[Post]


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    name: str


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    inner: Inner
    password: str


@dataclass
class Team:
    name: str
    members: list[str] = field(default_factory=list)


@dataclass
class Person:
    full_name: str
    team: Team | None = None


def test_an_alias_is_that_of_the_model_at_its_place() -> None:
    assert sent(Whole, Whole(Part(1), 2)) == {"part": {"x": 1}, "size": 2}


def test_only_the_attributes_of_the_model_at_its_place_are_read() -> None:
    user = SimpleNamespace(name="Ada")
    user.posts = [SimpleNamespace(title="x", author=user)]
    expected = {"name": "Ada", "posts": [{"title": "x", "author": {"name": "Ada"}}]}
    assert sent(Writer, user) == expected
    stored = SimpleNamespace(name="Ada", password="secret")
    outer = SimpleNamespace(inner=stored, password="other")
    assert sent(Outer, outer) == {"inner": {"name": "Ada"}, "password": "other"}
    with pytest.raises(ResultError, match=r"`inner\.password` is not a field"):
        converter(Outer)({"inner": {"name": "Ada", "password": "x"}, "password": "y"})


def test_each_property_runs_once() -> None:
    read: list[str] = []

    class Stored:
        team = None

        @property
        def full_name(self) -> str:
            read.append("full_name")
            return "Ada"

        @property
        def members(self) -> None:
            raise RuntimeError("only a team has it")

    assert sent(Person, Stored()) == {"full_name": "Ada", "team": None}
    assert read == ["full_name"]


def test_the_attributes_of_a_plain_value_are_not_fields() -> None:
    @dataclass
    class Titled:
        title: str
        real: int = 0

    for value in ("text", 5, [1], dt.date(2026, 1, 2), None):
        with pytest.raises(ResultError, match="`Titled`: it must be an object"):
            converter(Titled)(value)
    with pytest.raises(ResultError, match=r"`title` is missing"):
        converter(Titled)(SimpleNamespace())


# Models within themselves


@dataclass
class Tree:
    name: str
    children: list[Tree] = field(default_factory=list)
    parent: Tree | None = None


def test_a_model_may_contain_itself_and_an_object_may_not() -> None:
    leaf = SimpleNamespace(name="leaf", password="secret")
    shared = SimpleNamespace(name="root", children=[leaf, leaf])
    plain = {"name": "leaf", "children": [], "parent": None}
    assert sent(Tree, shared) == {"name": "root", "children": [plain, plain], "parent": None}

    leaf.parent = shared
    with pytest.raises(ResultError) as caught:
        converter(Tree)(shared)
    assert str(caught.value) == (
        "the result does not fit `Tree`: `children.0.parent` is an object that contains itself; "
        "1 more fault"
    )


Json = TypeAliasType("Json", "dict[str, Json] | list[Json] | dt.timedelta | None")


class Waiting(msgspec.Struct):
    json: Json


def test_an_alias_may_contain_itself() -> None:
    value = {"a": [dt.timedelta(seconds=90), deque([None])]}
    assert sent(Json, value) == {"a": [90.0, [None]]}
    assert sent(tuple[Json, Waiting], (value, Waiting(value))) == [
        {"a": [90.0, [None]]},
        {"json": {"a": ["PT90S", [None]]}},
    ]
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(ResultError, match=r"`json\.0` is an object that contains itself"):
        converter(Waiting)({"json": endless})


def test_endless_objects_are_an_error_and_no_recursion() -> None:
    class Endless:
        name = "x"

        @property
        def parent(self) -> Endless:
            return Endless()

    with pytest.raises(ResultError, match="`Tree`: it is nested too deep"):
        converter(Tree)(Endless())


class Node(pydantic.BaseModel):
    name: str
    children: list[Node] = []


def test_a_cycle_in_a_model_of_pydantic_is_an_error() -> None:
    node = Node(name="x")
    node.children.append(node)
    with pytest.raises(
        ResultError, match="the result does not fit `Node`: it has an object that contains itself"
    ):
        converter(Node)(node)
    stored = SimpleNamespace(name="x")
    stored.children = [stored]
    with pytest.raises(ResultError, match=r"`children\.0`: recursion error"):
        converter(Node)(stored)


# No result is made again


def test_a_result_does_not_go_through_its_constructor() -> None:
    @dataclass
    class Counted:
        name: str
        count: int = 0
        token: str = field(init=False, default="unset")

        def __post_init__(self) -> None:
            self.count += 1

    @attrs.define
    class Made:
        _x: int
        token: str = attrs.field(init=False, default="unset")

    counted, made = Counted("x"), Made(1)
    counted.token = made.token = "real"
    assert sent(Counted, counted) == {"name": "x", "count": 1, "token": "real"}
    assert sent(list[Counted], [counted]) == [{"name": "x", "count": 1, "token": "real"}]
    assert sent(Counted, {"name": "x"}) == {"name": "x", "count": 0, "token": "unset"}
    assert sent(Made, made) == {"_x": 1, "token": "real"}


def test_a_missing_field_has_its_default() -> None:
    @attrs.define
    class Made:
        tags: list[str] = attrs.field(factory=list)
        size: int = 1

    class Kept(msgspec.Struct, omit_defaults=True):
        tags: list[str] = msgspec.field(default_factory=list)
        size: int = 1
        wait: dt.timedelta = dt.timedelta(seconds=1)

    for value in ({}, SimpleNamespace()):
        assert sent(Made, value) == {"tags": [], "size": 1}
        assert sent(Kept, value) == {}
    assert sent(Team, SimpleNamespace(name="x")) == {"name": "x", "members": []}
    assert sent(Kept, {"size": 2, "tags": []}) == {"size": 2}


def test_a_dict_may_have_the_names_in_python() -> None:
    expected = {"userName": "Ada", "seen": None}
    assert sent(Struct, {"user_name": "Ada", "userName": "Ada"}) == expected
    assert sent(Struct, {"user_name": "Ada"}) == expected


class Aliased(pydantic.BaseModel):
    order_id: int = pydantic.Field(alias="orderId")
    note: str = pydantic.Field(default="", validation_alias="in", serialization_alias="out")


class Mixed(msgspec.Struct):
    order: Aliased
    wait: dt.timedelta


@dataclass
class MixedData:
    order: Aliased
    wait: dt.timedelta


def test_pydantic_reads_attributes_by_the_names_in_python() -> None:
    expected = {"orderId": 3, "out": "x"}
    stored = SimpleNamespace(order_id=3, note="x", password="y")
    for value in (stored, {"order_id": 3, "note": "x"}, {"orderId": 3, "in": "x"}):
        assert sent(Aliased, value) == expected
        assert sent(list[Aliased], [value]) == [expected]
        result = SimpleNamespace(order=value, wait=dt.timedelta(seconds=90))
        assert sent(Mixed, result) == {"order": expected, "wait": "PT90S"}
        assert sent(MixedData, result) == {"order": expected, "wait": 90.0}
    with pytest.raises(ResultError, match=r"`order\.orderId` is missing"):
        converter(MixedData)({"order": {}, "wait": dt.timedelta()})
