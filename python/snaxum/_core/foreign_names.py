"""The names of Flask, FastAPI and Starlette, and what they are here.

Owns the explanation of a name, and of a keyword, that `snaxum` does not have. Never imports either
of them.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

from .late_regex import late
from .near_names import near_names

_F = TypeVar("_F", bound=Callable[..., Any])

_DICT = "return the dict or list; it is sent as JSON"
_NO_APP = "there is no app object; put `@route` on functions in `python/`"
_OTHER = "import it from its own package; `mount(prefix, app)` runs the application here"
_BLUEPRINT = "use `Blueprint(name, prefix)`"

FOREIGN = {
    "APIRouter": _BLUEPRINT,
    "BackgroundTasks": "call `background(function, *args)` in the handler",
    "Depends": "call the function in the handler; `keep` stores what lives longer than a request",
    "FastAPI": _OTHER,
    "File": "annotate the parameter as `UploadFile`",
    "FileResponse": "use `send_file(path)`",
    "Flask": _OTHER,
    "HTMLResponse": "return the str; it is sent as HTML",
    "HTTPException": "use `HTTPError(status, detail)`, or `abort(status, detail)`",
    "JSONResponse": _DICT,
    "ORJSONResponse": _DICT,
    "PlainTextResponse": "use `Response(text, content_type='text/plain')`",
    "RedirectResponse": "use `redirect(location)`",
    "Router": _BLUEPRINT,
    "Starlette": _OTHER,
    "StaticFiles": "use `static(prefix, directory)`",
    "StreamingResponse": "return the generator, or use `stream_events` or `stream_json_lines`",
    "TestClient": "use `snaxum.testing.Client`",
    "WebSocketDisconnect": "use `WebSocketClosed`; iteration over the WebSocket ends without it",
    "app": _NO_APP,
    "current_app": _NO_APP,
    "flash": "store the message in a cookie, by `Response.set_cookie`",
    "g": "use `request.state`",
    "json_response": _DICT,
    "jsonify": _DICT,
    "make_response": "use `Response(body, status, headers)`",
    "render_template": "use `render('page.html', **values)`",
    "send_from_directory": "use `static(prefix, directory)`, or `send_file(path)`",
    "session": "use `request.cookies` and `Response.set_cookie`",
    "stream_with_context": "return the generator; it runs in the context of its request",
}

_PATH = "use `request.path`, and `request.query_string`"
_CLIENT = "use `request.client`; a proxy that `forwarded-allow-ips` names reports it"
_ROUTE = "use `request.method`, `request.path` and `request.path_params`"
# The attributes of a request, in lower case.
REQUEST = {
    "json": "the parsed JSON is `request.body`",
    "args": "use `request.query_params`",
    "get": "use `request.query_params`",
    "params": "use `request.path_params` or `request.query_params`",
    "query": "use `request.query_params`",
    "query_args": "use `request.query_params`",
    "values": "use `request.query_params` and `request.form`",
    "post": "use `request.form`",
    "forms": "use `request.form`",
    "get_data": "the bytes are `request.data`",
    "content": "the bytes are `request.data`",
    "raw": "the bytes are `request.data`",
    "match_info": "use `request.path_params`",
    "view_args": "use `request.path_params`",
    "url": _PATH,
    "full_path": _PATH,
    "base_url": _PATH,
    "mimetype": "use `request.content_type`",
    "cookie": "use `request.cookies`",
    "meta": "use `request.headers`",
    "g": "use `request.state`",
    "file": "use `request.files`",
    "get_json": "the parsed JSON is `request.body`",
    "is_json": "the parsed JSON is `request.body`, and None for another body",
    "hostname": "use `request.host`, which may have a port",
    "host_url": _PATH,
    "root_path": _PATH,
    "user_agent": "use `request.headers.get('user-agent')`",
    "authorization": "use `request.headers.get('authorization')`",
    "referrer": "use `request.headers.get('referer')`",
    "content_length": "use `request.headers.get('content-length')`",
    "remote_addr": "use `request.client`",
    "remote": "use `request.client`",
    "is_secure": "compare `request.scheme` with 'https'",
    "access_route": _CLIENT,
    "url_for": "use `snaxum.url_for(name, **params)`",
    "endpoint": _ROUTE,
    "url_rule": _ROUTE,
    "scope": _ROUTE,
    "app": "there is no app object; values of a module are its globals",
    "session": "use `request.cookies` and `Response.set_cookie`",
    "user": "use `request.state`",
    "auth": "use `request.state`",
}

_STATUS = "the status is `status`"
_TYPE = "the type is `content_type`"
_DETAIL = "the text is `detail`"
_HOOK = "use `@before_request` of a `Blueprint`, or call the function in the handler"
_ENDPOINT = "leave it out: `url_for` knows the route by the name of its function"

# By callable and keyword. `get` stands for all methods, and `Query` for all markers.
KEYWORDS = {
    ("route", "status_code"): "write `status=...`",
    ("route", "response_class"): "return a `Response(...)`, or a value of the type: a str is HTML",
    ("route", "name"): _ENDPOINT,
    ("route", "endpoint"): _ENDPOINT,
    ("route", "operation_id"): _ENDPOINT,
    ("route", "description"): "write it as the docstring of the handler",
    ("route", "dependencies"): _HOOK,
    ("route", "defaults"): "give the parameter of the handler a default",
    ("route", "strict_slashes"): "declare the path with and without the slash, as two routes",
    ("websocket", "batch"): "a WebSocket has a call of the handler of its own",
    ("get", "methods"): "use `@route(path, methods=[...])`",
    ("Response", "content"): "the body is the first argument, `body`",
    ("Response", "response"): "the body is the first argument, `body`",
    ("Response", "status_code"): _STATUS,
    ("Response", "media_type"): _TYPE,
    ("Response", "mimetype"): _TYPE,
    ("Response", "background"): "call `background(function, *args)` in the handler",
    ("redirect", "code"): _STATUS,
    ("redirect", "status_code"): _STATUS,
    ("redirect", "url"): "the address is the first argument, `location`",
    ("abort", "description"): _DETAIL,
    ("abort", "message"): _DETAIL,
    ("abort", "code"): _STATUS,
    ("abort", "status_code"): _STATUS,
    ("HTTPError", "description"): _DETAIL,
    ("HTTPError", "code"): _STATUS,
    ("send_file", "mimetype"): _TYPE,
    ("send_file", "media_type"): _TYPE,
    ("send_file", "path_or_file"): "the file is the first argument, `path`",
    ("send_file", "attachment_filename"): "the name is `filename`",
    ("send_file", "conditional"): "leave it out: conditions and ranges work without it",
    ("Blueprint", "url_prefix"): "the prefix is `prefix`",
    ("Blueprint", "import_name"): "leave it out: `Blueprint(name, prefix)`",
    ("Blueprint", "static_folder"): "use `static(prefix, directory)`",
    ("Blueprint", "dependencies"): _HOOK,
    ("Blueprint", "tags"): "give `tags` to each route",
    ("Query", "regex"): "the regular expression is `pattern`",
    ("Query", "convert_underscores"): "the name of the header is `alias`",
    ("Query", "embed"): "only `Body` has it",
    ("Query", "example"): "write `examples=[...]`",
    ("Query", "default_factory"): "give the parameter a default",
    (
        "static",
        "html",
    ): "the page of a directory is `index`; a single-page app has `spa=True`",
    ("static", "name"): "leave it out, and write the path of the file in its links",
}
# The functions that take the same keywords as another one.
_AS = {
    **dict.fromkeys(("get", "post", "put", "patch", "delete"), ("get", "route")),
    **dict.fromkeys(("Path", "Header", "Cookie", "Form", "Body", "Marker"), ("Query",)),
}


def explain_keyword(function: str, keyword: str) -> str | None:
    """Return what to write instead of `keyword` in a call of `function`, a public name."""
    for name in _AS.get(function, (function,)):
        if (name, keyword) in KEYWORDS:
            return f"there is no `{keyword}` here; {KEYWORDS[name, keyword]}"
    return None


# The packages with responses and exceptions of their own.
_PACKAGES = ("fastapi", "starlette", "flask", "werkzeug", "quart", "litestar")


def explain_object(value: object) -> str | None:
    """Return what to write instead of a response, or an exception, of another framework."""
    for kind in type(value).__mro__:
        package = str(kind.__module__).partition(".")[0]
        if package not in _PACKAGES:
            continue
        if kind.__name__ == "HTTPException":
            return f"it is of {package}, which is not asked here; {FOREIGN['HTTPException']}"
        if kind.__name__ in FOREIGN and kind.__name__.endswith("Response"):
            return f"it is of {package}; {FOREIGN[kind.__name__]}"
        if kind.__name__ == "Response":
            return f"it is of {package}; return the `Response` of `snaxum`, or its body"
    return None


def explained(function: _F) -> _F:
    """Make a function whose error for a keyword of another framework has the explanation."""
    # Python 3.13 adds the most similar keyword, which need not mean the same.
    mistake = late(
        rf"({re.escape(function.__qualname__)}\(\) got an unexpected keyword argument '(\w+)')"
        r"(?:\. Did you mean '\w+'\?)?$"
    )
    name = function.__qualname__.removesuffix(".__init__").rpartition(".")[2]

    @functools.wraps(function)
    def call(*args: Any, **named: Any) -> Any:
        try:
            return function(*args, **named)
        except TypeError as error:
            found = mistake.match(str(error))
            more = explain_keyword(name, found[2]) if found else None
            if found is None or more is None:
                raise
            raise TypeError(f"{found[1]}; {more}") from None

    return cast(_F, call)


def explain(name: str, public: Iterable[str]) -> str | None:
    """Return what to use instead of `name`; None if it is unlike any name."""
    if name in FOREIGN:
        return f"snaxum has no `{name}`; {FOREIGN[name]}"
    near = near_names(name, public, cutoff=0.8)
    return f"snaxum has no `{name}`; did you mean `{near[0]}`?" if near else None
