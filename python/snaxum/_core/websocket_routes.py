"""The routes of WebSocket handlers.

Owns `WebSocketRoute` and the checks of a handler. Never runs one (`_runtime.sockets`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ..headers import is_token
from ..routing import Route
from . import calls
from .handlers import Handler, code_of, where
from .hooks import Scope
from .late_module import late_module
from .route_errors import RouteError

if TYPE_CHECKING:
    import inspect
else:
    inspect = late_module("inspect")


class WebSocketRoute(Route):
    """The route of a WebSocket handler; its method in the table is `WS`."""

    __slots__ = ("subprotocols",)

    def __init__(
        self,
        pattern: str,
        handler: Handler,
        subprotocols: Iterable[str] = (),
        *,
        scope: Scope | None = None,
    ) -> None:
        super().__init__(pattern, None, handler, scope=scope)
        names = [subprotocols] if isinstance(subprotocols, str) else list(subprotocols)
        for name in names:
            if not isinstance(name, str) or not is_token(name):
                raise RouteError(
                    f"`@websocket({pattern!r})` at {where(handler)}: {name!r} is not a "
                    "subprotocol; write a name without spaces such as 'chat.v1'"
                )
        self.subprotocols: tuple[str, ...] = tuple(names)
        self._check_kind()
        code = code_of(handler)
        if code is not None and code.co_flags & (inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR):
            raise RouteError(
                f"`@websocket({pattern!r})` at {where(handler)}: the handler has a `yield`; send "
                "with `await ws.send(...)`"
            )

    @property
    def mode(self) -> str:
        return "websocket"

    def _checked(self, methods: Iterable[str] | None) -> tuple[str, ...]:
        return ("WS",)

    def _plan(self, *, is_last: bool = False) -> None:
        super()._plan(is_last=is_last)
        for each in self.arguments or ():
            if each.source == "request" and each.is_annotated:
                each.source = "handshake"
        self.call: Handler = calls.bind(self.handler, self.arguments, with_pool=False)

    def _check_kind(self) -> None:
        """Raise RouteError for a handler whose annotation promises the other kind of WebSocket."""
        from ..websockets import BlockingWebSocket, WebSocket

        wrong: type = BlockingWebSocket if self.is_async else WebSocket
        try:
            parameters = inspect.signature(self.handler).parameters.values()
        except (TypeError, ValueError, NameError):
            return
        for each in parameters:
            annotation = each.annotation
            name = annotation.rpartition(".")[2] if isinstance(annotation, str) else None
            if annotation is wrong or name == wrong.__name__:
                kind, right = (
                    ("an `async def`", "WebSocket")
                    if self.is_async
                    else ("a `def`", "BlockingWebSocket")
                )
                raise RouteError(
                    f"`@websocket({self.pattern!r})` at {where(self.handler)}: {kind} handler gets "
                    f"a `{right}`; change the annotation of `{each.name}`"
                    + ("" if self.is_async else ", or write `async def`")
                )
