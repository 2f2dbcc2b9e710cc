"""`response_model`: a result becomes the model, without its other fields, or is refused.

Runs each case with msgspec and with the standard library alone; pydantic has its own models.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Generic, NamedTuple, TypedDict, TypeVar

import msgspec
import pydantic
import pytest

from snaxum import Response, RouteError
from snaxum._core.json_encoding import dumps
from snaxum._validation import libraries
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


@pytest.fixture(params=["msgspec", "standard library"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "standard library":
        monkeypatch.setattr(libraries, "msgspec", lambda: None)


def sent(model: Any, result: Any) -> Any:
    """Return the JSON that a client gets for a result."""
    return json.loads(dumps(converter(model)(result)))


ADA = {"name": "Ada", "age": 36}


@pytest.mark.usefixtures("library")
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


@pytest.mark.usefixtures("library")
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


@pytest.mark.usefixtures("library")
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
    body, status = route.call(None)
    assert (type(body), status) == (User, 201)
    assert not hasattr(body, "password")
    assert route.call(None).status == 418

    async def handler(request: object) -> StoredUser:
        return StoredUser("Bob")

    route = Route("/", None, handler, response_model=User)
    assert asyncio.run(route.call(None)) == User("Bob")


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
