"""The scopes of ASGI, and the headers of both directions.

Owns their shapes. Never calls an application.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from typing import Any

from .._host import Exchange

AsgiScope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]

VERSIONS = {"version": "3.0", "spec_version": "2.4"}


def http_scope(exchange: Exchange, root_path: str, state: dict[str, Any]) -> AsgiScope:
    """Make the scope of a request."""
    version, raw_path, query, headers, client, server, scheme = exchange.head()
    return {
        "type": "http",
        "asgi": VERSIONS.copy(),
        "http_version": version,
        "method": exchange.method,
        "scheme": scheme,
        "path": path_of(exchange.path, root_path),
        "raw_path": raw_path,
        "query_string": query,
        "root_path": root_path,
        "headers": headers,
        "client": client,
        "server": server,
        "state": state.copy(),
        "extensions": {"http.response.pathsend": {}, "http.response.trailers": {}},
    }


def websocket_scope(exchange: Exchange, root_path: str, state: dict[str, Any]) -> AsgiScope:
    """Make the scope of a WebSocket."""
    scope = http_scope(exchange, root_path, state)
    scope["type"], scope["scheme"] = "websocket", scope["scheme"].replace("http", "ws")
    del scope["method"]
    offered = [value for name, value in scope["headers"] if name == b"sec-websocket-protocol"]
    names = b",".join(offered).decode("latin-1").split(",")
    scope["subprotocols"] = [name.strip() for name in names if name.strip()]
    scope["extensions"] = {"websocket.http.response": {}}
    return scope


def path_of(path: str, root_path: str) -> str:
    """Return a decoded path that begins with the prefix, also if it has several slashes there."""
    if root_path and path[:2] == "//":
        return "/" + path.lstrip("/")
    return path


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
