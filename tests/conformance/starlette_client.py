"""Starlette's `TestClient` over a socket, for the tests of Starlette.

Owns the replacements: of its transport, its WebSocket session and its lifespan. The rest of the
client is Starlette's. As there, an exception of the application is raised by the client. Never
changes a test.
"""

from __future__ import annotations

import json
import socket
from typing import Any

import calls
import connection
import starlette.testclient as original
from starlette.websockets import WebSocketDisconnect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from snaxum._hosts.lifespan import Lifespan
from snaxum.mounts import Mount

httpx = original.httpx

# Headers of the handshake that the client of `websockets` makes itself.
_HANDSHAKE = ("connection", "host", "upgrade", "user-agent")


def install() -> None:
    """Replace the parts of the test client."""
    original._TestClientTransport = SocketTransport  # type: ignore[assignment,misc]
    original.TestClient.__enter__ = _enter  # type: ignore[method-assign,assignment]
    original.TestClient.__exit__ = _exit  # type: ignore[method-assign,assignment]


class SocketTransport(httpx.BaseTransport):  # type: ignore[misc]
    """Sends the requests of a test client to the server."""

    def __init__(
        self,
        app: Any,
        portal_factory: Any,
        raise_server_exceptions: bool = True,
        root_path: str = "",
        *,
        client: tuple[str, int],
        app_state: dict[str, Any],
    ) -> None:
        self._app = app
        self._raises = raise_server_exceptions
        self._root_path = root_path
        self._client = client
        self._state = app_state

    def handle_request(self, request: Any) -> Any:
        overrides: dict[str, Any] = {
            "client": self._client,
            "state": self._state.copy(),
        }
        overrides["scheme"] = request.url.scheme
        if self._root_path:
            overrides["root_path"] = self._root_path
        key, call = calls.open_call(self._app, **overrides)
        if request.url.scheme in ("ws", "wss"):
            raise original._Upgrade(SocketSession(key, call, request))
        body = request.read()
        raw = [
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw
        ]
        target = request.url.raw_path.decode("ascii")
        received = connection.send(request.method, target, [*raw, (calls.HEADER, key)], body)
        assert call.wait(), "the application has not ended"
        if call.error is not None and self._raises:
            raise call.error
        assert received.is_whole or call.error is not None, "the server has broken the response off"
        response = httpx.Response(
            received.status,
            headers=[(name.encode(), value.encode("latin-1")) for name, value in received.headers],
            stream=httpx.ByteStream(received.body),
            request=request,
        )
        debug = call.sent.get("http.response.debug")
        if debug is not None:
            info = response.extensions["http.response.debug"] = debug["info"]
            response.template = info.get("template")
            response.context = info.get("context")
        return response


class SocketSession(original.WebSocketTestSession):
    """A WebSocket to the server, with the methods of the test client's."""

    def __init__(self, key: str, call: calls.Call, request: Any) -> None:
        self._key = key
        self._call = call
        self._request = request
        self._is_closed = False
        self.accepted_subprotocol = None
        self.extra_headers: Any = None

    def __enter__(self) -> SocketSession:
        url = self._request.url
        headers = [
            (name, value)
            for name, value in self._request.headers.multi_items()
            if name not in _HANDSHAKE and not name.startswith("sec-websocket")
        ]
        offered = self._request.headers.get("sec-websocket-protocol")
        host = self._request.headers["host"]
        try:
            self._socket = connect(
                f"ws://{host}{url.raw_path.decode('ascii')}",
                sock=socket.create_connection(calls.address),
                additional_headers=[*headers, (calls.HEADER, self._key)],
                user_agent_header=self._request.headers.get("user-agent"),
                subprotocols=[each.strip() for each in offered.split(",")] if offered else None,
                compression=None,
                max_size=None,
                ping_interval=None,
                legacy=True,  # without a context manager
            )
        except InvalidStatus as refused:
            self._raise_refusal(refused.response)
        response = self._socket.response
        assert response is not None, "the handshake is complete"
        self.accepted_subprotocol = self._socket.subprotocol  # type: ignore[assignment]
        self.extra_headers = [
            (name.lower().encode(), value.encode())
            for name, value in response.headers.raw_items()
            if name.lower() not in ("connection", "upgrade", "date")
            and not name.lower().startswith("sec-websocket")
        ]
        return self

    def _raise_refusal(self, response: Any) -> None:
        assert self._call.wait(), "the application has not ended"
        if self._call.error is not None:
            raise self._call.error
        closed = self._call.sent.get("websocket.close")
        if closed is not None:
            # The code is not on the wire: the specification wants a 403.
            assert response.status_code == 403, response.status_code
            raise WebSocketDisconnect(closed.get("code", 1000), closed.get("reason") or "")
        raise original.WebSocketDenialResponse(
            status_code=response.status_code,
            headers=list(response.headers.raw_items()),
            content=bytes(response.body or b""),
        )

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._is_closed = True
        self._socket.close()
        has_ended = self._call.wait()
        raised = self._call.error
        # A client in memory takes each message, also after its close.
        is_refusal = raised is not None and isinstance(raised.__context__, OSError)
        if raised is not None and raised is not error and not is_refusal:
            raise raised
        assert has_ended, "the application has not ended after the close"

    def send(self, message: Any) -> None:
        if message["type"] == "websocket.disconnect":
            self._socket.close(message["code"], message.get("reason") or "")
            return
        data = message.get("text")
        try:
            self._socket.send(message["bytes"] if data is None else data)
        except ConnectionClosed:
            pass  # as the test client, which has no network

    def receive(self) -> Any:
        try:
            data = self._socket.recv(timeout=calls.LIMIT_S)
        except ConnectionClosed as closed:
            self._call.wait()
            if self._call.error is not None:
                raise self._call.error from None
            end = closed.rcvd
            code, reason = (end.code, end.reason) if end else (1006, "")
            return {"type": "websocket.close", "code": code, "reason": reason}
        return {
            "type": "websocket.send",
            "text" if isinstance(data, str) else "bytes": data,
        }

    def receive_json(self, mode: Any = "text") -> Any:
        message = self.receive()
        self._raise_on_close(message)
        return json.loads(message["text"] if mode == "text" else message["bytes"])


def _enter(self: Any) -> Any:
    """Start the lifespan of the application by the server's own code."""
    mount = Mount("", self.app, "asgi", module=__name__, name="app", file=__file__, line=1)
    self._lifespan = Lifespan(mount)
    self._lifespan.state = self.app_state
    calls.requests[calls.current_test] = calls.requests.get(calls.current_test, 0) + 1
    self._lifespan.start()
    return self


def _exit(self: Any, *args: Any) -> None:
    """End it; the server logs an exception, and the test client raises it."""
    run = self._lifespan._run
    self._lifespan.stop()
    if run is not None and run._error is not None and run._is_stopping.is_set():
        raise run._error
