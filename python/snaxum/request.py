"""Requests, as a handler reads them.

Owns `Request`, a lazy view of the request that Rust received: each attribute is parsed on first
use, and once. Never sends a response; an unreadable body raises an HTTPError.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ._core import foreign_names
from ._core.json_encoding import dumps
from ._core.late_module import late_module, late_modules
from ._core.near_names import near_names
from ._core.text_encoding import text_codec
from .headers import Cookies, Fields, Headers, Pairs, QueryParams, RequestHeaders
from .http_errors import HTTPError

if TYPE_CHECKING:
    import urllib.parse as url_parts
    from typing import Protocol

    from . import state as states
    from . import uploads
    from ._core import body_chunks, built_request, client_address, cookies, forms, json_decoding
    from .uploads import RawFile
else:
    Protocol = object  # each one takes long to make
    url_parts = late_module("urllib.parse")
    states, uploads = late_modules("snaxum", "state uploads")
    body_chunks, built_request, client_address, cookies, forms, json_decoding = late_modules(
        "snaxum._core", "body_chunks built_request client_address cookies forms json_decoding"
    )

_max_form_fields = 1000


def set_max_form_fields(count: int) -> None:
    """Set the option `max-form-fields`."""
    global _max_form_fields
    _max_form_fields = count


class RawRequest(Protocol):
    """The request that Rust lends, as it arrived, with its path decoded."""

    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def query(self) -> str: ...
    def headers(self) -> list[tuple[str, str]]: ...
    def body(self) -> bytes: ...
    def origin(self) -> tuple[tuple[str, int] | None, str, str]:
        """Return the client's address, the scheme, and the host."""

    def form(self) -> tuple[list[tuple[str, str]], list[RawFile]] | None:
        """Return the fields and the files of a multipart body; None for any other."""


