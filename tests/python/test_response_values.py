"""`response_model`: values as JSON, by position, of subclasses, in unions and below `Any`."""

from __future__ import annotations

import datetime as dt
import enum
import json
import re
import uuid
from collections import ChainMap, deque
from dataclasses import dataclass
from decimal import Decimal
from pathlib import PurePosixPath
from types import MappingProxyType, SimpleNamespace
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import numpy as np
import pandas as pd
import pydantic
import pytest
from test_response_model import ADA, Model, Struct, User, sent

from snaxum._core.json_encoding import dumps
from snaxum._validation.results import ResultError, converter

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
