"""Compares what the server passes to applications with the specifications.

Owns the findings. ASGI: each scope and each message by the types of `asgiref.typing`. WSGI: each
environ by `wsgiref.validate`, and the calls of `close`. Never checks an application.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Any
from wsgiref.validate import check_environ

import asgiref.typing as types
from typeguard import TypeCheckError, check_type

_SCOPES = {"http": types.HTTPScope, "websocket": types.WebSocketScope}
_MESSAGES = {
    "http.request": types.HTTPRequestEvent,
    "http.disconnect": types.HTTPDisconnectEvent,
    "websocket.connect": types.WebSocketConnectEvent,
    "websocket.receive": types.WebSocketReceiveEvent,
    "websocket.disconnect": types.WebSocketDisconnectEvent,
}
# The specification has them optional, and the types require both.
_OPTIONAL = {"text": None, "bytes": None}

findings: set[str] = set()
counts = {"scopes": 0, "messages": 0, "environs": 0, "iterables": 0}


def check_scope(scope: Any) -> None:
    """Check the scope of a request or a WebSocket."""
    counts["scopes"] += 1
    _check(scope, _SCOPES[scope["type"]])
    if not scope["path"].startswith(scope["root_path"]):
        findings.add("`path` does not begin with `root_path`")
    if any(name != name.lower() for name, _ in scope["headers"]):
        findings.add("a header name of a scope is not in lower case")


def check_message(message: Any) -> None:
    """Check a message that the application receives."""
    counts["messages"] += 1
    kind = message["type"]
    if kind not in _MESSAGES:
        findings.add(f"a message of the type {kind}")
        return
    if kind == "websocket.receive":
        if (message.get("text") is None) == (message.get("bytes") is None):
            findings.add("`websocket.receive` has both of `text` and `bytes`, or none")
        message = {**_OPTIONAL, **message}
    _check(message, _MESSAGES[kind])


def _check(value: Any, kind: Any) -> None:
    try:
        check_type(value, kind)
    except TypeCheckError as problem:
        findings.add(f"{kind.__name__}: {problem}")


def check_wsgi(environ: dict[str, Any]) -> None:
    """Check an environ, before an application changes it."""
    counts["environs"] += 1
    try:
        check_environ(environ)
    except AssertionError as problem:
        findings.add(f"environ: {problem}")


class CheckedIterable:
    """The iterable of an application: `close` is called once, and nothing is read after it."""

    _all: list[CheckedIterable] = []  # noqa: RUF012

    def __init__(self, given: Iterable[bytes], ended: Any) -> None:
        counts["iterables"] += 1
        self._given = given
        self._parts: Iterator[bytes] | None = None
        self._ended = ended
        self._closed = 0
        self._lock = threading.Lock()
        CheckedIterable._all.append(self)

    def __iter__(self) -> Iterator[bytes]:
        self._parts = iter(self._given)
        return self

    def __next__(self) -> bytes:
        if self._closed:
            findings.add("the server has read an iterable after its `close`")
        assert self._parts is not None, "`__iter__` comes first"
        return next(self._parts)

    def close(self) -> None:
        with self._lock:
            self._closed += 1
        try:
            close = getattr(self._given, "close", None)
            if close is not None:
                close()
        finally:
            self._ended()

    @classmethod
    def check_all(cls) -> None:
        """Check the calls of `close`, after all requests."""
        wrong = [each._closed for each in cls._all if each._closed != 1]
        if wrong:
            findings.add(f"`close` was not called once for {len(wrong)} iterables: {set(wrong)}")
