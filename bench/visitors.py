"""Clients that do more than GET: they upload, read events, use WebSockets, and leave.

Each visit reports the name of what it did, with the reason if the outcome was not the right one.
Knows the module `steady` of `peers/snaxum_soak`, which is never edited.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import random
from collections.abc import AsyncIterator, Callable
from itertools import count

from traffic import receive
from websocket_client import frame, handshake

THINK_S = (0.02, 0.1)
TIMEOUT_S = 30.0
MAX_UPLOAD = 300_000
MAX_EVENTS = 200
MESSAGES = 20
UPLOADERS = 8
# Tries to find what runs after a response, with a pause between two.
TRIES, PAUSE_S = 200, 0.05
_BOUNDARY = "boundary-of-the-soak"
_numbers = count(1)

# Gets the name of a visit, and the reason if its outcome was wrong.
Report = Callable[[str, str], None]


class Wrong(Exception):
    """The outcome is not the right one."""


@contextlib.asynccontextmanager
async def visits(port: int, visitors: int, report: Report) -> AsyncIterator[None]:
    """Visit at random while the block runs; afterwards wait for the open visits."""
    stop = asyncio.Event()
    tasks = [asyncio.create_task(_visitor(port, stop, report)) for _ in range(visitors)]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*tasks)


async def fill_with_uploads(port: int, count: int) -> None:
    """Send so many raw uploads, a few at a time. Raises OSError and the like if one fails."""

    async def upload(part: int) -> None:
        for _ in range(part):
            await raw_upload(port)

    await asyncio.gather(*(upload(count // UPLOADERS) for _ in range(UPLOADERS)))


async def fill_with_failures(port: int, count: int) -> None:
    """Request so many different errors, a few at a time, each with a line in the log."""

    async def fail(part: int) -> None:
        for _ in range(part):
            reader, writer = await _send(port, "GET", f"/soak/fail/{next(_numbers)}")
            with contextlib.closing(writer):
                status, body, _ = await receive(reader)
            if status != 500:
                raise ValueError(f"status {status} instead of 500: {body[:200]!r}")

    await asyncio.gather(*(fail(count // UPLOADERS) for _ in range(UPLOADERS)))


async def left_open(port: int) -> dict[str, int]:
    """The streams and WebSockets that are still open, once their clients have had time to leave."""
    found: dict[str, int] = {}
    for _ in range(TRIES):
        found = json.loads(await _exchange(port, "GET", "/soak/open"))
        if not any(found.values()):
            break
        await asyncio.sleep(PAUSE_S)
    return found


async def _visitor(port: int, stop: asyncio.Event, report: Report) -> None:
    while not stop.is_set():
        visit = random.choice(_VISITS)
        name = visit.__name__.strip("_").replace("_", " ")
        try:
            await asyncio.wait_for(visit(port), TIMEOUT_S)
        except (asyncio.TimeoutError, TimeoutError):
            report(name, "timeout")
        except (Wrong, OSError, EOFError, ValueError) as error:
            report(name, f"{type(error).__name__}: {error}")
        else:
            report(name, "")
        await asyncio.sleep(random.uniform(*THINK_S))


async def raw_upload(port: int) -> None:
    data = random.randbytes(random.randrange(MAX_UPLOAD))
    path = random.choice(["/soak/raw", "/soak/chunks"])
    _expect(await _exchange(port, "POST", path, data), _facts(data))


async def _multipart_upload(port: int) -> None:
    data, note = random.randbytes(random.randrange(MAX_UPLOAD)), f"note {next(_numbers)}"
    part = f"--{_BOUNDARY}\r\nContent-Disposition: form-data; name="
    body = f'{part}"note"\r\n\r\n{note}\r\n{part}"file"; filename="a.bin"\r\n\r\n'.encode()
    body += data + f"\r\n--{_BOUNDARY}--\r\n".encode()
    kind = f"multipart/form-data; boundary={_BOUNDARY}"
    expected = {"note": note, "filename": "a.bin", **_facts(data)}
    _expect(await _exchange(port, "POST", "/soak/form", body, kind), expected)


async def _event_stream(port: int) -> None:
    wanted = random.randrange(MAX_EVENTS)
    body = await _exchange(port, "GET", f"/soak/events/{wanted}")
    lines = [line[5:] for line in body.decode().splitlines() if line.startswith("data:")]
    if [json.loads(line)["number"] for line in lines] != list(range(wanted)):
        raise Wrong(f"{len(lines)} events instead of {wanted}: {body[-100:]!r}")


async def _function_after_a_response(port: int) -> None:
    number = next(_numbers)
    _expect(await _exchange(port, "POST", f"/soak/later/{number}"), {"number": number})
    for _ in range(TRIES):
        if json.loads(await _exchange(port, "GET", f"/soak/done/{number}"))["done"]:
            return
        await asyncio.sleep(PAUSE_S)
    raise Wrong("the function has not run")


async def _websocket(port: int) -> None:
    reader, writer = await handshake(port, "/soak/echo")
    with contextlib.closing(writer):
        for number in range(random.randrange(MESSAGES)):
            text = f"message {number} {'x' * random.randrange(100)}".encode()
            writer.write(frame(0x81, text))
            echo = bytes([0x81, len(text)]) + text
            if await reader.readexactly(len(echo)) != echo:
                raise Wrong("the echo is not the message")
        writer.write(frame(0x88, (1000).to_bytes(2, "big")))
        head, size = await reader.readexactly(2)
        if head != 0x88 or (await reader.readexactly(size))[:2] != b"\x03\xe8":
            raise Wrong("no close follows a close")


async def _leave_a_stream(port: int) -> None:
    reader, writer = await _send(port, "GET", "/soak/endless")
    await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(random.randrange(1, 500))
    writer.transport.abort()


async def _leave_a_websocket(port: int) -> None:
    _, writer = await handshake(port, "/soak/echo")
    writer.write(frame(0x81, b"the last message"))
    writer.transport.abort()


async def leave_an_upload(port: int) -> None:
    head = f"POST {random.choice(['/soak/raw', '/soak/chunks', '/soak/form'])} HTTP/1.1\r\n"
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{head}Host: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n".encode())
    writer.write(random.randbytes(random.randrange(50_000)))
    await writer.drain()
    writer.transport.abort()


async def leave_a_request(port: int) -> None:
    path = random.choice(["/soak/async", "/soak/pool", "/soak/alpha"])
    _, writer = await _send(port, "GET", path)
    await asyncio.sleep(random.choice([0.0, 0.005]))
    writer.transport.abort()


_VISITS = (
    raw_upload,
    _multipart_upload,
    _event_stream,
    _function_after_a_response,
    _websocket,
    _leave_a_stream,
    _leave_a_websocket,
    leave_an_upload,
    leave_a_request,
)


def _facts(data: bytes) -> dict[str, object]:
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _expect(body: bytes, expected: object) -> None:
    if json.loads(body) != expected:
        raise Wrong(f"{body[:200]!r} instead of {expected}")


async def _exchange(
    port: int, method: str, path: str, body: bytes = b"", kind: str = "application/octet-stream"
) -> bytes:
    reader, writer = await _send(port, method, path, body, kind)
    with contextlib.closing(writer):
        status, response, _ = await receive(reader)
    if status != 200:
        raise Wrong(f"{method} {path}: {status} {response[:200]!r}")
    return response


async def _send(
    port: int, method: str, path: str, body: bytes = b"", kind: str = "application/octet-stream"
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
    if body or method == "POST":
        head += f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    writer.write(f"{head}\r\n".encode() + body)
    await writer.drain()
    return reader, writer
