"""Bodies as models: every fault of a body with its place, in each library of models.

Each test runs with msgspec and without it. Never sends a request.
"""

# ruff: noqa: UP007, UP045 - both spellings of a union are tested

from __future__ import annotations

import datetime as dt
import tracemalloc
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple, Optional, Union

import annotated_types
import attrs
import msgspec
import pydantic
import pytest
from extraction import UTC, Color, faults, fill
from typing_extensions import TypedDict

from snaxum import (
    Body,
    HTTPError,
    Query,
    Request,
    ValidationError,
)
from snaxum._validation.faults import Faults
from snaxum.routing import Route

pytestmark = pytest.mark.usefixtures("engine")


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


def test_validators_of_pydantic_run_for_bodies_too() -> None:
    def handler(number: Annotated[int, Body(), pydantic.AfterValidator(str)]) -> Any:
        return number

    assert fill(handler, method="POST", json=5) == "5"


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


class Patch(msgspec.Struct):
    name: str | msgspec.UnsetType = msgspec.UNSET
    order: Order | msgspec.UnsetType | None = msgspec.UNSET
    tags: list[str] | msgspec.UnsetType = msgspec.UNSET
    size: Annotated[int, msgspec.Meta(ge=1)] | msgspec.UnsetType = msgspec.UNSET


class PatchedText(msgspec.Struct):
    name: str | msgspec.UnsetType = msgspec.UNSET
    tags: list[int] | msgspec.UnsetType = msgspec.UNSET


def test_a_field_may_be_unset() -> None:
    def change(patch: Patch) -> Any:
        return patch

    def search(
        given: Annotated[PatchedText, Query()],
        n: int | msgspec.UnsetType = msgspec.UNSET,
    ):
        return given, n

    assert fill(change, method="POST", body=b"{}") == Patch()
    body = b'{"name": "a", "order": null, "tags": ["b"], "size": 1}'
    assert fill(change, method="POST", body=body) == Patch("a", None, ["b"], 1)
    assert faults(change, method="POST", body=b'{"name": null, "tags": [1], "size": 0}') == [
        ("body", ["name"], "string_type"),
        ("body", ["tags", 0], "string_type"),
        ("body", ["size"], "greater_than_equal"),
    ]
    assert fill(search) == (PatchedText(), msgspec.UNSET)
    assert fill(search, query="name=a&tags=1&tags=2&n=3") == (
        PatchedText("a", [1, 2]),
        3,
    )
    assert faults(search, query="tags=x&n=y") == [
        ("query", ["tags", 0], "int_parsing"), ("query", ["n"], "int_parsing"),
    ]  # fmt: skip


class StrictModel(pydantic.BaseModel, strict=True):
    day: dt.date


class WithStrictModel(msgspec.Struct):
    inner: list[StrictModel]


def test_a_model_of_pydantic_in_another_one_has_its_rules_for_json() -> None:
    def create(whole: WithStrictModel) -> Any:
        return whole.inner

    body = b'{"inner": [{"day": "2026-01-31"}]}'
    assert fill(create, method="POST", body=body) == [StrictModel(day=dt.date(2026, 1, 31))]
    assert faults(create, method="POST", body=b'{"inner": [{"day": "x"}, {"day": 1}]}') == [
        ("body", ["inner", 0, "day"], "date_parsing"),
        ("body", ["inner", 1, "day"], "date_type"),
    ]
