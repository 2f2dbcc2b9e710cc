"""The names of Flask, FastAPI and Starlette, and what they are here.

Owns the explanation of a name that `snaxum` does not have. Never imports either of them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_DICT = "return the dict or list; it is sent as JSON"
_NO_APP = "there is no app object; put `@route` on functions in `python/`"
_BLUEPRINT = "use `Blueprint(name, prefix)`"

FOREIGN = {
    "APIRouter": _BLUEPRINT,
    "BackgroundTasks": "call `background(function, *args)` in the handler",
    "Depends": "call the function in the handler; `keep` stores what lives longer than a request",
    "FastAPI": _NO_APP,
    "File": "annotate the parameter as `UploadFile`",
    "FileResponse": "use `send_file(path)`",
    "Flask": _NO_APP,
    "HTMLResponse": "return the str; it is sent as HTML",
    "HTTPException": "use `HTTPError(status, detail)`, or `abort(status, detail)`",
    "JSONResponse": _DICT,
    "ORJSONResponse": _DICT,
    "PlainTextResponse": "use `Response(text, content_type='text/plain')`",
    "RedirectResponse": "use `redirect(location)`",
    "Router": _BLUEPRINT,
    "Starlette": _NO_APP,
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


def explain(name: str, public: Iterable[str]) -> str | None:
    """Return what to use instead of `name`; None if it is unlike any name."""
    if name in FOREIGN:
        return f"snaxum has no `{name}`; {FOREIGN[name]}"
    near = difflib.get_close_matches(name, public, n=1, cutoff=0.8)
    return f"snaxum has no `{name}`; did you mean `{near[0]}`?" if near else None
