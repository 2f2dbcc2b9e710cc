"""The responses of an operation: the content type and status of each result, and the failures.

Covers `snaxum._openapi.outputs` and `operations`; the usual results are in `test_openapi`.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from http import HTTPStatus
from typing import Any, Literal, NoReturn

import msgspec
import pytest
from test_openapi import Order, operation

from snaxum import Event, HTTPError, Request, ValidationError
from snaxum._core import hooks
from snaxum._openapi.document import describe
from snaxum._runtime.hook_chain import HookedRoute
from snaxum.response import to_response
from snaxum.routing import Route, RouteTable

JSON = ["application/json"]


class Html(str):
    pass


class Blob(bytes):
    pass


class Letter(str, enum.Enum):
    A = "a"


class Fault(msgspec.Struct):
    text: str


def responses(handler: Callable[..., Any], **options: Any) -> dict[str, list[str]]:
    """Return the content types of an operation by status, but for the default response."""
    found = operation(handler, **options)["responses"]
    assert found.pop("default")
    return {status: list(each.get("content", {})) for status, each in found.items()}


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (tuple[int, Literal[201, 202]], {"201": JSON, "202": JSON}),
        (tuple[Order, Literal[HTTPStatus.CREATED]], {"201": JSON}),
        (tuple[int, Literal[200] | Literal[201]], {"200": JSON, "201": JSON}),
        (tuple[Order, dict[str, str]], {"200": JSON}),
        (Literal["a", 1, None], {"200": ["application/json", "text/html"], "204": []}),
        (NoReturn, {}),
        (Order | NoReturn, {"200": JSON}),  # noqa: RUF020
        (AsyncIterable[str], {"200": ["text/plain"]}),
        (AsyncIterable[Event], {"200": ["text/event-stream"]}),
    ],
)  # fmt: skip
def test_a_result_has_its_status_and_content_type(annotation: Any, expected: Any) -> None:
    def handler() -> Any: ...

    handler.__annotations__["return"] = annotation
    assert responses(handler) == expected


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Html, Html("a")),
        (Blob, Blob(b"a")),
        (Letter, Letter.A),
        (Literal["a"], "a"),
        (Literal[b"a"], b"a"),
        (Literal[1], 1),
        (bytearray, bytearray(b"a")),
        (Fault, Fault("a")),
    ],
)
def test_the_content_type_is_that_of_the_value(annotation: Any, value: Any) -> None:
    def handler() -> Any: ...

    handler.__annotations__["return"] = annotation
    sent = to_response(value).content_type.partition(";")[0]
    assert responses(handler) == {"200": [sent]}


def test_a_generator_is_a_stream_whatever_its_annotation() -> None:
    def texts() -> Iterable[str]:
        yield "a"

    async def events() -> AsyncIterable[Event]:
        yield Event("a")

    async def later() -> AsyncIterator[str]:
        yield "a"

    assert responses(texts) == {"200": ["text/plain"]}
    assert responses(events) == {"200": ["text/event-stream"]}
    assert responses(later) == {"200": ["text/plain"]}


def failures(*handlers: tuple[tuple[Any, ...], Callable[..., Any]]) -> dict[str, Any]:
    """Return the failures of an operation with error handlers: for conditions, a function."""

    def handler(limit: int) -> int: ...

    declared = [hooks.declare("errorhandler", made, None, given) for given, made in handlers]
    level = {condition: each for each in declared for condition in each.conditions}
    route = Route("/", ["GET"], handler)
    RouteTable([route])
    found = describe([HookedRoute(route, hooks.HookSet(errors=(level,)))], {}, {})
    sent: dict[str, Any] = found["paths"]["/"]["get"]["responses"]
    return {status: each.get("content") for status, each in sent.items() if status != "200"}


def reference(name: str) -> dict[str, Any]:
    return {"schema": {"$ref": f"#/components/schemas/{name}"}}


def test_an_error_handler_changes_the_failures_that_it_responds_to() -> None:
    def of_status(request: Request, error: Exception) -> str: ...

    def of_model(request: Request, error: Exception) -> tuple[Fault, int]: ...

    def unknown(request: Request, error: Exception): ...  # type: ignore[no-untyped-def]

    invalid = {"application/problem+json": reference("ValidationProblem")}
    default = {"application/problem+json": reference("Problem")}
    html = {"text/html": {"schema": {"type": "string"}}}
    assert failures() == {"422": invalid, "default": default}
    assert failures(((404, 410), of_status)) == {
        "404": html,
        "410": html,
        "422": invalid,
        "default": default,
    }
    assert failures(((ValueError, KeyError), of_status)) == {"422": invalid, "default": default}
    assert failures(((ValidationError,), unknown)) == {"422": None, "default": default}
    own = {"application/json": reference("Fault")}
    assert failures(((HTTPError,), of_model)) == {"422": own, "default": own}
    assert failures(((422,), of_status), ((Exception,), unknown)) == {"422": html, "default": None}
