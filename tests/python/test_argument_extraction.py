"""The values of parameters: converted, limited, and every fault of a request at once.

Each test runs with msgspec and without it: the behaviour is the same. Never sends a request:
`Route.call` gets one that was built here.
"""

# ruff: noqa: UP007, UP045 - both spellings of a union are tested

from __future__ import annotations

import datetime as dt
import enum
import pickle
import uuid
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Literal, Optional, Union

import annotated_types
import msgspec
import pydantic
import pytest
from extraction import FORM, UTC, Color, Level, faults, fill
from test_extracted_bodies import GOOD, Order

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
from snaxum.routing import Route, RouteTable

pytestmark = pytest.mark.usefixtures("engine")


A_UUID = uuid.UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")


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
    (dt.datetime, "2026-01-31", dt.datetime(2026, 1, 31)),
    (
        Annotated[dt.datetime, Query(ge=dt.datetime(2026, 1, 1))],
        "2026-03-01T00:00:00Z",
        dt.datetime(2026, 3, 1, tzinfo=UTC),
    ),
    (Annotated[float, Query(multiple_of=0.1)], "0.3", 0.3),
    (Annotated[float, Query(multiple_of=0.1)], "-0.7", -0.7),
    (list[dt.datetime], "2026-01-31", [dt.datetime(2026, 1, 31)]),
    (Optional[dt.datetime], "2026-01-31", dt.datetime(2026, 1, 31)),
    (Union[dt.datetime, dt.date], "2026-01-31", dt.date(2026, 1, 31)),
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
    (dt.datetime, "2026-02-30", "datetime_parsing"),
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
    (Annotated[float, Query(multiple_of=0.1)], "0.35", "multiple_of"),
    (Annotated[float, Query(multiple_of=0.1)], "inf", "multiple_of"),
    (
        Annotated[dt.datetime, Query(ge=dt.datetime(2026, 1, 1, tzinfo=UTC))],
        "2025-03-01T00:00:00",
        "greater_than_equal",
    ),
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


def test_the_types_of_pydantic_are_texts_too() -> None:
    def handler(url: pydantic.HttpUrl, secret: pydantic.SecretStr) -> Any:
        return url.host, secret.get_secret_value()

    assert fill(handler, query="url=http://x.org/&secret=a") == ("x.org", "a")
    assert faults(handler, query="url=x&secret=a") == [("query", ["url"], "url_parsing")]


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
