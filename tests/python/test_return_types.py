"""Return types: a result has the fields of the declared model, and no others.

`test_response_model` has the conversion itself.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import msgspec
import pydantic
import pytest

from snaxum import Request, Response
from snaxum._core.json_encoding import dumps
from snaxum._validation.results import ResultError
from snaxum.routing import Route

if TYPE_CHECKING:
    from unknown import Unknown


@dataclass
class User:
    name: str
    friends: list[User] = field(default_factory=list)


@dataclass
class StoredUser(User):
    password: str = "secret"


class Struct(msgspec.Struct):
    name: str


class StoredStruct(Struct):
    password: str = "secret"


class Model(pydantic.BaseModel):
    name: str


class StoredModel(Model):
    password: str = "secret"


class Typed(TypedDict):
    name: str


def result(handler: Callable[..., Any]) -> Any:
    route = Route("/", None, handler)
    return route.call(Request.build())


def sent(handler: Callable[..., Any]) -> Any:
    return json.loads(dumps(result(handler)))


STORED = {"name": "a", "password": "secret"}


@pytest.mark.parametrize("given", [StoredUser("a"), STORED], ids=["object", "dict"])
def test_a_field_that_the_return_type_does_not_have_is_not_sent(given: Any) -> None:
    def one() -> User:
        return given

    def optional() -> User | None:
        return given

    def several() -> list[User]:
        return [given, User("b")]

    def inner() -> dict[str, User]:
        return {"x": User("b", [given])}

    user = {"name": "a", "friends": []}
    other = {"name": "b", "friends": []}
    assert sent(one) == sent(optional) == user
    assert sent(several) == [user, other]
    assert sent(inner) == {"x": {"name": "b", "friends": [user]}}


@pytest.mark.parametrize("given", [StoredStruct("a"), StoredModel(name="a"), STORED])
def test_each_kind_of_model_is_a_return_type(given: Any) -> None:
    def struct() -> Struct:
        return given

    def model() -> Model:
        return given

    async def later() -> list[Model]:
        return [given]

    assert sent(struct) == sent(model) == {"name": "a"}
    assert json.loads(dumps(asyncio.run(result(later)))) == [{"name": "a"}]

    def typed() -> Typed:
        return STORED  # type: ignore[return-value]

    assert sent(typed) == {"name": "a"}


def test_a_result_of_the_declared_class_is_returned_as_it_is() -> None:
    user, struct, model = User("a", [User("b")]), Struct("a"), Model(name="a")

    def of_user() -> User:
        return user

    def of_structs() -> list[Struct]:
        return [struct]

    def of_model() -> Model | None:
        return model

    assert result(of_user) is user
    assert result(of_model) is model
    assert result(of_structs)[0] is struct


def test_a_response_and_a_status_pass() -> None:
    response = Response("x")

    def either() -> User | Response:
        return response

    def created() -> tuple[User, Literal[201]]:
        return StoredUser("a"), 201

    assert result(either) is response
    assert result(created) == ({"name": "a", "friends": []}, 201)


def test_a_result_that_does_not_fit_is_an_error() -> None:
    def wrong() -> User:
        return {"password": "secret"}  # type: ignore[return-value]

    with pytest.raises(ResultError, match="the result does not fit `User`: `name` is missing"):
        result(wrong)


def test_a_type_without_a_model_changes_nothing() -> None:
    def mixed() -> User | dict[str, str]:
        return STORED

    def or_text() -> User | str | int:
        return STORED  # type: ignore[return-value]

    assert sent(or_text) == {"name": "a", "friends": []}

    def plain() -> dict[str, Any]:
        return STORED

    def unknown() -> Unknown:
        return STORED  # type: ignore[return-value]

    def bare(request: Request) -> str:
        return "x"

    assert result(mixed) is result(plain) is STORED
    route = Route("/", None, unknown)
    route.finish()
    assert route.call(Request.build()) is STORED
    assert Route("/", None, bare).call is bare


def test_a_type_may_be_defined_below_the_handler() -> None:
    namespace: dict[str, Any] = {"__name__": __name__}
    exec(BELOW, namespace)
    route = Route("/", None, namespace["handler"])
    exec(
        "from dataclasses import dataclass\n@dataclass\nclass Late:\n    name: str\n",
        namespace,
    )
    route.finish()
    assert route.call(Request.build()) == {"name": "a"}


BELOW = """
from __future__ import annotations

def handler() -> Late:
    return {"name": "a", "password": "secret"}
"""


@pytest.mark.parametrize("value", [None, "text", b"bytes"])
def test_a_value_without_fields_is_returned_as_it_is(value: Any) -> None:
    def handler() -> User:
        return value  # type: ignore[no-any-return]

    assert result(handler) is value


def test_an_object_within_itself_is_an_error_with_its_place() -> None:
    def handler() -> User:
        user = User("a")
        user.friends.append(user)
        return user

    with pytest.raises(ResultError, match=r"`friends\.0` is an object that contains itself"):
        result(handler)
