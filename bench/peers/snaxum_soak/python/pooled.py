"""Asks the pool, waits, and streams. Not edited: soak.py edits the modules beside it."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import tasks
from snaxum import Request, route


@route("/soak/pool", use_process_pool=True)
def pooled(request: Request, pool: ProcessPoolExecutor) -> dict[str, str]:
    return pool.submit(tasks.task).result()


@route("/soak/async")
async def waits(request: Request) -> dict[str, str]:
    await asyncio.sleep(0.01)
    return {"message": "steady"}


@route("/soak/stream")
def stream(request: Request) -> Iterator[str]:
    yield '{"message": '
    yield '"steady"}'