class Request:
    """One HTTP request.

    - `method`, `path`, `query_string`: as received, the path percent-decoded
    - `path_params`: the converted values of the route's parameters
    - `query_params`, `form`, `files`: last value wins, `get_all` has the others; `form` has the
      fields of application/x-www-form-urlencoded and multipart/form-data, and is empty for anything
      else; `files` has each `UploadFile` of multipart/form-data
    - `headers`: by name in any case; `content_type` is "" if there is none; `cookies` is a dict
    - `client`: the `ClientAddress`, a str; None on a Unix socket; `scheme`: `http` or `https`;
      `host`: as the client has addressed it, with a port unless it is the scheme's own. A proxy
      that `forwarded-allow-ips` names reports these three
    - `last_event_id`: the id of the last event that a returning client of `stream_events` has
    - `data`: the body as bytes, unless it is multipart; `text`: decoded by its charset, UTF-8 if it
      names none
    - `body`: parsed JSON. None without a body, or with a content type that is not JSON, or with
      none and a body that does not parse. Declared JSON that does not parse raises
      HTTPError(400).
    - `request_id`, `trace_id`: its id and that of its trace, in the response and in logs;
      `traceparent`: the header for requests of yours to other servers, its children in the trace
    - `state`: values of your own by name, beside the values of layers in Rust
    """

    # Python calls `__getattr__` for an empty slot, which fills it: the second access costs no
    # call.
    __slots__ = (
        "_raw",
        "body",
        "client",
        "content_type",
        "cookies",
        "data",
        "files",
        "form",
        "headers",
        "host",
        "last_event_id",
        "method",
        "path",
        "path_params",
        "query_params",
        "query_string",
        "request_id",
        "scheme",
        "state",
        "text",
        "trace_id",
        "traceparent",
    )

    method: str
    path: str
    client: client_address.ClientAddress | None
    scheme: str
    host: str
    path_params: dict[str, Any]
    query_string: str
    query_params: QueryParams
    headers: Headers
    content_type: str
    cookies: dict[str, str]
    last_event_id: str | None
    data: bytes
    text: str
    body: Any
    form: QueryParams
    files: Fields[uploads.UploadFile]
    request_id: str
    trace_id: str
    traceparent: str
    state: states.State

    def __init__(self, raw: RawRequest, path_params: dict[str, Any]) -> None:
        self._raw = raw
        self.path_params = path_params

    @classmethod
    def build(
        cls,
        method: str = "GET",
        path: str = "/",
        *,
        query: str | Mapping[str, Any] = "",
        headers: Mapping[str, str] | Pairs | None = None,
        body: bytes | str = b"",
        json: object = None,
        form: Mapping[str, Any] | None = None,
        files: Mapping[str, uploads.UploadFile | bytes] | None = None,
        path_params: dict[str, Any] | None = None,
        client: str | None = "127.0.0.1",
        scheme: str = "http",
    ) -> Request:
        """Make a request for a unit test of a handler.

        With `files` it is multipart; an item of bytes is a file with the name of its field.
        `client` is an IP address. The host is the header's, else `testserver`.
        """
        if form is not None or files is not None:
            if body or json is not None:
                raise ValueError("body or json is given beside form or files; pass one of them")
            request = cls._build_form(
                method,
                path,
                query,
                headers,
                form or {},
                files,
                {} if path_params is None else path_params,
            )
            request._set_origin(client, scheme)
            return request
        pairs = list(headers.items() if isinstance(headers, Mapping) else headers or ())
        if json is not None:
            if body:
                raise ValueError("body and json are both given; pass one of them")
            body = dumps(json)
            if not any(name.lower() == "content-type" for name, _ in pairs):
                pairs.append(("content-type", "application/json"))
        if not isinstance(query, str):
            query = url_parts.urlencode(query, doseq=True)
        data = body.encode() if isinstance(body, str) else body
        raw = built_request.BuiltRequest(method.upper(), path, query.removeprefix("?"), pairs, data)
        request = cls(raw, {} if path_params is None else path_params)
        request._set_origin(client, scheme)
        return request

    def _set_origin(self, client: str | None, scheme: str) -> None:
        self.client = None if client is None else client_address.ClientAddress(client)
        self.scheme = scheme

    @classmethod
    def _build_form(
        cls,
        method: str,
        path: str,
        query: str | Mapping[str, Any],
        headers: Mapping[str, str] | Pairs | None,
        form: Mapping[str, Any],
        files: Mapping[str, uploads.UploadFile | bytes] | None,
        path_params: dict[str, Any],
    ) -> Request:
        encoded = url_parts.urlencode(form, doseq=True)
        mime = "application/x-www-form-urlencoded" if files is None else "multipart/form-data"
        given = list(headers.items() if isinstance(headers, Mapping) else headers or ())
        request = cls.build(
            method,
            path,
            query=query,
            headers=[*given, ("content-type", mime)],
            body=encoded if files is None else b"",
            path_params=path_params,
        )
        if files is not None:
            request.form = QueryParams.parse(encoded, kind="form field")
            kind = uploads.UploadFile
            made = [
                (name, file if isinstance(file, kind) else kind.build(file, name))
                for name, file in files.items()
            ]
            request.files = Fields(made, kind="file")
        return request

    def stream(self) -> body_chunks.BodyChunks:
        """Return the body in chunks, for `async for`, or `for` in a `def` handler.

        Where the handler itself calls this, or its route has `stream_body=True`, it starts before
        the body has arrived, and the body is never in memory as a whole. Elsewhere it is
        complete before the first chunk.
        """
        return body_chunks.BodyChunks(body_chunks.pieces(self.data))

    if not TYPE_CHECKING:  # for a type checker, an unknown attribute is an error

        def __getattr__(self, name: str) -> Any:
            read = _READ.get(name)
            if read is None:
                raise AttributeError(_unknown(name))
            value = read(self)
            setattr(self, name, value)
            return value

    def __repr__(self) -> str:
        query = f"?{self.query_string}" if self.query_string else ""
        return f"<Request {self.method} {self.path}{query}>"


def _unknown(name: str) -> str:
    """Explain an attribute that a request does not have, with the one to use instead."""
    if instead := foreign_names.REQUEST.get(name.lower()):
        return f"a request has no `{name}`; {instead}"
    near = near_names(name, _READ)
    names = ", ".join((*_READ, "path_params, stream()"))
    hint = f"did you mean `{near[0]}`?" if near else f"it has {names}"
    return f"a request has no `{name}`; {hint}; values of your own go to `request.state`"


def _client(request: Request) -> client_address.ClientAddress | None:
    address = request._raw.origin()[0]
    return None if address is None else client_address.ClientAddress(*address)


def _content_type(request: Request) -> str:
    # The server finds it without a list of all headers.
    read = getattr(request._raw, "content_type", None)
    return request.headers.get("content-type", "") if read is None else str(read())


def _mime(request: Request) -> str:
    return request.content_type.partition(";")[0].strip().lower()


