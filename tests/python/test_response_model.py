"""`response_model`: a result has the fields of the model and no others, or is refused."""

from __future__ import annotations

import asyncio
import datetime as dt
import enum
import json
import re
import uuid
from collections import ChainMap, deque
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import PurePosixPath
from types import MappingProxyType, SimpleNamespace
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypedDict, TypeVar

import attrs
import msgspec
import numpy as np
import pandas as pd
import pydantic
import pytest
from typing_extensions import TypeAliasType

from snaxum import Response, RouteError
from snaxum._core.json_encoding import dumps
from snaxum._validation import result_structs, results
from snaxum._validation.faults import INVALID
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


# Any


@dataclass
class Anything:
    extra: Any
    other: object = None


class AnyStruct(msgspec.Struct):
    extra: Any


class AnyModel(pydantic.BaseModel):
    extra: Any


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Model(userName="Ada"), {"userName": "Ada", "wait": "PT1S"}),
        (User("Ada", 36), ADA),
        (Struct("Ada"), {"userName": "Ada", "seen": None}),
        (dt.timedelta(hours=1), 3600.0),
        (Decimal("1.10"), "1.10"),
        (np.arange(3), [0, 1, 2]),
        ({"a": {1}, "b": deque([User("Ada", 36)])}, {"a": [1], "b": [ADA]}),
        (None, None),
    ],
)
def test_below_any_a_value_is_sent_as_without_a_model(value: Any, expected: Any) -> None:
    assert json.loads(dumps(value)) == expected
    assert sent(object, value) == expected
    assert sent(dict[str, Any], {"a": value}) == {"a": expected}
    assert sent(list[Any], [value]) == [expected]
    assert sent(Anything, Anything(value)) == {"extra": expected, "other": None}
    assert sent(Anything, {"extra": 1, "other": value}) == {"extra": 1, "other": expected}
    assert sent(AnyStruct, AnyStruct(value)) == {"extra": expected}


def test_pydantic_sends_what_only_the_encoder_knows() -> None:
    assert sent(AnyModel, AnyModel(extra=np.arange(3))) == {"extra": [0, 1, 2]}
    assert sent(list[AnyModel], [{"extra": {"a": deque([1])}}]) == [{"extra": {"a": [1]}}]
    with pytest.raises(ResultError, match=r"the result does not fit `AnyModel`: cannot .*`object`"):
        converter(AnyModel)({"extra": object()})


# Lists by position, and the subclasses of plain types


class Point(NamedTuple):
    x: int
    y: str = "north"


class Array(msgspec.Struct, array_like=True):
    x: int
    y: str = "north"


class TaggedArray(msgspec.Struct, array_like=True, tag="point"):
    x: int
    y: str = "north"


@pytest.mark.parametrize("model", [Point, Array])
def test_a_model_by_position_is_a_list(model: Any) -> None:
    for value in (model(1), Point(1), Array(1), {"x": 1}, SimpleNamespace(x=1), (1,), [1, "north"]):
        assert sent(model, value) == [1, "north"]
        assert sent(dict[str, list[model]], {"a": [value]}) == {"a": [[1, "north"]]}
    with pytest.raises(ResultError, match=r"`1` must be a string"):
        converter(model)(model(1, 2))
    for wrong in ((), (1, "x", 3)):
        with pytest.raises(ResultError, match="it must have 2 items"):
            converter(model)(wrong)
    with pytest.raises(ResultError, match="it must be a list"):
        converter(model)("text")


def test_a_list_of_a_tagged_struct_starts_with_its_tag() -> None:
    for value in (TaggedArray(1), Point(1), ["point", 1], {"x": 1}):
        assert sent(TaggedArray, value) == ["point", 1, "north"]


class MyStr(str):
    title = "no field"


class MyInt(int):
    pass


class MyFloat(float):
    pass


class MyDecimal(Decimal):
    pass


class MyUUID(uuid.UUID):
    pass


class MyDate(dt.date):
    pass


class MyDatetime(dt.datetime):
    pass


class MyDuration(dt.timedelta):
    pass


class Color(str, enum.Enum):
    RED = "red"


@dataclass
class Titled:
    title: str


class Times(msgspec.Struct):
    at: dt.datetime
    day: dt.date
    wait: dt.timedelta


