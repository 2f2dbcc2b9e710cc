"""Return types of functions inside a decorator, which may return something else."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pydantic
import pytest

from snaxum import Request
from snaxum._core.json_encoding import dumps
from snaxum._validation.results import ResultError
from snaxum.routing import Route


def result(handler: Callable[..., Any]) -> Any:
    return Route("/", None, handler).call(Request.build())


def sent(handler: Callable[..., Any]) -> Any:
    return json.loads(dumps(result(handler)))


@dataclass
class User:
    name: str


@dataclass
class Stats:
    count: int = 0
    total: int = 0


class ModelStats(pydantic.BaseModel):
    count: int = 0
    shown: int = pydantic.Field(0, alias="total")


def envelope(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return {"data": function(*args, **kwargs)}

    return call


def passing(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return call


def typed_envelope(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function, assigned=("__name__", "__module__", "__doc__"))
    def call(*args: Any, **kwargs: Any) -> dict[str, Any]:
        return {"data": function(*args, **kwargs)}

    return call


@pytest.mark.parametrize("annotation", ["Stats", "Stats | None", "ModelStats", "dict[str, Stats]"])
def test_a_decorator_that_returns_another_object_loses_nothing_silently(
    annotation: str,
) -> None:
    def show() -> Any:
        return {"a": {"count": 1}} if annotation.startswith("dict") else {"count": 1}

    show.__annotations__["return"] = annotation
    with pytest.raises(ResultError, match="has none of its fields; add `response_model=Any`"):
        result(envelope(show))
    found = json.loads(dumps(result(typed_envelope(show))))
    assert found == {"data": show()}
    route = Route("/", None, envelope(show), response_model=Any)
    assert route.call(Request.build()) == {"data": show()}


def test_a_partial_object_is_not_a_decorator() -> None:
    def show(count: int) -> Stats:
        return {"number": count}  # type: ignore[return-value]

    assert sent(functools.partial(show, 1)) == {"count": 0, "total": 0}


def test_a_body_with_the_status_of_an_error_is_sent_as_it_is() -> None:
    def handler() -> User:
        return User("a")

    def answering(status: int) -> Callable[..., Any]:
        @functools.wraps(handler)
        def refuse() -> Any:
            return {"error": "log in", "name": "a"}, status

        return refuse

    assert result(answering(401)) == ({"error": "log in", "name": "a"}, 401)
    body, status = result(answering(201))
    assert (json.loads(dumps(body)), status) == ({"name": "a"}, 201)
    route = Route("/", None, answering(401), response_model=User)
    assert json.loads(dumps(route.call(Request.build())[0])) == {"name": "a"}


@pytest.mark.parametrize(
    "given", [{"count": 1, "x": 2}, SimpleNamespace(count=1, x=2), {}, Stats(1)]
)
@pytest.mark.parametrize("annotation", ["Stats", "list[Stats]", "dict[str, Stats] | None"])
def test_behind_a_decorator_a_result_has_the_fields_of_the_model(
    given: Any, annotation: str
) -> None:
    wrap: Any = {"S": lambda it: it, "l": lambda it: [it], "d": lambda it: {"a": it}}[annotation[0]]

    def show() -> Any:
        return wrap(given)

    show.__annotations__["return"] = annotation
    expected = {"count": 0 if given == {} else 1, "total": 0}
    assert sent(passing(show)) == wrap(expected)
