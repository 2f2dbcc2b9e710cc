"""Handlers that a type checker accepts: one for each kind of result, and for each hook."""

from __future__ import annotations

import datetime as dt
import io
import uuid
from collections import deque
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Sequence,
)
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from http import HTTPStatus
from pathlib import Path
from typing import IO, Annotated, Any, Literal, NamedTuple, NoReturn, TypedDict

import attrs
import matplotlib.axes
import matplotlib.figure
import msgspec
import numpy as np
import pandas as pd
import PIL.Image
import polars as pl
import pyarrow as pa
import pydantic

import snaxum
from snaxum import (
    Batch,
    Blueprint,
    Body,
    Channel,
    Event,
    Form,
    HTTPError,
    Query,
    Request,
    Response,
    UploadFile,
    ValidationError,
    WebSocket,
    abort,
    after_request,
    background,
    before_request,
    errorhandler,
    get,
    keep,
    middleware,
    on_startup,
    post,
    redirect,
    render,
    route,
    send_file,
    stream_events,
    stream_json_lines,
    url_for,
    websocket,
)
from snaxum.testing import Client

shop = Blueprint("shop", prefix="/shop")


@dataclass
class Item:
    name: str


@pydantic.dataclasses.dataclass
class PydanticItem:
    name: str


@attrs.define
class AttrsItem:
    name: str


class StructItem(msgspec.Struct):
    name: str


class Model(pydantic.BaseModel):
    name: str


class Row(TypedDict):
    name: str


class Point(NamedTuple):
    x: int
    y: int


class Color(Enum):
    RED = "red"


# Plain values


@route("/text")
def text() -> str:
    return "x"


@route("/literal")
def literal() -> Literal["x", "y"]:
    return "x"


@route("/bytes")
def data() -> bytes | bytearray:
    return b"x"


@route("/nothing")
def nothing() -> None:
    return None


@route("/never")
def never() -> NoReturn:
    abort(404, "gone")


@route("/dict")
def mapping() -> dict[str, Any]:
    return {}


@route("/bare")
def bare() -> dict:  # type: ignore[type-arg]
    return {}


@route("/rows")
def rows() -> list[Row]:
    return []


@route("/typed-dict")
def typed_dict() -> Row:
    return {"name": "x"}


@route("/number")
def number() -> int | float | Decimal | bool:
    return 1


@route("/more")
def more() -> set[str] | frozenset[int] | deque[int] | range:
    return range(3)


@route("/sequence")
def sequence() -> Sequence[Row]:
    return []


@route("/times")
def times() -> dt.datetime | dt.date | dt.time | dt.timedelta | uuid.UUID | Color:
    return Color.RED


@route("/object")
def anything() -> object:
    return 1


@route("/any")
def whatever() -> Any:
    return 1


@route("/without")
def without_annotations(request, limit=10):  # type: ignore[no-untyped-def]
    return {"limit": limit}


# Models, arrays, tables, pictures


@route("/dataclass")
def of_dataclass() -> Item | None:
    return Item("x")


@route("/pydantic-dataclass")
def of_pydantic_dataclass() -> PydanticItem:
    return PydanticItem("x")


@route("/attrs")
def of_attrs() -> AttrsItem:
    return AttrsItem("x")


@route("/struct")
def of_struct() -> StructItem:
    return StructItem("x")


@route("/model")
def of_pydantic() -> Model:
    return Model(name="x")


@route("/models")
def of_models() -> list[Model]:
    return []


@route("/named-tuple")
def of_named_tuple() -> Point:
    return Point(1, 2)


@route("/array")
def of_numpy() -> np.ndarray[Any, Any]:
    return np.zeros(3)


@route("/scalar")
def of_numpy_scalar() -> np.float64:
    return np.float64(1)


@route("/pandas")
def of_pandas() -> pd.DataFrame | pd.Series:  # type: ignore[type-arg, unused-ignore]
    return pd.DataFrame()


@route("/polars")
def of_polars() -> pl.DataFrame | pl.Series:
    return pl.DataFrame()


@route("/arrow")
def of_arrow() -> pa.Table:
    return pa.table({})


@route("/figure")
def of_matplotlib() -> matplotlib.figure.Figure:
    return matplotlib.figure.Figure()


@route("/axes")
def of_axes() -> matplotlib.axes.Axes:
    return matplotlib.figure.Figure().subplots()


@route("/image")
def of_pillow() -> PIL.Image.Image:
    return PIL.Image.new("L", (1, 1))


# Responses, files, streams


@route("/response")
def response() -> Response:
    return redirect(url_for("text"))


@route("/status")
def with_status() -> tuple[str, int]:
    return "x", 201


@route("/http-status")
def with_http_status() -> tuple[Model, HTTPStatus]:
    return Model(name="x"), HTTPStatus.CREATED


@route("/headers")
def with_headers() -> tuple[dict[str, int], int, dict[str, str]]:
    return {}, 200, {"x-a": "b"}


