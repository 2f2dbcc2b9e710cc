"""A project that other servers run as an ASGI application."""

import asyncio
import queue
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

from snaxum import (
    Blueprint,
    Request,
    UploadFile,
    WebSocket,
    after_request,
    background,
    mount,
    on_shutdown,
    on_startup,
    route,
    static,
    stream_events,
    websocket,
)

# The calls that have happened, for the tests.
EVENTS: "queue.Queue[str]" = queue.Queue()
# Lets the second part of a stream go.
GO = threading.Event()

static("/assets", "assets")
shop = Blueprint("shop", prefix="/shop")


@on_startup
async def start() -> None:
    EVENTS.put("started")


@on_shutdown
def stop() -> None:
    EVENTS.put("stopped")


@after_request
def mark(request: Request, response: Any) -> Any:
    response.headers["x-mark"] = request.method
    return response


@route("/users/<int:user_id>", methods=["GET", "PUT"])
def user(user_id: int, limit: int = 10) -> dict[str, int]:
    return {"id": user_id, "limit": limit}


@route("/echo/<path:rest>", methods=["POST"])
def echo(request: Request, rest: str) -> dict[str, Any]:
    headers = request.headers
    names = ("host", "x-twice", "expect", "connection", "transfer-encoding")
    sent = {name: headers.get_all(name) for name in names if name in headers}
    return {"rest": rest, "size": len(request.data), "query": request.query_string, **sent}


@route("/upload", methods=["POST"])
def upload(file: UploadFile, note: str = "") -> list[Any]:
    return [file.filename, file.size, note]


@route("/stream")
def stream() -> Iterator[str]:
    yield "first "
    GO.wait()
    yield "second"


@route("/endless")
async def endless() -> AsyncIterator[bytes]:
    try:
        while True:
            yield bytes(65536)
    finally:
        EVENTS.put("left")


@route("/waits")
async def waits() -> None:
    EVENTS.put("waits")
    try:
        await asyncio.Event().wait()
    finally:
        EVENTS.put("left")


@route("/events")
def events() -> Any:
    return stream_events(iter([{"n": 1}, "two"]))


@route("/later")
def later() -> str:
    background(EVENTS.put, "background")
    return "soon"


@route("/raises")
def raises() -> None:
    raise LookupError("a handler raised")


@route("/breaks")
def breaks() -> Iterator[str]:
    yield "half"
    raise LookupError("a stream raised")


@shop.route("/item")
def item() -> None:
    raise KeyError("item")


@shop.errorhandler(KeyError)
def missing(request: Request, error: KeyError) -> tuple[str, int]:
    return f"no {error.args[0]}", 404


@websocket("/chat/<room>")
async def chat(ws: WebSocket, room: str) -> None:
    await ws.send_json({"room": room})
    async for message in ws:
        if message == "close":
            await ws.close(4001, "as asked")
        else:
            await ws.send(message)
    EVENTS.put("closed")


async def scoped(scope: Any, receive: Any, send: Any) -> None:
    text = repr([scope["client"], scope["path"], scope["raw_path"]]).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": text})


mount("/inner", scoped)
