"""Validation beside msgspec and pydantic, on random types and values.

The converter of the standard library accepts what msgspec accepts, with the same result, for JSON
and for text; and it finds the faults that pydantic finds, at the same places.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import inspect
import json
import math
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, Optional
from unittest import mock
from urllib.parse import urlencode

import msgspec
import pydantic
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from typing_extensions import TypedDict

from snaxum import Request, ValidationError
from snaxum._core.json_decoding import loads
from snaxum._validation import engines, libraries
from snaxum._validation.faults import INVALID, Faults
from snaxum._validation.hints import members
from snaxum._validation.standard import Builder
from snaxum.routing import Route


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Pair(NamedTuple):
    x: int
    y: Optional[str] = None  # noqa: UP045


class Point(TypedDict):
    x: int
    name: str


@dataclasses.dataclass
class Item:
    id: int
    name: str = "x"
    at: dt.datetime | None = None
    parts: list[Item] = dataclasses.field(default_factory=list)


class Box(msgspec.Struct, forbid_unknown_fields=True):
    width: float
    color: Color = Color.RED
    levels: dict[str, Level] = {}


class Cat(msgspec.Struct, tag=True, rename="camel"):
    lives_left: int


class Dog(msgspec.Struct, tag=True):
    name: str


Positive = Annotated[int, msgspec.Meta(ge=1, lt=100)]
Short = Annotated[str, msgspec.Meta(min_length=1, max_length=3, pattern="^[a-z0-9]")]
Few = Annotated[list[int], msgspec.Meta(max_length=2)]

SCALARS = [
    int, float, bool, str, dt.date, dt.datetime, dt.time, dt.timedelta, uuid.UUID, Decimal,
    Color, Level, Literal["a", "b"], Literal[1, 2], Positive, Short,
]  # fmt: skip
MODELS = [Item, Box, Point, Pair, Cat | Dog, Few, Any, bytes]

scalars = st.sampled_from(SCALARS)
text_types = st.one_of(
    scalars,
    scalars.map(Optional.__getitem__),
    st.sampled_from([int | float, int | bool, int | str, int | dt.date, bool | float]),
    scalars.map(lambda kind: list[kind]),  # type: ignore[valid-type]
    scalars.map(lambda kind: tuple[kind, ...]),  # type: ignore[valid-type]
    st.tuples(scalars, scalars).map(lambda kinds: tuple[kinds]),  # type: ignore[valid-type]
)
json_types = st.recursive(
    st.one_of(scalars, st.sampled_from(MODELS)),
    lambda inner: st.one_of(
        inner.map(Optional.__getitem__),
        inner.map(lambda kind: list[kind]),  # type: ignore[valid-type]
        inner.map(lambda kind: dict[str, kind]),  # type: ignore[valid-type]
        st.tuples(inner, inner).map(lambda kinds: tuple[kinds]),  # type: ignore[valid-type]
    ),
    max_leaves=4,
)

EDGES = [
    "", "0", "1", "-0", "-1", "5", "007", "+5", " 5", "5 ", "1.5", "5.0", "5e2", "1e-2", "1e400",
    ".5", "5.", "1_0", "٣", "nan", "NaN", "inf", "-Infinity", "null", "NULL", "None", "true",
    "True", "false", "a", "abc", "red", "x", "2026-01-31", "2026-02-30", "2026-1-1", "0000-01-01",
    "2026-01-31T12:00:00", "2026-01-31 12:00:00Z", "2026-01-31t12:00:00.5+01:00",
    "2026-01-31T12:00:00.1234567", "2026-01-31T23:59:59.9999999", "2026-01-31T12:00",
    "2026-01-31T24:00:00", "2026-01-31T12:00:00-00:00", "2026-01-31T12:00:00+0130",
    "2026-01-31T12:00:00+24:00", "9999-12-31T23:59:59.9999999", "12:00:00", "12:00:00.25Z",
    "12:00", "12:00:60", "PT1H", "-P1D", "+P1D", "P1DT2H3M4.5S", "P1Y", "PT", "P", "P1.5D", "pt1m",
    "PT1.5H", "P1W", "P99999999999D", str(uuid.UUID(int=1)), uuid.UUID(int=1).hex, "AbC" * 11,
    "9" * 25, "1.10", "1E+2", "aGk=", "aGk", "Cat", "Dog",
]  # fmt: skip
texts = st.one_of(st.sampled_from(EDGES), st.text(max_size=5), st.integers().map(str))
json_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 120),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, 1.0, 2.0, -1.0, 1e300]),
    texts,
)
KEYS = ["id", "name", "at", "parts", "x", "y", "width", "color", "levels", "type", "livesLeft"]
json_values = st.recursive(
    json_scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=8,
)


def convert(kind: Any, value: Any, *, is_text: bool) -> tuple[Any, Faults]:
    faults = Faults()
    result = Builder(is_text=is_text).build(kind)(value, (), faults)
    assert (result is INVALID) == bool(faults)
    return result, faults


def same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    if isinstance(one, Decimal) and one.is_nan():
        return isinstance(other, Decimal) and other.is_nan()
    if isinstance(one, list | tuple) and type(one) is type(other):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and type(one) is type(other):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return type(one) is type(other) and bool(one == other)


def attempt(convert: Callable[[], Any]) -> Any:
    try:
        return convert()
    except msgspec.ValidationError:
        return INVALID


@settings(deadline=None)
@given(json_types, json_values)
def test_json_is_accepted_as_by_msgspec(kind: Any, value: Any) -> None:
    result, faults = convert(kind, value, is_text=False)
    expected = attempt(lambda: msgspec.json.decode(json.dumps(value), type=kind))
    assert result is expected or same(result, expected), faults


@settings(deadline=None)
@given(text_types, st.one_of(texts, st.lists(texts, max_size=3)))
@example(int | float, "5.0")
@example(bool, "-0")
def test_a_text_is_accepted_as_by_msgspec(kind: Any, value: Any) -> None:
    is_list = str(kind).startswith(("list", "tuple"))
    if is_list != isinstance(value, list):
        value = [value] if is_list else "x"
    result, faults = convert(kind, value, is_text=True)
    assume(not engines._is_mixed(kind))  # the standard library converts it alone
    prepare = engines._prepare(kind)
    sent = prepare(value) if prepare else value
    expected = attempt(lambda: msgspec.convert(sent, kind, strict=False))
    assert result is expected or same(result, expected), faults


@settings(deadline=None)
@given(json_types, json_values)
def test_the_engine_of_a_body_finds_the_same_faults(kind: Any, value: Any) -> None:
    """With msgspec, the first fault ends the decoding; the standard library lists them all."""
    assume(not set(members(kind)) <= {*engines._FROM_TEXT})  # such a single value may be text
    engine = engines.for_body(kind, {}, loads)
    _, expected = convert(kind, value, is_text=False)
    found = Faults()
    engine.explain(value, (), found)
    if found and not expected:  # msgspec alone knows the tags of its Structs
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(value, kind)
        assert [fault.type for fault in found] == ["value_error"]
        return
    assert found == expected


# For these types pydantic's strict mode and msgspec agree on what JSON is.
strict_types = st.recursive(
    st.sampled_from([int, str, bool, Color]),
    lambda inner: st.one_of(
        inner.map(lambda kind: list[kind]),  # type: ignore[valid-type]
        inner.map(lambda kind: dict[str, kind]),  # type: ignore[valid-type]
        inner.map(
            lambda kind: dataclasses.make_dataclass(
                "Made", [("id", kind), ("name", str, "x"), ("parts", list[kind], None)]
            )
        ),
    ),
    max_leaves=4,
)
strict_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.sampled_from(["red", "x", ""])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS[:5]), inner, max_size=4)
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(strict_types, strict_values)
def test_every_fault_is_where_pydantic_has_it(kind: Any, value: Any) -> None:
    result, faults = convert(kind, value, is_text=False)
    try:
        expected = pydantic.TypeAdapter(kind).validate_json(json.dumps(value), strict=True)
        places = set()
    except pydantic.ValidationError as error:
        expected, places = INVALID, {each["loc"] for each in error.errors()}
    assert {fault.loc for fault in faults} == places
    assert result == expected


def filled(kinds: list[Any], optional: list[bool], query: list[tuple[str, str]]) -> Any:
    def handler(**values: Any) -> Any:
        return values

    handler.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(
                f"p{at}",
                inspect.Parameter.KEYWORD_ONLY,
                annotation=kind,
                default=None if optional[at] else inspect.Parameter.empty,
            )
            for at, kind in enumerate(kinds)
        ]
    )
    try:
        return Route("/", None, handler).call(Request.build(query=urlencode(query)))
    except ValidationError as error:
        return error.errors


@settings(deadline=None)
@given(
    st.lists(text_types, min_size=1, max_size=4),
    st.lists(st.booleans(), min_size=4, max_size=4),
    st.lists(st.tuples(st.sampled_from(["p0", "p1", "p2", "p3"]), texts), max_size=6),
)
def test_a_request_is_filled_alike_with_msgspec_and_without(
    kinds: list[Any], optional: list[bool], query: list[tuple[str, str]]
) -> None:
    """One call of msgspec for all parameters, beside the standard library for each of them."""
    native = filled(kinds, optional, query)
    with mock.patch.object(libraries, "msgspec", return_value=None):
        standard = filled(kinds, optional, query)
    assert same(native, standard)
