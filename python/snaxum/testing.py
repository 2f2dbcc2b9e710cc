"""A client for tests: sends requests to the project in this process, without a socket.

Owns `Client` and `override`. Each request is parsed, limited
and dispatched like one of a socket. Never loads a project itself (`_testing.in_process`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

from ._core.cookies import quote_value
from ._core.json_encoding import dumps
from ._core.websocket_frames import accept_of, new_key
from ._reload import user_paths
from ._runtime.generations import current
from ._testing import connection, forms
from ._testing.client_response import ClientResponse, raise_handler_errors, set_cookies
from ._testing.websocket import WebSocketSession
from .websockets import WebSocketClosed

__all__ = ["Client", "ClientResponse", "WebSocketClosed", "WebSocketSession", "override"]

Params = Mapping[str, Any] | Iterable[tuple[str, Any]] | str | None
FilesToSend = Mapping[str, Any]

MAX_REDIRECTS = 20
REDIRECTS = (301, 302, 303, 307, 308)
# The characters that are sent as they are, as by a browser; `%` begins an escape.
_IN_URL = "!#$%&'()*+,/:;=?@[\\]^|~"


class Client:
    """Sends requests to the project that this process has loaded.

    `snaxum test` loads one. In a plain pytest the first client does, if the wheel of snaxum is
    installed. `project` is its directory, by default the loaded one, else the nearest one that has
    `python/`, from the working directory upwards; another one is a ValueError. `headers`
    go with each request, and cookies that a response sets with the later ones. Exceptions that a
    handler raises are raised here, unless `raise_exceptions` is false: then the response is a 500.
    A request raises TimeoutError after `timeout` seconds without a byte.
    """

    def __init__(
        self,
        project: str | os.PathLike[str] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        cookies: Mapping[str, str] | None = None,
        raise_exceptions: bool = True,
        follow_redirects: bool = False,
        timeout: float | None = 60.0,
    ) -> None:
        if project is not None:
            _check_project(os.fspath(project))
        self.headers: dict[str, str] = dict(headers or {})
        self.cookies: dict[str, str] = dict(cookies or {})
        self.raise_exceptions: bool = raise_exceptions
        self.follow_redirects: bool = follow_redirects
        self._timeout = timeout
        self._connection: connection.Connection | None = None

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Params = None,
        headers: Mapping[str, str] | None = None,
        cookies: Mapping[str, str] | None = None,
        json: Any = None,
        data: Mapping[str, Any] | bytes | str | None = None,
        files: FilesToSend | None = None,
        follow_redirects: bool | None = None,
    ) -> ClientResponse:
        """Send a request and return the whole response.

        `json` is sent as JSON, a mapping as `data` as a form, bytes or text as they are. `files`
        makes the form multipart: a value is bytes, text, an open file, or a tuple of file name,
        content and, if it is needed, content type.
        """
        body, content_type = _body(json, data, files)
        given = dict(headers or {})
        if content_type is not None and not any(name.lower() == "content-type" for name in given):
            given["content-type"] = content_type
        follows = self.follow_redirects if follow_redirects is None else follow_redirects
        url = _with_params(path, params)
        for _ in range(MAX_REDIRECTS):
            response = self._send(method, url, given, cookies, body)
            _ = response.content
            location = response.headers.get("location", "")
            if not (follows and response.status in REDIRECTS and location):
                return response
            url = _path_of(urljoin(f"http://testserver{url}", location))
            if response.status == 303 or (response.status in (301, 302) and method == "POST"):
                method, body = "GET", None
                given = {n: v for n, v in given.items() if n.lower() != "content-type"}
        raise RuntimeError(f"more than {MAX_REDIRECTS} redirects; the last was to {url}")

    def get(self, path: str, **options: Any) -> ClientResponse:
        """Send GET; `request` explains the options."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> ClientResponse:
        """Send POST; `request` explains the options."""
        return self.request("POST", path, **options)

    def put(self, path: str, **options: Any) -> ClientResponse:
        """Send PUT; `request` explains the options."""
        return self.request("PUT", path, **options)

    def patch(self, path: str, **options: Any) -> ClientResponse:
        """Send PATCH; `request` explains the options."""
        return self.request("PATCH", path, **options)

    def delete(self, path: str, **options: Any) -> ClientResponse:
        """Send DELETE; `request` explains the options."""
        return self.request("DELETE", path, **options)

    def head(self, path: str, **options: Any) -> ClientResponse:
        """Send HEAD; `request` explains the options."""
        return self.request("HEAD", path, **options)

    def options(self, path: str, **options: Any) -> ClientResponse:
        """Send OPTIONS; `request` explains the options."""
        return self.request("OPTIONS", path, **options)

    @contextmanager
    def stream(
        self,
        method: str,
        path: str,
        *,
        params: Params = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        data: Mapping[str, Any] | bytes | str | None = None,
    ) -> Iterator[ClientResponse]:
        """Send a request and return the response once it begins; at the end the client leaves."""
        body, content_type = _body(json, data, None)
        given = dict(headers or {})
        if content_type is not None:
            given.setdefault("content-type", content_type)
        own = connection.Connection(self._timeout)
        try:
            yield self._send(method, _with_params(path, params), given, None, body, own)
        finally:
            own.close()

    def websocket(
        self,
        path: str,
        *,
        params: Params = None,
        headers: Mapping[str, str] | None = None,
        subprotocols: Iterable[str] = (),
    ) -> WebSocketSession:
        """Open a WebSocket; use it as a context manager.

        Raises ConnectionRefusedError with the response if the server does not accept it.
        """
        key = new_key()
        given = {
            **self._headers(headers, None),
            "connection": "Upgrade",
            "upgrade": "websocket",
            "sec-websocket-version": "13",
            "sec-websocket-key": key,
        }
        if names := ", ".join(subprotocols):
            given["sec-websocket-protocol"] = names
        own = connection.Connection(self._timeout)
        own.request("GET", _with_params(path, params), headers=given)
        response = own.getresponse()
        if response.status != 101:
            text = response.read().decode("utf-8", "replace")
            own.close()
            raise ConnectionRefusedError(f"{path} gave {response.status}: {text[:1000]}")
        if response.getheader("sec-websocket-accept") != accept_of(key):
            own.close()
            raise ConnectionRefusedError(f"{path} gave a wrong Sec-WebSocket-Accept")
        return WebSocketSession(own.sock, response.getheader("sec-websocket-protocol"))

    def close(self) -> None:
        """Close the connection; another request opens a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        cookies: Mapping[str, str] | None,
        body: bytes | None,
        own: connection.Connection | None = None,
    ) -> ClientResponse:
        sender = own or self._connection
        if sender is None:
            sender = self._connection = connection.Connection(self._timeout)
        try:
            with raise_handler_errors():
                sender.request(method, url, body, self._headers(headers, cookies))
                response = ClientResponse(sender.getresponse(), url)
        except BaseException:
            sender.close()
            if sender is self._connection:
                self._connection = None
            raise
        for name, value, is_expired in set_cookies(response.headers):
            self.cookies.pop(name, None)
            if not is_expired:
                self.cookies[name] = value
        if response.status == 500:
            self._raise_exception(response)
        return response

    def _headers(
        self, headers: Mapping[str, str] | None, cookies: Mapping[str, str] | None
    ) -> dict[str, str]:
        merged = {name.lower(): value for name, value in self.headers.items()}
        merged.update((name.lower(), value) for name, value in (headers or {}).items())
        sent = {**self.cookies, **(cookies or {})}
        if sent:
            merged.setdefault("cookie", "; ".join(f"{n}={quote_value(v)}" for n, v in sent.items()))
        return merged

    def _raise_exception(self, response: ClientResponse) -> None:
        if "application/problem+json" not in response.headers.get("content-type", ""):
            return
        error = connection.take_exception(str(response.json().get("request_id")))
        if error is not None and self.raise_exceptions:
            raise error


@contextmanager
def override(key: str, value: object) -> Iterator[None]:
    """Replace the value that modules got from `keep(key, ...)`, for the duration of a `with` block.

    Every global name of a user module that refers to the kept value refers to `value` meanwhile.
    Raises KeyError with the keys that exist, and LookupError if no global refers to the value.
    """
    connection.loaded()
    kept = current().kept
    if key not in kept:
        names = ", ".join(map(repr, sorted(kept))) or "none"
        raise KeyError(f"no module calls `keep` with the key {key!r}; the keys are: {names}")
    original, places = kept[key].value, []
    for name in current().graph.nodes:
        namespace = vars(sys.modules[name]) if name in sys.modules else {}
        places += [(namespace, each) for each, found in namespace.items() if found is original]
    if not places:
        raise LookupError(
            f"no global refers to the value of {key!r}; assign it to one of its module"
        )
    for namespace, name in places:
        namespace[name] = value
    try:
        yield
    finally:
        for namespace, name in places:
            namespace[name] = original


def _check_project(project: str) -> None:
    loaded = connection.loaded(project).project
    if os.path.realpath(project) != os.path.realpath(loaded):
        shown = user_paths.display_path(loaded)
        raise ValueError(
            f"this process has loaded the project {shown!r}, not {project!r}; run "
            f"`snaxum test {project}`"
        )


def _with_params(path: str, params: Params) -> str:
    if not path.startswith("/"):
        path = _path_of(path) if "://" in path else f"/{path}"
    path = quote(path, safe=_IN_URL)
    if not params:
        return path
    query = params if isinstance(params, str) else urlencode(_pairs(params), doseq=True)
    return f"{path}{'&' if '?' in path else '?'}{query}"


def _pairs(params: Any) -> list[tuple[str, Any]]:
    pairs = list(params.items() if isinstance(params, Mapping) else params)
    # As in URLs of JavaScript and in JSON, not as Python writes them.
    names = {True: "true", False: "false"}
    return [
        (name, names[value] if isinstance(value, bool) else value)
        for name, value in pairs
        if value is not None
    ]


def _path_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"


def _body(json: Any, data: Any, files: FilesToSend | None) -> tuple[bytes | None, str | None]:
    """Return the body and its content type. Raises ValueError for two bodies."""
    if json is not None and (data is not None or files is not None):
        raise ValueError("json is given beside data or files; a request has one body")
    if json is not None:
        return dumps(json), "application/json"
    if files is not None:
        return forms.multipart(_pairs(data or {}), files)
    if isinstance(data, str):
        return data.encode(), "text/plain; charset=utf-8"
    if data is None or isinstance(data, bytes):
        return data, None
    return urlencode(_pairs(data), doseq=True).encode(), "application/x-www-form-urlencoded"
