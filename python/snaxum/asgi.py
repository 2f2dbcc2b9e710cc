"""A project as an ASGI 3 application, for other servers and their test clients.

Owns the application object. It loads its project with its lifespan, or else with the first request,
and never at import.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

__all__ = ["ProjectApp", "app", "create_app"]

_Scope = MutableMapping[str, Any]
_Message = MutableMapping[str, Any]


class ProjectApp:
    """An ASGI 3 application that responds as `snaxum serve` does; `create_app` makes one."""

    def __init__(self, project: str | None) -> None:
        self._project = project

    async def __call__(
        self,
        scope: _Scope,
        receive: Callable[[], Awaitable[_Message]],
        send: Callable[[_Message], Awaitable[None]],
    ) -> None:
        """Respond to a request, a WebSocket or a lifespan."""
        if scope["type"] == "http":
            from ._asgi import http_request

            await http_request.respond(self._project, scope, receive, send)
        elif scope["type"] == "websocket":
            from ._asgi import websocket_request

            await websocket_request.serve(self._project, scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            raise ValueError(f"a server of ASGI 3 sends no scope of the type {scope['type']!r}")

    async def _live(
        self,
        receive: Callable[[], Awaitable[_Message]],
        send: Callable[[_Message], Awaitable[None]],
    ) -> None:
        from ._asgi import project

        await receive()
        try:
            await asyncio.to_thread(project.begin, self._project)
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            raise  # a test client shows it
        try:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        finally:
            await asyncio.to_thread(project.end)
        await send({"type": "lifespan.shutdown.complete"})


def create_app(project: str | os.PathLike[str] | None = None) -> ProjectApp:
    """Make the application of the project in a directory.

    `SNAXUM_PROJECT` names the default, or else it is the nearest directory from the working
    directory upwards that has `python/`, or `[tool.snaxum]` in a pyproject.toml. A process has one
    project: another one raises ValueError.
    """
    return ProjectApp(None if project is None else os.path.abspath(project))


app: ProjectApp = create_app()
