"""Parameters as other frameworks declare them are errors: nothing here would fill them."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Annotated, Any, Optional

import fastapi
import pytest
from werkzeug.datastructures import FileStorage

from snaxum import Request, Response, RouteError
from snaxum.routing import Route


def user() -> int:
    return 1


def injected(user_id: Annotated[int, fastapi.Depends(user)]) -> int:
    return user_id


def default(user_id: int = fastapi.Depends(user)) -> int:
    return user_id


def secured(token: Annotated[str, fastapi.Security(user)] = "") -> str:
    return token


def header(x_token: Annotated[str, fastapi.Header()]) -> str:
    return x_token


def query(limit: int = fastapi.Query(10)) -> int:
    return limit


def inner(limit: Optional[Annotated[int, fastapi.Query(ge=1)]] = None) -> Any:  # noqa: UP045
    return limit


def upload(file: fastapi.UploadFile) -> str:
    return ""


def several(file: fastapi.UploadFile | None = None) -> str:
    return ""


def tasks(tasks: fastapi.BackgroundTasks) -> str:
    return ""


def request(request: fastapi.Request) -> str:
    return ""


def storage(file: FileStorage) -> str:
    return ""


def own_response(response: Response) -> str:
    return ""


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (
            injected,
            "`user_id` has `Depends` of fastapi, which nothing reads here; call the function",
        ),
        (default, "`user_id` has `Depends` of fastapi"),
        (secured, "`token` has `Security` of fastapi"),
        (
            header,
            "`x_token` has `Header` of fastapi, which nothing reads here; use the `Header` of",
        ),
        (query, "`limit` has `Query` of fastapi"),
        (inner, "`limit` has `Query` of fastapi"),
        (upload, "`file` is a `UploadFile` of fastapi; use the `UploadFile` of `snaxum`"),
        (several, "`file` is a `UploadFile` of fastapi"),
        (tasks, "`tasks` is a `BackgroundTasks` of fastapi; call `background(function, *args)`"),
        (request, "`request` is a `Request` of starlette; use the `Request` of `snaxum`"),
        (storage, "`file` is a `FileStorage` of werkzeug; annotate it as the `UploadFile`"),
        (own_response, "`response` is a `Response` of snaxum; make the response in the handler"),
    ],
)
def test_a_parameter_of_another_framework_is_an_error(
    handler: Callable[..., Any], words: str
) -> None:
    with pytest.raises(RouteError, match=re.escape(words)):
        Route("/", ["POST"], handler)


def test_the_request_of_this_framework_is_accepted() -> None:
    def handler(request: Request, q: str = "") -> str:
        return q

    assert Route("/", None, handler).call(Request.build(query="q=a")) == "a"


def test_a_response_that_a_decorator_or_a_default_gives_is_accepted() -> None:
    def with_response(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(request: Request, **values: Any) -> Any:
            return function(Response("given"), **values)

        return call

    @with_response
    def inner(response: Response, q: str = "") -> Any:
        response.headers["x-q"] = q
        return response

    def optional(response: Response | None = None) -> Any:
        return response

    found = Route("/", None, inner).call(Request.build(query="q=a"))
    assert (found.body, found.headers["x-q"]) == ("given", "a")
    assert Route("/", None, optional).call(Request.build()) is None
