"""Return types: a result has the fields of the declared model, and no others.

`test_response_model` has the conversion itself.
"""

from __future__ import annotations

import asyncio
import json
import pathlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence  # noqa: F401 - in quoted types
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypedDict, TypeVar

import msgspec
import numpy
import pydantic
import pytest
from extraction import faults, fill

from snaxum import Request, Response, RouteError
from snaxum._core.json_encoding import dumps
from snaxum._validation.results import ResultError
from snaxum.routing import Route

if TYPE_CHECKING:
    from unknown import LateParameter, Unknown

T = TypeVar("T")


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


# Types with parts of other classes


@dataclass
class Home:
    name: str
    path: pathlib.Path
    points: deque[User]
    extra: Any = None
    array: numpy.ndarray[Any, Any] | None = None


@dataclass
class StoredHome(Home):
    password: str = "secret"


class Group(msgspec.Struct):
    owner: User
    note: str | msgspec.UnsetType = msgspec.UNSET
    deputy: User | msgspec.UnsetType = msgspec.UNSET


class StoredGroup(Group):
    password: str = "secret"


def test_a_field_of_another_class_is_sent_as_it_is_beside_the_others() -> None:
    def handler() -> Home:
        return StoredHome("a", pathlib.Path("/x"), deque([StoredUser("b")]), 1, numpy.arange(2))

    assert sent(handler) == {
        "name": "a",
        "path": "/x",
        "points": [{"name": "b", "friends": []}],
        "extra": 1,
        "array": [0, 1],
    }


@pytest.mark.parametrize(
    "given",
    [
        StoredGroup(StoredUser("a")),
        Group(StoredUser("a")),
        {"owner": {"name": "a"}, "password": "x"},
        Group(User("a")),
        {"owner": {"name": "a"}, "note": msgspec.UNSET, "deputy": msgspec.UNSET},
    ],
)
def test_a_field_that_is_unset_is_not_sent(given: Any) -> None:
    def handler() -> Group:
        return given  # type: ignore[no-any-return]

    assert sent(handler) == {"owner": {"name": "a", "friends": []}}


@pytest.mark.parametrize(
    "annotation",
    [
        "list[User | None]",
        "Sequence[User]",
        "Iterable[User]",
        "list[User | str]",
        "list[Annotated[User, {'a': 1}]]",
        "set[User] | None",
        "list[tuple[User, ...]]",
        "Mapping[str, User]",
        "dict[str, list[User | None]]",
        "dict[str, tuple[User, User]]",
        "dict[str, tuple[User, int]]",
    ],
)
def test_the_models_in_a_container_remove_other_fields(annotation: str) -> None:
    item: Any = StoredUser("a")
    expected: Any = {"name": "a", "friends": []}
    if "tuple" in annotation:
        second = 2 if "int" in annotation else item
        item, expected = (
            (item, second),
            [expected, 2 if "int" in annotation else expected],
        )
    if "list[User | None]" in annotation:
        item, expected = [item, None], [expected, None]
    given = {"x": item} if annotation.startswith(("dict", "Map")) else [item]
    shown = {"x": expected} if isinstance(given, dict) else [expected]
    if annotation == "list[User | None]":
        given, shown = item, expected

    def handler() -> Any:
        return given

    handler.__annotations__["return"] = annotation
    assert sent(handler) == shown


def test_a_stream_passes() -> None:
    stream = iter([StoredUser("a")])

    def handler() -> Iterable[User]:
        return stream

    assert result(handler) is stream


def test_metadata_without_a_hash_is_part_of_a_type() -> None:
    @dataclass
    class Limits:
        each: dict[str, Annotated[int, {"unit": "s"}]]
        page: Page[Annotated[int, ["x"]]]

    def create(limits: dict[str, Annotated[int, {"unit": "s"}]]) -> Any:
        return limits

    def show() -> Limits:
        return {"each": {"a": 1}, "page": {"items": [1]}, "password": "x"}  # type: ignore[return-value]

    Limits.__annotations__ = {name: eval(kind) for name, kind in Limits.__annotations__.items()}
    assert sent(show) == {"each": {"a": 1}, "page": {"items": [1]}}
    assert fill(create, method="POST", body=b'{"a": 1}') == {"a": 1}
    assert faults(create, method="POST", body=b'{"a": "1"}') == [("body", ["a"], "int_type")]


@dataclass
class Page(Generic[T]):
    items: list[T]


def test_a_model_that_cannot_be_read_is_an_error_with_the_way_out() -> None:
    @dataclass
    class Unreadable:
        name: str
        other: Unknown

    @dataclass
    class Wrong:
        name: Annotated[str, msgspec.Meta(ge=1)]

    @dataclass
    class Hidden:
        queue: Callable[[User], None]

    def unreadable() -> Unreadable: ...  # type: ignore[empty-body]
    def wrong() -> Wrong: ...  # type: ignore[empty-body]
    def hidden() -> Hidden: ...  # type: ignore[empty-body]

    for handler, reason in (
        (
            unreadable,
            "`Unknown`, in the fields of `Unreadable`, is not defined; define it, import",
        ),
        (wrong, "a `str` has no `ge`; remove it"),
        (
            hidden,
            r"the fields of the models in `Callable\[\[User\], None\]` are not known",
        ),
    ):
        with pytest.raises(RouteError, match=reason) as caught:
            Route("/", None, handler).finish()
        assert "test_return_types.py:" in str(caught.value)
        assert "add `response_model=Any` to the route" in str(caught.value)
        assert Route("/", None, handler, response_model=Any).is_planned


def test_a_return_type_for_type_checkers_leaves_the_parameters_as_they_are() -> None:
    def make() -> Route:
        class Order(msgspec.Struct):
            id: int

        def create(order: Order, late: LateParameter | None = None) -> Unknown:
            return order

        return Route("/", ["POST"], create)

    route = make()
    assert not route.is_planned
    globals()["LateParameter"] = int
    try:
        route.finish()
    finally:
        del globals()["LateParameter"]
    assert route.call(Request.build(method="POST", body=b'{"id": 1}')).id == 1


def test_a_local_return_type_counts_after_a_late_parameter() -> None:
    def make() -> Route:
        @dataclass
        class Order:
            id: int

        def show(q: LateParameter = 0) -> Order:
            return {"id": q, "password": "x"}  # type: ignore[return-value]

        return Route("/", None, show)

    route = make()
    globals()["LateParameter"] = int
    try:
        route.finish()
    finally:
        del globals()["LateParameter"]
    assert route.call(Request.build(query="q=1")) == {"id": 1}
