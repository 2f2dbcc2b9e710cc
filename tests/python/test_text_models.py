"""Models whose fields are texts of a query or a form.

Each test runs with msgspec and without it. Never sends a request.
"""

# ruff: noqa: UP045 - both spellings of a union are tested

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Optional

import msgspec
import pydantic
import pytest
from extraction import FORM, Color, faults, fill

from snaxum import (
    Form,
    Header,
    Query,
)

pytestmark = pytest.mark.usefixtures("engine")


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
