"""Routes for the tests of `snaxum.testing`."""

import asyncio
from collections.abc import AsyncIterator, Iterator

from snaxum import HTTPError, Request, Response, WebSocket, keep, route, websocket

CLOSED: list[str] = []


def make_greeting() -> dict[str, str]:
    return {"text": "hello"}


GREETING = keep("greeting", make_greeting)


@route("/users/<int:user_id>", methods=["GET", "PUT"])
def user(request: Request) -> dict[str, object]:
    return {"id": request.path_params["user_id"], "method": request.method}


@route("/echo", methods=["GET", "POST"])
async def echo(request: Request) -> dict[str, object]:
    await asyncio.sleep(0)
    return {
        "query": dict(request.query_params),
        "type": request.content_type,
        "body": request.text,
        "form": dict(request.form),
        "cookies": request.cookies,
        "token": request.headers.get("x-token", ""),
    }


@route("/login")
def login(request: Request) -> Response:
    response = Response(None, 303, {"location": "/echo?from=login"})
    response.set_cookie("session", "abc")
    return response


@route("/set")
def set_any(value: str) -> Response:
    response = Response("set")
    response.set_cookie("any", value, partitioned=True, expires=4_000_000_000)
    return response


@route("/logout")
def logout(request: Request) -> Response:
    response = Response("out")
    response.set_cookie("session", "", max_age=0)
    return response


@route("/greeting")
def greeting(request: Request) -> dict[str, str]:
    return GREETING


@route("/fails")
def fails(request: Request) -> None:
    raise ZeroDivisionError("by the handler")


@route("/refuses")
def refuses(request: Request) -> None:
    raise HTTPError(409, "taken")


@route("/lines")
def lines(request: Request) -> Iterator[str]:
    try:
        for number in range(1_000_000):
            yield f"{number}\n"
    finally:
        CLOSED.append("lines")


@route("/breaks")
async def breaks(request: Request) -> AsyncIterator[str]:
    yield "one\n"
    raise KeyError("in the stream")


@websocket("/chat/<room>", subprotocols=["chat"])
async def chat(ws: WebSocket, room: str) -> None:
    async for message in ws:
        if message == "bye":
            await ws.close(4000, "as asked")
        elif isinstance(message, str):
            await ws.send_json({"room": room, "text": message})
        else:
            await ws.send(message)