@pytest.mark.parametrize(
    ("model", "result", "expected"),
    [
        (Titled, Titled(MyStr("x")), {"title": "x"}),
        (list[int], [MyInt(1), np.int64(2)], [1, 2]),
        (list[float], [MyFloat(1.5), np.float64(2), Decimal("2.5"), 3], [1.5, 2, 2.5, 3]),
        (list[Decimal], [MyDecimal("1.10"), 2], ["1.10", "2"]),
        (list[uuid.UUID], [MyUUID(int=4)], ["00000000-0000-0000-0000-000000000004"]),
        (list[dt.date], [MyDate(2026, 1, 2), "2026-01-02"], ["2026-01-02", "2026-01-02"]),
        (list[dt.datetime], [MyDatetime(2026, 1, 2)], ["2026-01-02T00:00:00"]),
        (list[dt.datetime], [pd.Timestamp("2026-01-02")], ["2026-01-02T00:00:00"]),
        (list[dt.datetime | None], [pd.NaT, None], [None, None]),
        (
            list[str],
            [Color.RED, uuid.UUID(int=4), PurePosixPath("/a")],
            ["red", "00000000-0000-0000-0000-000000000004", "/a"],
        ),
        (list[Color], [Color.RED, "red"], ["red", "red"]),
        (Literal["red"], Color.RED, "red"),
        (list[bool], [np.bool_(True)], [True]),
        (list[bytes], [b"ab", bytearray(b"ab")], ["YWI=", "YWI="]),
        (list[int], deque([1, 2]), [1, 2]),
        (list[int], range(2), [0, 1]),
        (list[int], {"a": 1}.values(), [1]),
        (set[str], {"a": 1}.keys(), ["a"]),
        (set[int], [1, 1], [1]),
        (tuple[int, ...], np.arange(2), [0, 1]),
        (tuple[int, str], (1, "a"), [1, "a"]),
        (list[User], pd.DataFrame({"name": ["Ada"], "age": [36], "password": ["x"]}), [ADA]),
        (User, pd.Series({"name": "Ada", "age": 36}), ADA),
        (dict[str, int], ChainMap({"a": 1}), {"a": 1}),
        (dict[str, int], MappingProxyType({"a": MyInt(1)}), {"a": 1}),
        (dict[str, Any], User("Ada", 36), ADA),
        (dict[int, str], {1: "a", MyInt(2): "b"}, {"1": "a", "2": "b"}),
        (dict[uuid.UUID, int], {uuid.UUID(int=4): 1}, {"00000000-0000-0000-0000-000000000004": 1}),
        (
            Times,
            SimpleNamespace(
                at=pd.Timestamp("2026-01-02", tz="UTC"),
                day=MyDate(2026, 1, 2),
                wait=MyDuration(seconds=90),
            ),
            {"at": "2026-01-02T00:00:00Z", "day": "2026-01-02", "wait": "PT90S"},
        ),
    ],
)
def test_a_subclass_is_sent_as_its_plain_type(model: Any, result: Any, expected: Any) -> None:
    assert sent(model, result) == expected


@pytest.mark.parametrize(
    ("model", "result", "expected"),
    [
        (list[int], [True], "`0` must be an integer"),
        (list[str], [1], "`0` must be a string"),
        (list[str], "text", "it must be a list"),
        (list[int], 5, "it must be a list"),
        (list[dt.date], [dt.datetime(2026, 1, 2)], "`0` must be a date"),
        (list[dt.datetime], [pd.NaT], "`0` must be a date with a time"),
        (list[Literal["a"]], [object()], "`0` must be `a`"),
        (list[Color], [5], "`0` must be `red`"),
        (dict[str, int], [1], "it must be an object"),
        (dict[int, int], {"a": 1}, "`a` must be an integer"),
        (tuple[int, str], [1], "it must have 2 items"),
        (Annotated[list[int], msgspec.Meta(max_length=1)], [1, 2], "it must have at most 1 item"),
        (list[Annotated[int, msgspec.Meta(ge=1)]], [0], "`0` must be at least 1"),
        (int | None, "x", "it must be an integer"),
    ],
)
def test_a_value_of_another_type_is_refused(model: Any, result: Any, expected: str) -> None:
    with pytest.raises(ResultError, match=re.escape(expected)):
        converter(model)(result)


# Unions


@dataclass
class Rose:
    name: str
    color: str = "red"


@dataclass
class Oak:
    name: str
    height: int


