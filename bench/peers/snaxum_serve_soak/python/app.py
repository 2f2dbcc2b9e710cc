"""Responds with the version that soak_serve.py has saved last, in several ways."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

from snaxum import Request, route

VERSION = "v0"


@route("/soak/plain")
def plain(request: Request) -> dict[str, str]:
    return {"version": VERSION}


@route("/soak/async")
async def waits(request: Request) -> dict[str, str]:
    await asyncio.sleep(0.02)
    return {"version": VERSION}


@route("/soak/computing")
def computing(request: Request) -> dict[str, str]:
    digest = b""
    for _ in range(2000):
        digest = hashlib.sha256(digest).digest()
    return {"version": VERSION}


@route("/soak/stream")
async def stream(request: Request) -> AsyncIterator[str]:
    yield '{"version": '
    await asyncio.sleep(0.02)
    yield f'"{VERSION}"}}'


@route("/soak/raw", methods=["POST"])
def raw(request: Request) -> dict[str, object]:
    return {"size": len(request.data), "sha256": hashlib.sha256(request.data).hexdigest()}


@route("/soak/chunks", methods=["POST"])
async def chunks(request: Request) -> dict[str, object]:
    whole, size = hashlib.sha256(), 0
    async for chunk in request.stream():
        whole.update(chunk)
        size += len(chunk)
    return {"size": size, "sha256": whole.hexdigest()}
