"""A response, as a test reads it.

Owns `ClientResponse`. Never sends a request.
"""

from __future__ import annotations

import http.client
import json as json_module
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any

from .._core.cookies import unquote_value
from ..headers import Headers
from . import connection


class ClientResponse:
    """A response: `status`, `headers` (names in any case), and the body, read when it is asked for.

    As an iterable of a stream: `iter_bytes`, `iter_lines`, `iter_events`.
    """

    def __init__(self, response: http.client.HTTPResponse, url: str) -> None:
        self._response = response
        self._content: bytes | None = None
        self.status: int = response.status
        self.headers: Headers = Headers(
            [(name.lower(), value) for name, value in response.getheaders()]
        )
        self.url: str = url

    @property
    def status_code(self) -> int:
        """The status, by the name that requests and httpx give it."""
        return self.status

    @property
    def content(self) -> bytes:
        """The body. Raises what the handler raised if the stream broke off."""
        if self._content is None:
            with raise_handler_errors():
                self._content = self._response.read()
        return self._content

    data = content

    @property
    def text(self) -> str:
        """The body as text, in the charset of its content type, else in UTF-8."""
        charset = self._response.headers.get_content_charset() or "utf-8"
        return self.content.decode(charset, "replace")

    def json(self) -> Any:
        """Parse the body as JSON. Raises ValueError with the body's first characters."""
        try:
            return json_module.loads(self.content)
        except ValueError as error:
            start = self.text[:200]
            raise ValueError(f"the response {self.status} is not JSON ({error}): {start}") from None

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies that this response sets."""
        return {name: value for name, value, _ in set_cookies(self.headers)}

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    def raise_for_status(self) -> ClientResponse:
        """Raise AssertionError, with the body, if the status is 400 or more."""
        if self.status >= 400:
            raise AssertionError(f"{self.url} gave {self.status}: {self.text[:1000]}")
        return self

    def iter_bytes(self) -> Iterator[bytes]:
        """Yield the body in chunks as they arrive."""
        with raise_handler_errors():
            while chunk := self._response.read1(connection.RECEIVE_BYTES):
                yield chunk

    def iter_lines(self) -> Iterator[str]:
        """Yield the lines of the body as they arrive, without their ends."""
        rest = b""
        for chunk in self.iter_bytes():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield line.removesuffix(b"\r").decode("utf-8", "replace")
        if rest:
            yield rest.decode("utf-8", "replace")

    def iter_events(self) -> Iterator[dict[str, str]]:
        """Yield server-sent events: `data`, and `event`, `id` and `retry` where they are sent."""
        event: dict[str, str] = {}
        for line in self.iter_lines():
            if not line:
                if "data" in event:
                    yield event
                event = {}
                continue
            name, _, value = line.partition(":")
            if name:  # a line that starts with a colon is a comment
                value = value.removeprefix(" ")
                is_more = name == "data" and "data" in event
                event[name] = f"{event['data']}\n{value}" if is_more else value

    def __repr__(self) -> str:
        return f"<ClientResponse {self.status} {self.url}>"


def set_cookies(headers: Headers) -> Iterator[tuple[str, str, bool]]:
    """Yield the cookies that a response sets: name, value, and whether it is expired."""
    for line in headers.get_all("set-cookie"):
        pair, *attributes = line.split(";")
        name, _, value = pair.partition("=")
        yield name.strip(), unquote_value(value.strip()), _is_expired(attributes)


def _is_expired(attributes: list[str]) -> bool:
    given = {}
    for attribute in attributes:
        name, _, value = attribute.partition("=")
        given[name.strip().lower()] = value.strip()
    try:
        if "max-age" in given:
            return int(given["max-age"]) <= 0
        return parsedate_to_datetime(given["expires"]).timestamp() < time.time()
    except (KeyError, ValueError):
        return False


@contextmanager
def raise_handler_errors() -> Iterator[None]:
    """Raise what a handler raised in place of the end of its connection."""
    try:
        yield
    except (http.client.IncompleteRead, ConnectionError):
        error = connection.take_last_exception()
        if error is None:
            raise
        raise error from None
