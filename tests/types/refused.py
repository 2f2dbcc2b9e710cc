"""Mistakes that a type checker finds: each line that ends with `# error` is one.

mypy cannot distinguish a tuple of text from an `Iterable`: such a line is an `error of pyright`.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Iterator
from typing import Any

import polars as pl

from snaxum import Blueprint, HTTPError, Request, Response, before_request, errorhandler, get, route

shop = Blueprint("shop", prefix="/shop")


class Plain:
    """Not a model: it has no fields that are known."""


@route("/complex")  # error
def of_complex() -> complex:
    return 1j


@route("/plain")  # error
def of_plain() -> Plain:
    return Plain()


@get("/async")  # error
async def of_async() -> Plain:
    return Plain()


@shop.post("/class")  # error
def of_class() -> type[Plain]:
    return Plain


@route("/either")  # error
def either() -> str | Plain:
    return "x"


@route("/function")  # error
def of_function() -> Callable[[], str]:
    return str


@route("/one")  # error of pyright
def one() -> tuple[str]:
    return ("x",)


@route("/status")  # error of pyright
def with_status() -> tuple[str, str]:
    return "x", "201"


@route("/stream")  # error
def stream() -> Iterator[dict[str, int]]:
    yield {"n": 1}


@route("/iterable")  # error
def iterable() -> Iterable[int]:
    yield 1


@route("/async-iterable")  # error
async def async_iterable() -> AsyncIterable[Plain]:
    yield Plain()


@get("/model", response_model=None)  # error
def without_model() -> Plain:
    return Plain()


@shop.put("/model", response_model=str, method="GET")  # error
def with_model() -> Plain:
    return Plain()


@route("/lazy")  # error
def lazy() -> pl.LazyFrame:
    return pl.LazyFrame()


@before_request  # error
def check(request: Request) -> Plain:
    return Plain()


@errorhandler(404)  # error
def not_found(request: Request, error: HTTPError) -> Plain:
    return Plain()


@route("/request")
def of_request(request: Request) -> Any:
    print(request.json)  # error
    print(request.json())  # error
    print(request.args["q"])  # error
    request.headers.set("a", "b")  # error
    return request.body


@route("/response")
def of_response() -> Response:
    response = Response("x", status_code=201)  # error
    response.set_cookie("a", "b", samesite="loose")  # error
    raise HTTPError(status_code=404)  # error


route("/a", method="GET")  # error
route("/a", batch=32)  # error
route("/a", workers="2")  # error