class Cat(msgspec.Struct, tag=True):
    name: str


class Dog(msgspec.Struct, tag=True):
    name: str


def test_a_union_has_the_member_of_the_class() -> None:
    class OldOak(Oak):
        pass

    for oak in (Oak("x", 3), OldOak("x", 3)):
        assert sent(list[Rose | Oak], [oak]) == [{"name": "x", "height": 3}]
    with pytest.raises(ResultError, match=r"`0\.height` must be an integer"):
        converter(list[Rose | Oak])([Oak("x", "high")])  # type: ignore[arg-type]
    assert sent(Oak | Rose, {"name": "x", "password": "y"}) == {"name": "x", "color": "red"}
    assert sent(Cat | Dog, Dog("x")) == {"type": "Dog", "name": "x"}
    assert sent(Cat | Dog, {"type": "Dog", "name": "x"}) == {"type": "Dog", "name": "x"}
    assert sent(list[str | dt.datetime], [dt.datetime(2026, 1, 2), "x"]) == [
        "2026-01-02T00:00:00",
        "x",
    ]


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


# The short way, by msgspec alone


class Tag(msgspec.Struct, rename="camel"):
    tag_name: str
    parent: Tag | None = None


class Item(msgspec.Struct, omit_defaults=True):
    name: Annotated[str, msgspec.Meta(max_length=5)]
    price: float
    made: dt.datetime
    tags: list[Tag] = []
    color: Color = Color.RED
    by_name: dict[str, Tag] = {}
    size: Decimal | None = None


class StoredItem(Item):
    password: str = "secret"


class StoredTag(Tag):
    password: str = "secret"


class Checked(msgspec.Struct):
    count: int

    def __post_init__(self) -> None:
        self.count += 1


MADE = dt.datetime(2026, 1, 2, tzinfo=dt.timezone.utc)
BUILT = Item("x", 1.5, MADE, [Tag("a", Tag("b"))], size=Decimal("1.10"))


@pytest.mark.parametrize(
    ("model", "result", "is_short"),
    [
        (Item, BUILT, True),
        (list[Item], [BUILT, BUILT], True),
        (dict[str, Item | None], {"a": BUILT, "b": None}, True),
        (list[Page[Item]], [Page([BUILT], BUILT)], True),
        (Author, Author("x"), True),
        (list[TaggedArray], [TaggedArray(1)], True),
        (list[User], [User("x", 1)], True),
        (Item, StoredItem("x", 1.5, MADE), False),
        (Item, Item("x", 1.5, MADE, [StoredTag("a")]), False),
        (Item, Item("x", 1.5, MADE, by_name={"a": StoredTag("b")}), False),
        (Item, Item("x", 1.5, MADE, [Tag("a", StoredTag("b"))]), False),
        (list[Item], [{"name": "x", "price": 1.5, "made": MADE, "password": "y"}], False),
        (list[Item], (BUILT,), False),
        (Item, Item("x", Decimal("1.5"), MADE), False),  # type: ignore[arg-type]
        (Author, Author(MyStr("x")), False),
    ],
)
def test_the_short_way_sends_the_same(
    model: Any, result: Any, is_short: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = result_structs.short_way(model)
    assert short is not None
    assert (short(result) is not INVALID) is is_short
    found = sent(model, result)
    assert "secret" not in json.dumps(found)
    monkeypatch.setattr(results, "short_way", lambda annotation: None)
    assert sent(model, result) == found


@pytest.mark.parametrize(
    "model",
    [Inner, Checked, list[dt.timedelta], MixedData, Anything, AnyStruct, Point, Rose | Oak,
     Model, list[Model], list[int], Team | int, Annotated[Author, pydantic.AfterValidator(str)]],
)  # fmt: skip
def test_other_types_have_no_short_way(model: Any) -> None:
    short = result_structs.short_way(model)
    assert short is None


def test_the_short_way_finds_each_fault_by_the_long_one() -> None:
    with pytest.raises(ResultError) as caught:
        converter(list[Item])([Item("too long", "x", MADE)])  # type: ignore[arg-type]
    assert str(caught.value).endswith("`0.name` must have at most 5 characters; 1 more fault")
    tag = Tag("a")
    tag.parent = tag
    with pytest.raises(ResultError, match="`parent` is an object that contains itself"):
        converter(Tag)(tag)
