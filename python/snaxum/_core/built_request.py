"""The raw request of a unit test, in place of Rust's.

Owns its parts. Never parses them (`snaxum.request`).
"""

from __future__ import annotations


class BuiltRequest:
    """Replaces the request of Rust in `Request.build`."""

    def __init__(
        self, method: str, path: str, query: str, headers: list[tuple[str, str]], data: bytes
    ) -> None:
        self.method, self.path, self.query = method, path, query
        self._headers, self._data = headers, data

    def headers(self) -> list[tuple[str, str]]:
        return self._headers

    def body(self) -> bytes:
        return self._data

    def origin(self) -> tuple[None, str, str]:
        named = [value for name, value in self._headers if name.lower() == "host"]
        return None, "http", named[0] if named else "testserver"

    def form(self) -> None:
        return None
