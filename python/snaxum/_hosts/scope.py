"""The scopes of ASGI, and the messages of an application that are not allowed.

Owns the scope of a WebSocket; Rust makes that of a request. Never calls an application.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from typing import Any

from .._host import Exchange
from .._hosted_api import AsgiApplication

AsgiScope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]

VERSIONS = {"version": "3.0", "spec_version": "2.4"}


def websocket_scope(application: AsgiApplication, exchange: Exchange) -> AsgiScope:
    """Make the scope of a WebSocket."""
    scope = application.scope(exchange)
    scope["type"], scope["scheme"] = "websocket", scope["scheme"].replace("http", "ws")
    del scope["method"]
    offered = [value for name, value in scope["headers"] if name == b"sec-websocket-protocol"]
    names = b",".join(offered).decode("latin-1").split(",")
    scope["subprotocols"] = [name.strip() for name in names if name.strip()]
    scope["extensions"] = {"websocket.http.response": {}}
    return scope


def texts_of(headers: Iterable[Any]) -> list[tuple[str, str]]:
    """Return the headers of a message, with names in lower case, for Rust."""
    return [
        (bytes(name).decode("latin-1").lower(), bytes(value).decode("latin-1"))
        for name, value in headers
    ]


def checked_status(status: Any) -> int:
    """Return the status of a response. Raises ValueError for one that ends none, as 101."""
    number = int(status)
    if not 200 <= number <= 999:
        raise ValueError(f"the application sent the status {number}; a response has 200 to 999")
    return number


class ClientDisconnected(OSError):
    """Raised by `send` once the client has left."""

    def __init__(self) -> None:
        super().__init__("the client has left")


def unexpected(message: Message, *expected: str) -> RuntimeError:
    """Return the error of a message that is not allowed now."""
    listed = " or ".join(f"`{each}`" for each in expected)
    return RuntimeError(
        f"the application sent `{message.get('type')}` where the server expects {listed}"
    )
