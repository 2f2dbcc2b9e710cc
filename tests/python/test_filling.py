"""The values of parameters: converted, limited, and every fault of a request at once.

Each test runs with msgspec and without it: the behaviour is the same. Never sends a request:
`Route.call` gets one that was built here.
"""

# ruff: noqa: UP007, UP045 - both spellings of a union are tested

from __future__ import annotations

import datetime as dt
import enum
import pickle
import tracemalloc
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, Optional, Union

import annotated_types
import attrs
import msgspec
import pydantic
import pytest
from typing_extensions import TypedDict

from snaxum import (
    Body,
    Cookie,
    Form,
    Header,
    HTTPError,
    Path,
    Query,
    Request,
    ValidationError,
)
from snaxum._validation import libraries
from snaxum._validation.faults import Faults
from snaxum.routing import Route, RouteTable


@pytest.fixture(params=["msgspec", "standard"], autouse=True)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "standard":
        monkeypatch.setattr(libraries, "msgspec", lambda: None)
    return str(request.param)


def fill(handler: Callable[..., Any], pattern: str = "/", **build: Any) -> Any:
    method = build.get("method", "GET")
    route = Route(pattern, [method], handler)
    return route.call(Request.build(**build))


def faults(handler: Callable[..., Any], pattern: str = "/", **build: Any) -> list[Any]:
    with pytest.raises(ValidationError) as caught:
        fill(handler, pattern, **build)
    assert caught.value.status == 422
    found: list[Any] = caught.value.extensions()["errors"]
    assert all(set(each) == {"in", "loc", "msg", "type"} for each in found)
    return [(each["in"], each["loc"], each["type"]) for each in found]


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


A_UUID = uuid.UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
UTC = dt.timezone.utc

TEXTS: list[tuple[Any, str, Any]] = [
    (int, "5", 5),
    (int, "-5", -5),
    (float, "1.5", 1.5),
    (float, "2", 2.0),
    (str, "5", "5"),
    (str, "", ""),
    *((bool, text, True) for text in ("true", "True", "1", "on", "yes", "YES")),
    *((bool, text, False) for text in ("false", "FALSE", "0", "off", "no")),
    (bytes, "é", "é".encode()),
    (Color, "red", Color.RED),
    (Level, "2", Level.HIGH),
    (dt.date, "2026-01-31", dt.date(2026, 1, 31)),
    (dt.datetime, "2026-01-31T12:00:00", dt.datetime(2026, 1, 31, 12)),
    (dt.datetime, "2026-01-31T12:00:00Z", dt.datetime(2026, 1, 31, 12, tzinfo=UTC)),
    (dt.datetime, "0", dt.datetime(1970, 1, 1, tzinfo=UTC)),
    (dt.time, "12:30:00", dt.time(12, 30)),
    (dt.timedelta, "PT1H30M", dt.timedelta(hours=1.5)),
    (dt.timedelta, "90", dt.timedelta(seconds=90)),
    (uuid.UUID, str(A_UUID), A_UUID),
    (Decimal, "1.10", Decimal("1.10")),
    (Literal["a", "b"], "a", "a"),
    (Literal[1, 2], "2", 2),
    (Optional[int], "5", 5),
    (Optional[int], "null", None),
    (Optional[str], "null", "null"),
    (Union[int, str], "5", "5"),
    (Union[int, float], "5", 5),
    (Union[int, float], "5.5", 5.5),
    (Union[dt.date, int], "5", 5),
    (Union[dt.date, dt.datetime], "2026-01-31T12:00:00", dt.datetime(2026, 1, 31, 12)),
    (Optional[bool], "off", False),
    (Any, "x", "x"),
]


@pytest.mark.parametrize(("kind", "text", "expected"), TEXTS)
def test_a_text_becomes_a_value_of_its_type(kind: Any, text: str, expected: Any) -> None:
    def keyword(*, value: Any) -> Any:
        return value

    keyword.__annotations__ = {"value": kind}
    got = fill(keyword, query={"value": text})
    assert (type(got), got) == (type(expected), expected)


def refuse_ab(value: str) -> str:
    if value == "ab":
        raise ValueError("is taken")
    return value.upper()