@route("/pairs")
def with_pairs() -> tuple[str, list[tuple[str, str]]]:
    return "x", [("x-a", "b")]


@route("/either")
def either() -> Response | tuple[str, int] | None:
    return None


@route("/path")
def path() -> Path:
    return Path("x")


@route("/file")
def file() -> IO[bytes]:
    return open("x", "rb")


@route("/buffer")
def buffer() -> io.BytesIO | io.StringIO:
    return io.BytesIO()


@route("/sent")
def sent() -> Response:
    return send_file("x", filename="y")


@route("/iterator")
def iterator() -> Iterator[str]:
    yield "x"


@route("/generator")
def generator() -> Generator[bytes, None, None]:
    yield b"x"


@route("/stream")
async def stream() -> AsyncIterator[str]:
    yield "x"


@route("/iterable")
def iterable() -> Iterable[str]:
    yield "x"


@route("/event-iterable")
def event_iterable() -> Iterable[Event]:
    yield Event("x")


@route("/async-iterable")
async def async_iterable() -> AsyncIterable[str]:
    yield "x"


@route("/events")
def events() -> Iterator[Event]:
    yield Event({"n": 1}, id=1)


@route("/streamed-events")
async def streamed_events() -> Response:
    return stream_events(generate())


async def generate() -> AsyncIterator[dict[str, int]]:
    yield {"n": 1}


@route("/lines")
@stream_json_lines
def lines() -> Iterator[dict[str, int]]:
    yield {"n": 1}


# Results that `response_model` converts


class Stored:
    """An object of a database: a response without `response_model` has no use for it."""

    name = "x"
    password = "secret"


@route("/stored", response_model=Item)
def of_stored() -> Stored:
    return Stored()


@get("/stored", response_model=list[Item])
async def of_all_stored() -> list[Stored]:
    return [Stored()]


@post("/stored", response_model=Item | Model)
def stored_with_status() -> tuple[Stored, int]:
    return Stored(), 201


@shop.delete("/stored", response_model=Annotated[Item, "note"])
def stored_or_none() -> Stored | None:
    return None


@shop.patch("/stored", response_model=StructItem, stream_body=True, status=202)
async def of_patched() -> Stored:
    return Stored()


@get("/without-model", response_model=None)
def without_model() -> Item:
    return Item("x")


# `async def`, methods, blueprints, parameters


@route("/async", methods=["GET", "POST"])
async def of_async(request: Request) -> Model | tuple[str, int]:
    if request.method == "POST":
        return "x", 201
    return Model(name=request.query_params.get("name", ""))


@get("/get")
async def of_get(limit: Annotated[int, Query(ge=1)] = 10) -> object:
    return limit


@post("/post", status=201)
def of_post(item: Item, ids: Annotated[list[int], Body()]) -> Item:
    return item


@shop.post("/upload")
async def upload(file: UploadFile, note: Annotated[str, Form()] = "") -> dict[str, int]:
    background(print, file.filename)
    return {"bytes": len(await file.aread())}


@shop.errorhandler(404)
def not_found(request: Request, error: HTTPError) -> tuple[dict[str, str], int]:
    return {"error": error.detail}, 404


@errorhandler(ValueError)
async def wrong(request: Request, error: ValueError) -> str:
    return render("wrong.html", error=error)


@errorhandler(ValidationError)
def invalid(request: Request, error: ValidationError) -> list[Any]:
    return list(error.errors)


@before_request
def check(request: Request) -> tuple[str, int] | None:
    request.state.user = "x"
    request.state["tenant"] = request.state.get("user")
    return None


@after_request
def change(request: Request, response: Response) -> Response:
    response.headers["x-a"] = "b"
    response.set_cookie("a", "b", max_age=60, samesite="lax")
    return response


@middleware
async def around(request: Request, call_next: Callable[[Request], Awaitable[Response]]) -> Response:
    return await call_next(request)


def load() -> dict[str, int]:
    return keep("model", lambda: {"device": snaxum.worker.device or 0})


@post("/batch", batch=Batch(max_size=8, max_wait_ms=2.5), workers=2, warm_up=load)
def batch(models: list[Model]) -> list[Model | HTTPError]:
    return [HTTPError(404) if model.name else model for model in models]


@shop.get("/scores", batch=Batch(), warm_up=load)
async def scores(requests: list[Request], limit: list[int]) -> np.ndarray[Any, Any]:
    return np.array(limit)


ROOM = Channel("room")
DB = keep("db", lambda: {"a": 1})


@websocket("/chat/<room>")
async def chat(ws: WebSocket, room: str) -> None:
    async for message in ws:
        await ws.send(message)


@on_startup
def start() -> None:
    assert DB["a"] == 1


def test_it(client: Client) -> None:
    reply = client.post("/post", json={"name": "x"})
    assert (reply.status, reply.json(), reply.headers["x-a"]) == (201, {}, "b")
