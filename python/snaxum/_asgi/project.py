"""The project of this process, for another server: its load, its end, and connections to it.

Owns the choice of the project. A process has one. Never reads a message of ASGI.
"""

from __future__ import annotations

import asyncio
import functools
import os
import socket
import threading
from typing import Any

from .._reload import user_paths
from .._runtime import respond
from .._testing import connection, in_process
from .http1 import LINE_BYTES

# Names the directory of the project.
VARIABLE = "SNAXUM_PROJECT"
_WAY_OUT = "install the wheel of snaxum in the environment of this server"

_lock = threading.Lock()
# The number of lifespans of a project that the first of them has loaded.
_lifespans = 0


def begin(project: str | None) -> None:
    """Load the project for a lifespan, unless this process has loaded it.

    Raises RuntimeError if it does not load, and ValueError if this process has another one.
    """
    global _lifespans
    with _lock:
        if _load(project) or _lifespans:
            _lifespans += 1


def end() -> None:
    """End the project with its last lifespan, if the first one has loaded it."""
    global _lifespans
    with _lock:
        if _lifespans:
            _lifespans -= 1
            if not _lifespans:
                in_process.unload()
                connection.forget_exceptions()


async def connect(
    project: str | None, scope: Any
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a connection for a request; return its reader and its writer.

    Loads the project if no lifespan has, to its end with the process. Raises as `begin` does.
    """
    if connection.is_loaded():
        _check_project(_wanted(project))
    else:
        await asyncio.to_thread(_load_for_requests, project)
    respond.on_exception = connection.record_exception
    outer = (
        _address(scope.get("client")),
        _address(scope.get("server")),
        scope.get("scheme") in ("https", "wss"),
    )
    host = connection.loaded().host
    try:
        descriptor = host.connect_socket(*outer)
    except RuntimeError:
        raise RuntimeError(
            "`snaxum.asgi` serves a project under another server, and this process is a server of "
            "Snaxum already; remove it, and use `mount` for an application of another framework"
        ) from None
    ours = socket.socket(fileno=descriptor)
    return await asyncio.open_unix_connection(sock=ours, limit=LINE_BYTES)


async def close(writer: asyncio.StreamWriter, sending: asyncio.Future[None]) -> None:
    """Cancel the task that writes to a connection, wait for its end, and close the connection."""
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    writer.close()


def _load_for_requests(project: str | None) -> None:
    with _lock:
        _load(project)


def _load(project: str | None) -> bool:
    """Load the project; False if this process has loaded it already."""
    wanted = _wanted(project)
    if not connection.is_loaded():
        in_process.load(wanted, _WAY_OUT)
        return True
    _check_project(wanted)
    return False


def _wanted(project: str | None) -> str | None:
    return os.environ.get(VARIABLE) or None if project is None else project


def _check_project(wanted: str | None) -> None:
    """Raise ValueError if another project than the wanted one is loaded."""
    loaded = connection.loaded().project
    if wanted is not None and not _is_same(wanted, loaded):
        raise ValueError(
            f"this process serves the project {user_paths.display_path(loaded)!r}, and not "
            f"{wanted!r}; a process has one project, start another one"
        )


@functools.lru_cache(16)
def _is_same(wanted: str, loaded: str) -> bool:
    return os.path.realpath(wanted) == os.path.realpath(loaded)


def _address(given: Any) -> tuple[str, int] | None:
    """Return an address with a port, which some servers write as text; a file has none."""
    try:
        host, port = given
        number = int(port)
    except (TypeError, ValueError):
        return None
    return (str(host), number) if 0 <= number < 1 << 16 else None