WRONG: list[tuple[Any, str, str]] = [
    (int, "x", "int_parsing"),
    (int, "", "int_parsing"),
    (int, "1_0", "int_parsing"),
    (int, " 5", "int_parsing"),
    (float, "x", "float_parsing"),
    (bool, "maybe", "bool_parsing"),
    (Color, "green", "enum"),
    (Level, "3", "enum"),
    (Literal["a", "b"], "c", "literal_error"),
    (dt.date, "2026-02-30", "date_parsing"),
    (dt.datetime, "2026-02-01", "datetime_parsing"),
    (dt.time, "25:00:00", "time_parsing"),
    (dt.timedelta, "P", "time_delta_parsing"),
    (uuid.UUID, "x", "uuid_parsing"),
    (Decimal, "x", "decimal_parsing"),
    (Optional[int], "x", "int_parsing"),
    (Annotated[int, Query(ge=1)], "0", "greater_than_equal"),
    (Annotated[int, Query(gt=1)], "1", "greater_than"),
    (Annotated[int, Query(le=1)], "2", "less_than_equal"),
    (Annotated[int, Query(lt=1)], "1", "less_than"),
    (Annotated[int, Query(multiple_of=5)], "7", "multiple_of"),
    (Annotated[str, Query(min_length=2)], "a", "string_too_short"),
    (Annotated[str, Query(max_length=2)], "abc", "string_too_long"),
    (Annotated[str, Query(pattern="^[a-z]+$")], "A", "string_pattern_mismatch"),
    (Annotated[int | None, Query(ge=1)], "0", "greater_than_equal"),
    (Optional[Annotated[int, Query(ge=1)]], "0", "greater_than_equal"),
    (Annotated[Decimal, Query(ge=1)], "0.5", "greater_than_equal"),
    (Annotated[dt.date, Query(ge=dt.date(2026, 1, 1))], "2025-12-31", "greater_than_equal"),
    (Annotated[int, msgspec.Meta(ge=1)], "0", "greater_than_equal"),
    (Annotated[int, annotated_types.Ge(1)], "0", "greater_than_equal"),
    (Annotated[int, annotated_types.Interval(gt=0, le=5)], "6", "less_than_equal"),
    (Annotated[str, annotated_types.Len(2, 3)], "abcd", "string_too_long"),
    (Annotated[int, pydantic.Field(ge=1)], "0", "greater_than_equal"),
    (pydantic.PositiveInt, "0", "greater_than"),
    (Annotated[str, pydantic.StringConstraints(max_length=1)], "ab", "string_too_long"),
    (Annotated[str, pydantic.AfterValidator(refuse_ab)], "ab", "value_error"),
    (
        Annotated[str | None, pydantic.AfterValidator(refuse_ab), Query(min_length=1)],
        "ab",
        "value_error",
    ),
    (Optional[Annotated[str, pydantic.AfterValidator(refuse_ab)]], "ab", "value_error"),
    (pydantic.UUID4, "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "uuid_version"),
]


@pytest.mark.parametrize(("kind", "text", "fault"), WRONG)
def test_a_text_without_its_type_is_a_fault_with_a_name(kind: Any, text: str, fault: str) -> None:
    def handler(*, value: Any) -> Any:
        return value

    handler.__annotations__ = {"value": kind}
    assert faults(handler, query={"value": text}) == [("query", ["value"], fault)]


def test_a_validator_of_pydantic_changes_texts_and_bodies() -> None:
    Name = Annotated[str, pydantic.AfterValidator(refuse_ab)]

    def texts(name: Name, ids: Annotated[list[int], pydantic.AfterValidator(sorted)]) -> Any:
        return name, ids

    def body(names: Annotated[list[str], pydantic.AfterValidator(sorted), Body()]) -> Any:
        return names

    assert fill(texts, query="name=x&ids=2&ids=1") == ("X", [1, 2])
    assert fill(body, method="POST", json=["b", "a"]) == ["a", "b"]


class StrictDay(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)

    name: str
    day: dt.date


def test_a_strict_model_is_read_as_json_whatever_its_texts_are() -> None:
    def handler(day: StrictDay) -> Any:
        return day.name

    for name in ("x", "NaNcy", "Infinity"):
        assert fill(handler, method="POST", json={"name": name, "day": "2026-01-31"}) == name
    with pytest.raises(HTTPError, match="`NaN` is not a number in JSON"):
        fill(handler, method="POST", body='{"name": NaN}')


@dataclass
class Options:
    tags: list[str] = field(default_factory=list)


def test_a_handler_that_changes_a_default_does_not_change_the_next_request() -> None:
    def query(number: int = 0, tags: list[str] = []) -> Any:  # noqa: B006
        tags.append("x")
        return tags

    def alone(tags: set[str] = {"a"}) -> Any:  # noqa: B006
        tags.add("b")
        return tags

    def body(options: Options = Options()) -> Any:  # noqa: B008
        options.tags.append("x")
        return options.tags

    for _ in range(2):
        assert fill(query) == ["x"]
        assert fill(query, query="number=1") == ["x"]
        with pytest.raises(ValidationError):
            fill(query, query="number=a")
        assert fill(alone) == {"a", "b"}
        assert fill(body, method="POST") == ["x"]


def lists(
    a: list[int],
    b: set[str] = frozenset(),  # type: ignore[assignment]
    c: tuple[int, str] = (1, "x"),
    d: tuple[float, ...] = (),
    e: list[bool] | None = None,
    f: list[Color] = [],  # noqa: B006
) -> Any:
    return a, b, c, d, e, f


def test_repeated_names_are_a_list() -> None:
    filled = fill(lists, query="a=1&a=2&b=x&b=x&c=5&c=y&d=1.5&e=on&e=0&f=red")
    assert filled == ([1, 2], {"x"}, (5, "y"), (1.5,), [True, False], [Color.RED])
    assert fill(lists, query="a=1") == ([1], frozenset(), (1, "x"), (), None, [])


def test_every_fault_is_reported_at_once_with_its_place() -> None:
    found = faults(lists, query="a=1&a=x&a=y&c=1&d=z&e=off&e=maybe&f=green&f=red")
    assert found == [
        ("query", ["a", 1], "int_parsing"),
        ("query", ["a", 2], "int_parsing"),
        ("query", ["c"], "too_short"),
        ("query", ["d", 0], "float_parsing"),
        ("query", ["e", 1], "bool_parsing"),
        ("query", ["f", 0], "enum"),
    ]


def sources(
    request: Request,
    item: int,
    limit: Annotated[int, Query(ge=1, le=100)] = 10,
    sort: Annotated[str, Query(alias="sort-by")] = "name",
    user_agent: Annotated[str, Header()] = "none",
    x_ids: Annotated[list[int] | None, Header(alias="X-Id")] = None,
    session: Annotated[int | None, Cookie()] = None,
    q: str | None = None,
) -> Any:
    return item, limit, sort, user_agent, x_ids, session, q


def test_each_marker_names_a_source() -> None:
    headers = [("User-Agent", "x/1"), ("x-id", "1"), ("x-id", "2"), ("cookie", "session=7")]
    build = {"query": "limit=5&sort-by=age&q=a+b", "headers": headers, "path_params": {"item": 3}}
    assert fill(sources, "/<int:item>", **build) == (3, 5, "age", "x/1", [1, 2], 7, "a b")
    build = {"path_params": {"item": 3}}
    assert fill(sources, "/<int:item>", **build) == (3, 10, "name", "none", None, None, None)
    headers = [("x-id", "1"), ("x-id", "b"), ("cookie", "session=x")]
    build = {"query": "limit=0", "headers": headers, "path_params": {"item": "x"}}
    assert faults(sources, "/<item>", **build) == [
        ("path", ["item"], "int_parsing"),
        ("query", ["limit"], "greater_than_equal"),
        ("header", ["X-Id", 1], "int_parsing"),
        ("cookie", ["session"], "int_parsing"),
    ]


def test_a_missing_value_is_a_fault() -> None:
    def handler(
        a: int,
        b: str,
        c: Annotated[str, Header()],
        d: Annotated[str, Cookie()],
        e: list[str],
        f: int | None,
    ) -> None: ...

    found = faults(handler)
    assert found == [
        ("query", ["a"], "missing"),
        ("query", ["b"], "missing"),
        ("header", ["c"], "missing"),
        ("cookie", ["d"], "missing"),
        ("query", ["e"], "missing"),
        ("query", ["f"], "missing"),
    ]


def test_defaults_give_types_and_values() -> None:
    def handler(request, a=5, b=1.5, c="x", d=False, e=Color.RED, f=None, g=print, *, h=Query(7)):  # type: ignore[no-untyped-def]  # noqa: B008
        return a, b, c, d, e, f, g, h

    assert fill(handler) == (5, 1.5, "x", False, Color.RED, None, print, 7)
    query = "a=6&b=2&c=y&d=on&e=blue&f=z&g=1&h=8"
    assert fill(handler, query=query) == (6, 2.0, "y", True, Color.BLUE, "z", print, 8)


class Item(TypedDict):
    name: str
    count: int


@dataclass
class Order:
    id: int
    items: list[Item]
    note: str | None = None
    at: dt.datetime | None = None
    tags: list[str] = field(default_factory=list)
    color: Color = Color.RED


class StructOrder(msgspec.Struct):
    id: int
    items: list[Item]
    note: str | None = None
    at: dt.datetime | None = None
    tags: list[str] = []
    color: Color = Color.RED


class PydanticOrder(pydantic.BaseModel):
    id: int
    items: list[Item]
    note: str | None = None
    at: dt.datetime | None = None
    tags: list[str] = []
    color: Color = Color.RED


@attrs.define
class AttrsOrder:
    id: int
    items: list[Item]
    note: str | None = None
    at: dt.datetime | None = None
    tags: list[str] = attrs.Factory(list)
    color: Color = Color.RED


GOOD = {"id": 1, "items": [{"name": "a", "count": 2}], "at": "2026-01-31T12:00:00Z", "more": 1}
BAD = {"id": "x", "items": [{"name": 5}, {"name": "b", "count": 1.5}, 7], "color": "green"}


@pytest.mark.parametrize("model", [Order, StructOrder, PydanticOrder, AttrsOrder])
def test_a_body_becomes_a_model_or_every_fault_of_it(model: Any) -> None:
    def handler(order: Any, dry: bool = False) -> Any:
        return order, dry

    handler.__annotations__["order"] = model
    order, dry = fill(handler, method="POST", json=GOOD, query="dry=yes")
    assert type(order) is model
    assert dry is True
    assert (order.id, order.items, order.color) == (1, [{"name": "a", "count": 2}], Color.RED)
    assert order.at == dt.datetime(2026, 1, 31, 12, tzinfo=UTC)

    found = faults(handler, method="POST", json=BAD, query="dry=x")
    assert [(each[0], each[1]) for each in found] == [
        ("body", ["id"]),
        ("body", ["items", 0, "name"]),
        ("body", ["items", 0, "count"]),
        ("body", ["items", 1, "count"]),
        ("body", ["items", 2]),
        ("body", ["color"]),
        ("query", ["dry"]),
    ]
    assert faults(handler, method="POST") == [("body", [], "missing")]


class Pair(NamedTuple):
    x: int
    y: int


@dataclass
class Tree:
    value: int
    children: list[Tree] = field(default_factory=list)


@dataclass
class Positive:
    n: Annotated[int, annotated_types.Gt(0)]

    def __post_init__(self) -> None:
        if self.n == 13:
            raise ValueError("13 is unlucky")


@dataclass
class Outer:
    inner: PydanticOrder
    struct: StructOrder | None = None


@pytest.mark.parametrize(
    ("kind", "json", "expected"),
    [
        (dict[str, int], {"a": 1}, {"a": 1}),
        (list[Order], [], []),
        (Annotated[list[int], Body()], [1, 2], [1, 2]),
        (Annotated[int, Body(ge=1)], 1, 1),
        (Optional[Order], None, None),
        (Item, {"name": "a", "count": 1}, {"name": "a", "count": 1}),
        (Pair, [1, 2], Pair(1, 2)),
        (Tree, {"value": 1, "children": [{"value": 2}]}, Tree(1, [Tree(2)])),
        (Positive, {"n": 1}, Positive(1)),
        (dict[str, list[Pair]], {"a": [[1, 2]]}, {"a": [Pair(1, 2)]}),
    ],
)
def test_a_body_may_have_any_form(kind: Any, json: Any, expected: Any) -> None:
    def handler(value: Any) -> Any:
        return value

    handler.__annotations__["value"] = kind
    body = msgspec.json.encode(json)
    headers = {"content-type": "application/json"}
    assert fill(handler, method="POST", body=body, headers=headers) == expected


@pytest.mark.parametrize(
    ("kind", "json", "expected"),
    [
        (dict[str, int], {"a": "x", "b": 1, "c": None}, [["a"], ["c"]]),
        (list[Pair], [[1, 2], [1], ["x", "y"]], [[1], [2, 0], [2, 1]]),
        (
            Tree,
            {"value": 1, "children": [{"children": [{"value": "x"}]}]},
            [["children", 0, "value"], ["children", 0, "children", 0, "value"]],
        ),
        (Positive, {"n": 0}, [["n"]]),
        (Positive, {"n": 13}, [[]]),
        (Annotated[int, Body(ge=1)], 0, [[]]),
        (Annotated[list[int], Body(max_length=2)], [1, 2, 3], [[]]),
        (Order, [1], [[]]),
        (Optional[Order], {"id": 1}, [["items"]]),
        (Outer, {"inner": {"id": "x", "items": []}}, [["inner", "id"]]),
    ],
)
def test_the_place_of_each_fault_of_a_body(kind: Any, json: Any, expected: Any) -> None:
    def handler(value: Any) -> Any:
        return value

    handler.__annotations__["value"] = kind
    found = faults(
        handler,
        method="POST",
        body=msgspec.json.encode(json),
        headers={"content-type": "application/json"},
    )
    assert [each[1] for each in found] == expected


@pytest.mark.parametrize("model", [Order, StructOrder, PydanticOrder, Item])
@pytest.mark.parametrize(
    ("content_type", "body", "status", "words"),
    [
        ("application/json", "{", 400, "the body is not valid JSON: "),
        ("application/json", '{"id": NaN}', 400, "`NaN` is not a number in JSON"),
        ("application/json", "[" * 5000, 400, "the body is not valid JSON: "),
        ("application/json", b"\xff", 400, "is not UTF-8"),
        ("", "x", 400, "the body is not valid JSON"),
        ("text/plain", '{"id": 1}', 415, "the body is `text/plain`, not JSON; send JSON"),
        ("application/x-www-form-urlencoded", "id=1", 415, "not JSON"),
    ],
)
def test_a_body_that_is_not_json_is_refused(
    model: Any, content_type: str, body: Any, status: int, words: str
) -> None:
    def handler(order: Any) -> Any: ...

    handler.__annotations__["order"] = model
    with pytest.raises(HTTPError) as caught:
        fill(handler, method="POST", body=body, headers={"content-type": content_type})
    assert caught.value.status == status
    assert words in caught.value.detail


def test_a_model_is_the_body_whatever_its_name_is() -> None:
    def handler(request: Row, pool: Request) -> Any:
        return request, pool.method

    assert fill(handler, method="POST", json={"a": 1, "b": 2}) == (Row(1, 2), "POST")


def test_a_multipart_form_is_not_a_body_of_another_type(monkeypatch: pytest.MonkeyPatch) -> None:
    def model(item: Item) -> Any: ...

    def optional(item: Item | None = None) -> Any: ...

    def table(rows: Any) -> Any: ...

    table.__annotations__["rows"] = pytest.importorskip("pandas").DataFrame
    request = Request.build("POST", files={"file": b"x"})
    # As of a server: the form was parsed as it arrived, so there are no bytes.
    monkeypatch.setattr(request._raw, "form", lambda: ([], []), raising=False)
    for handler in (model, optional, table, lambda request: request.data, lambda r: r.text):
        with pytest.raises(HTTPError, match="the body is `multipart/form-data`") as caught:
            Route("/", ["POST"], handler).call(request)
        assert caught.value.status == 415


def test_other_json_types_are_json() -> None:
    def handler(order: Item) -> Any:
        return order

    body = b'\xef\xbb\xbf{"name": "a", "count": 1}'
    for content_type in ("application/vnd.api+json; charset=utf-8", "", "Application/JSON"):
        got = fill(handler, method="POST", body=body, headers={"content-type": content_type})
        assert got == {"name": "a", "count": 1}


FORM = {"content-type": "application/x-www-form-urlencoded"}


def form(
    name: Annotated[str, Form(min_length=1)],
    age: Annotated[int | None, Form()] = None,
    tags: Annotated[list[str], Form()] = [],  # noqa: B006
) -> Any:
    return name, age, tags


def test_a_form_fills_its_fields() -> None:
    def post(body: str, **headers: str) -> Any:
        return {"method": "POST", "body": body, "headers": {**FORM, **headers}}

    assert fill(form, **post("name=ada&age=36&tags=x&tags=y")) == ("ada", 36, ["x", "y"])
    assert fill(form, **post("name=ada&age=")) == ("ada", None, [])
    assert faults(form, **post("name=&age=x")) == [
        ("form", ["name"], "string_too_short"),
        ("form", ["age"], "int_parsing"),
    ]
    assert faults(form, **post("")) == [("form", ["name"], "missing")]
    with pytest.raises(HTTPError, match=r"415.*send a form") as caught:
        fill(form, method="POST", json={"name": "ada"})
    assert caught.value.status == 415


def below(later: Later, names: list[Later]) -> Any:
    return later, names


def test_a_type_may_be_defined_below_its_handler() -> None:
    def post(order: "Missing") -> Any:  # type: ignore[name-defined]  # noqa: F821, UP037
        return order

    route = Route("/", ["POST"], post)
    assert not route.is_planned
    globals()["Missing"] = Order
    try:
        table = RouteTable([route])
    finally:
        del globals()["Missing"]
    found = table.match("POST", "/")
    assert isinstance(found, tuple)
    assert found[0].call(Request.build("POST", json=GOOD)).id == 1


class Later(enum.Enum):
    A = "a"


def test_forward_references_inside_of_generics() -> None:
    assert fill(below, query="later=a&names=a") == (Later.A, [Later.A])


def limited(n: Annotated[int, Path(ge=10)], m: float, o: str) -> Any:
    return n, m, o


def test_a_value_of_the_path_is_converted_to_its_annotation() -> None:
    values = {"n": 10, "m": 5, "o": A_UUID}
    filled = fill(limited, "/<int:n>/<int:m>/<uuid:o>", path_params=values)
    assert filled == (10, 5.0, str(A_UUID))
    assert type(filled[1]) is float
    found = faults(limited, "/<int:n>/<int:m>/<uuid:o>", path_params={**values, "n": 9})
    assert found == [("path", ["n"], "greater_than_equal")]


def test_the_plan_describes_each_parameter() -> None:
    def handler(
        item: int,
        limit: Annotated[int, Query(ge=1, description="how many", examples=[5])] = 10,
        token: Annotated[str | None, Header(alias="X-Token")] = None,
    ) -> None: ...

    arguments = Route("/<int:item>", None, handler).arguments
    assert arguments is not None
    plain = [(a.name, a.source, a.key, a.annotation, a.is_required) for a in arguments]
    assert plain == [
        ("item", "path", "item", int, True),
        ("limit", "query", "limit", int, False),
        ("token", "header", "X-Token", Optional[str], False),
    ]
    limit = arguments[1]
    assert (limit.limits, limit.description, limit.examples) == ({"ge": 1}, "how many", [5])


def test_the_detail_names_the_first_fault() -> None:
    def handler(a: int, b: int) -> None: ...

    with pytest.raises(ValidationError) as caught:
        fill(handler, query="b=x")
    assert caught.value.detail == "the query parameter `a` is missing; 1 more fault"


def test_a_default_that_is_a_constant_stays() -> None:
    def handler(request, cache={}, send=print, pair=(1, 2)):  # type: ignore[no-untyped-def]  # noqa: B006
        return cache, send, pair

    assert fill(handler, query="cache=1&send=2&pair=3") == ({}, print, (1, 2))


@dataclass
class Filter:
    q: str
    limit: Annotated[int, msgspec.Meta(ge=1)] = 10
    tags: list[Color] = field(default_factory=list)


class StructFilter(msgspec.Struct):
    q: str
    limit: Annotated[int, msgspec.Meta(ge=1)] = 10
    tags: list[Color] = []


class PydanticFilter(pydantic.BaseModel):
    q: str
    limit: int = pydantic.Field(10, ge=1)
    tags: list[Color] = []


@pytest.mark.parametrize("model", [Filter, StructFilter, PydanticFilter])
@pytest.mark.parametrize("marker", [Query, Form])
def test_a_model_may_be_made_of_texts(model: Any, marker: Any) -> None:
    part = marker.source

    def handler(given: Any) -> Any:
        return given

    def sent(text: str) -> Any:
        if part == "query":
            return {"query": text}
        return {"method": "POST", "body": text, "headers": FORM}

    handler.__annotations__["given"] = Annotated[model, marker()]
    filled = fill(handler, **sent("q=x&limit=5&tags=red&tags=blue&more=1"))
    assert (filled.q, filled.limit, filled.tags) == ("x", 5, [Color.RED, Color.BLUE])
    assert fill(handler, **sent("q=x")).limit == 10
    assert [each[:2] for each in faults(handler, **sent("limit=0&tags=red&tags=x"))] == [
        (part, ["q"]),
        (part, ["limit"]),
        (part, ["tags", 1]),
    ]

    def optional(given: Any = None) -> Any:
        return given

    optional.__annotations__["given"] = Annotated[Optional[model], marker()]
    assert fill(optional, **sent("more=1")) is None


class ClosedStruct(msgspec.Struct, forbid_unknown_fields=True):
    a_b: int = 0


class ClosedModel(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid")

    a_b: int = 0


class OpenModel(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")

    a_b: int = 0


@pytest.mark.parametrize("model", [ClosedStruct, ClosedModel])
def test_a_model_of_texts_may_refuse_unknown_names(model: Any) -> None:
    def handler(given: Any, q: str = "") -> Any:
        return given.a_b, q

    handler.__annotations__["given"] = Annotated[model, Query()]
    assert fill(handler, query="a_b=1&q=x") == (1, "x")
    assert faults(handler, query="a_b=1&more=1") == [("query", ["more"], "extra_forbidden")]

    handler.__annotations__["given"] = Annotated[model, Form()]
    sent: Any = {"method": "POST", "headers": FORM}
    assert fill(handler, body="a_b=1", query="q=x", **sent) == (1, "x")
    assert faults(handler, body="a_b=1&q=x", **sent) == [("form", ["q"], "extra_forbidden")]

    handler.__annotations__["given"] = Annotated[model, Header()]
    assert fill(handler, headers={"a-b": "1", "accept": "*/*"}) == (1, "")
    assert faults(handler, headers={"a-b": "x"}) == [("header", ["a-b"], "int_parsing")]


@pytest.mark.parametrize("model", [ClosedStruct, ClosedModel])
def test_an_optional_model_refuses_unknown_names_that_come_alone(model: Any) -> None:
    default = model(a_b=5)

    def handler(given: Any = default) -> Any:
        return given.a_b

    handler.__annotations__["given"] = Annotated[model, Query()]
    assert fill(handler) == 5
    assert fill(handler, query="a_b=1") == 1
    assert faults(handler, query="more=1") == [("query", ["more"], "extra_forbidden")]

    handler.__annotations__["given"] = Annotated[model, Form()]
    sent: Any = {"method": "POST", "headers": FORM}
    assert fill(handler, body="", **sent) == 5
    assert faults(handler, body="more=1", **sent) == [("form", ["more"], "extra_forbidden")]

    handler.__annotations__["given"] = Annotated[model, Header()]
    assert fill(handler, headers={"accept": "*/*"}) == 5


def test_a_model_of_pydantic_may_take_unknown_names() -> None:
    def handler(given: Annotated[OpenModel, Query()]) -> Any:
        return given.model_dump()

    assert fill(handler, query="a_b=1&more=x") == {"a_b": 1, "more": "x"}


def test_validators_of_pydantic_run_for_bodies_too() -> None:
    def handler(number: Annotated[int, Body(), pydantic.AfterValidator(str)]) -> Any:
        return number

    assert fill(handler, method="POST", json=5) == "5"


def test_the_types_of_pydantic_are_texts_too() -> None:
    def handler(url: pydantic.HttpUrl, secret: pydantic.SecretStr) -> Any:
        return url.host, secret.get_secret_value()

    assert fill(handler, query="url=http://x.org/&secret=a") == ("x.org", "a")
    assert faults(handler, query="url=x&secret=a") == [("query", ["url"], "url_parsing")]


@pytest.mark.parametrize("depth", [500, 100_000])
def test_a_body_nested_too_deep_is_refused(depth: int) -> None:
    def handler(tree: Tree) -> Any:
        return tree.value

    body = '{"value": 1, "children": [' * depth + "]}" * depth
    try:
        found = fill(handler, method="POST", body=body)
    except HTTPError as error:
        found = error.status, "nested" in error.detail
    # The version of Python decides how deep a recursion may be.
    assert found == (400, True) or (depth == 500 and found == 1)


class PydanticRow(pydantic.BaseModel):
    a: int
    b: int


@dataclass
class Row:
    a: int
    b: int


@pytest.mark.parametrize("kind", [list[int], list[Row], list[PydanticRow], "tree", "union"])
def test_a_million_faults_are_neither_listed_nor_stored(kind: Any) -> None:
    tree = dict[str, list[Row]]
    kinds = {"tree": tree, "union": Union[tree, list[int], Row]}

    def handler(*, rows: Any) -> Any: ...

    body, count = b"[" + b"{}," * 60_000 + b"{}]", 1000
    if kind == "tree":
        body = b'{"rows": ' + body + b"}"
    handler.__annotations__ = {"rows": Annotated[kinds.get(kind, kind), Body()]}
    tracemalloc.start()
    try:
        with pytest.raises(ValidationError) as caught:
            fill(handler, method="POST", body=body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(caught.value.errors or ()) == (1 if kind == list[PydanticRow] else count)
    assert "faults" in caught.value.detail
    # The decoded body has 4 MB, or two times that, and an object for each fault more than 10 MB.
    assert peak < (20_000_000 if kind == list[PydanticRow] else 12_500_000)


@dataclass
class Sum:
    left: Sum | Product | int
    summand: int


@dataclass
class Product:
    left: Sum | Product | int
    factor: int


@pytest.mark.parametrize(("innermost", "is_valid"), [(1, True), ("x", False)])
def test_unions_within_unions_try_each_part_of_a_body_once(
    monkeypatch: pytest.MonkeyPatch, innermost: Any, is_valid: bool
) -> None:
    def handler(term: Sum | Product) -> Any:
        return term

    made, values = [], Faults.__init__
    monkeypatch.setattr(Faults, "__init__", lambda *args: (made.append(1), values(*args))[1])
    term: Any = innermost
    for _ in range(40):
        term = {"left": term, "factor": 2}

    if is_valid:
        assert isinstance(fill(handler, method="POST", json=term), Product)
    else:
        place = ["left"] * 40
        assert faults(handler, method="POST", json=term) == [("body", place, "int_type")]
    # Two times as many for each level would be 10 ** 12.
    assert len(made) < 5000


def test_a_member_of_a_union_may_fit_after_one_with_many_faults() -> None:
    def handler(rows: Annotated[list[str] | list[int], Body()]) -> Any:
        return len(rows)

    assert fill(handler, method="POST", json=[1] * 2000) == 2000


def test_an_error_with_members_survives_the_way_from_a_pool_worker() -> None:
    error = ValidationError([{"in": "body", "loc": ["a"], "msg": "is taken", "type": "taken"}])
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.errors, copy.detail) == (error.errors, "the body `a` is taken")
    plain = pickle.loads(pickle.dumps(HTTPError(409, "x", members={"balance": 30})))
    assert plain.extensions() == {"balance": 30}
    assert HTTPError(404, "x").args == (404, "x", [])
    with pytest.raises(ValueError, match="a problem document has its own `status`"):
        HTTPError(400, members={"status": 1})


def test_the_second_parameter_of_a_pool_handler_may_be_a_query_parameter() -> None:
    def handler(request: Request, n: int) -> Any:
        return n

    route = Route("/", None, handler, use_process_pool=True)
    assert route.call(Request.build(query="n=5"), object()) == 5


def test_a_type_may_be_defined_in_the_function_around_the_handler() -> None:
    class Size(enum.Enum):
        BIG = "big"

    def handler(size: Size, sizes: list[Size]) -> Any:
        return size, sizes

    assert fill(handler, query="size=big&sizes=big") == (Size.BIG, [Size.BIG])