def _charset(request: Request) -> str:
    """Return the charset of the content type, if it is a text encoding; else UTF-8."""
    for parameter in request.content_type.split(";")[1:]:
        name, _, value = parameter.partition("=")
        is_charset = name.strip().lower() == "charset"
        if is_charset and (codec := text_codec(value.strip().strip('"'))):
            return codec
    return "utf-8"


def _text(request: Request) -> str:
    return request.data.decode(_charset(request), errors="replace")


def _body(request: Request) -> Any:
    decode = getattr(request._raw, "json", None)  # the server has it
    if decode is not None and (decoded := decode()) is not None:
        return decoded[0]
    mime = _mime(request)
    declared = mime == "application/json" or mime.endswith("+json")
    if (mime and not declared) or not request.data:
        return None
    try:
        return json_decoding.loads(request.data)
    except json_decoding.DecodingError as error:
        if declared:
            if coding := request.headers.get("content-encoding"):
                detail = f"the body has the coding `{coding}`; send gzip, deflate or none"
                raise HTTPError(415, detail) from None
            raise HTTPError(400, f"the body is not valid JSON: {error}") from None
        return None


def _form(request: Request) -> QueryParams:
    mime = _mime(request)
    if mime == "multipart/form-data":
        form = request._raw.form()
        return QueryParams(form[0] if form else (), kind="form field")
    if mime != "application/x-www-form-urlencoded":
        note = f"{_sent(request)}, not application/x-www-form-urlencoded"
        return QueryParams((), kind="form field", note=note)
    try:
        fields = forms.parse(request.data, _charset(request), _max_form_fields)
    except forms.FormError as error:
        raise HTTPError(error.status, str(error)) from None
    return QueryParams(fields, kind="form field")


def _files(request: Request) -> Fields[uploads.UploadFile]:
    if _mime(request) != "multipart/form-data":
        return Fields((), kind="file", note=f"{_sent(request)}, not multipart/form-data")
    form = request._raw.form()
    sent = form[1] if form else ()
    files = [(name, uploads.UploadFile(content, *names)) for name, *names, content in sent]
    return Fields(files, kind="file")


def _sent(request: Request) -> str:
    return f"the body is `{request.content_type}`" if request.content_type else "it has no type"


def _cookies(request: Request) -> dict[str, str]:
    try:
        return Cookies(cookies.parse_cookies(request.headers.get("cookie", "")))
    except ValueError as error:
        raise HTTPError(400, f"the header Cookie is malformed: {error}") from None


def _data(request: Request) -> bytes:
    data = request._raw.body()
    if not data and _mime(request) == "multipart/form-data" and request._raw.form() is not None:
        raise HTTPError(
            415,
            "the body is `multipart/form-data`, which has no `data`: it was parsed as it arrived; "
            "use `request.form` and `request.files`, or add `stream_body=True` to the route and "
            "read `request.stream()`",
        )
    return data


_NO_IDENTITY = ("0", f"{1:032x}", f"00-{1:032x}-{1:016x}-00")


def _identity(request: Request, part: int) -> str:
    read = getattr(request._raw, "identity", None)
    return str((_NO_IDENTITY if read is None else read())[part])


_READ: dict[str, Callable[[Request], Any]] = {
    "method": lambda request: request._raw.method,
    "path": lambda request: request._raw.path,
    "query_string": lambda request: request._raw.query,
    "query_params": lambda request: QueryParams.parse(request.query_string),
    "headers": lambda request: RequestHeaders(request._raw.headers()),
    "client": _client,
    "scheme": lambda request: request._raw.origin()[1],
    "host": lambda request: request._raw.origin()[2],
    "content_type": _content_type,
    "cookies": _cookies,
    "last_event_id": lambda request: request.headers.get("last-event-id"),
    "data": _data,
    "text": _text,
    "body": _body,
    "form": _form,
    "files": _files,
    "request_id": lambda request: _identity(request, 0),
    "trace_id": lambda request: _identity(request, 1),
    "traceparent": lambda request: _identity(request, 2),
    "state": lambda request: states.state_of(request._raw),
}

# The names of all attributes that are values.
ATTRIBUTES = frozenset((*_READ, "path_params"))


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        """Explain the names of Flask's `request`, which `from snaxum import request` is not."""
        raise AttributeError(
            f"the module `{__name__}` has no `{name}`; a handler gets its request as a parameter: "
            "`def handler(request: Request)`"
        )
