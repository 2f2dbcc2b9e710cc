"""Uploads, events, WebSockets and functions after a response.

Imports nothing that soak.py edits, so its counts last.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator

from snaxum import Request, WebSocket, background, route, stream_events, websocket

# The lines of output before an error.
LINES = 50
done: set[int] = set()
# Streams and WebSockets whose client is there.
open_now = {"events": 0, "endless": 0, "sockets": 0}


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@route("/soak/raw", methods=["POST"])
def raw(request: Request) -> dict[str, object]:
    return {"size": len(request.data), "sha256": digest(request.data)}


@route("/soak/chunks", methods=["POST"])
async def chunks(request: Request) -> dict[str, object]:
    whole, size = hashlib.sha256(), 0
    async for chunk in request.stream():
        whole.update(chunk)
        size += len(chunk)
    return {"size": size, "sha256": whole.hexdigest()}


@route("/soak/form", methods=["POST"])
def form(request: Request) -> dict[str, object]:
    file = request.files["file"]
    data = file.read()
    found = {"note": request.form["note"], "filename": file.filename}
    return {**found, "size": len(data), "sha256": digest(data)}


@route("/soak/events/<int:count>")
def events(request: Request) -> object:
    def numbers() -> Iterator[dict[str, int]]:
        open_now["events"] += 1
        try:
            for number in range(request.path_params["count"]):
                yield {"number": number}
        finally:
            open_now["events"] -= 1

    return stream_events(numbers())


@route("/soak/endless")
def endless() -> object:
    async def ticks() -> AsyncIterator[dict[str, str]]:
        open_now["endless"] += 1
        try:
            while True:
                yield {"tick": "x" * 100}
                await asyncio.sleep(0.01)
        finally:
            open_now["endless"] -= 1

    return stream_events(ticks())


@websocket("/soak/echo")
async def echo(ws: WebSocket) -> None:
    open_now["sockets"] += 1
    try:
        async for message in ws:
            await ws.send(message)
    finally:
        open_now["sockets"] -= 1


@route("/soak/later/<int:number>", methods=["POST"])
def later(number: int) -> dict[str, int]:
    background(done.add, number)
    return {"number": number}


@route("/soak/done/<int:number>")
def is_done(number: int) -> dict[str, bool]:
    found = number in done
    done.discard(number)
    return {"done": found}


@route("/soak/fail/<int:number>")
def fail(number: int) -> None:
    """Raise an error that no other request has, after many lines of output."""
    for _ in range(LINES):
        print("x" * 400)
    raise type(f"Failure{number}", (Exception,), {})("on purpose")


@route("/soak/open")
def is_open() -> dict[str, int]:
    return open_now
