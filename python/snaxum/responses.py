"""Functions for the responses that handlers give most: a redirect, an error, a file.

Owns `redirect`, `abort` and `send_file`. Never sends anything: Rust reads and sends the file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, Any, NoReturn
from urllib.parse import quote

from ._core import files
from ._core.foreign_names import explained
from .headers import Pairs
from .http_errors import GivenHeaders, HTTPError
from .response import Response

_REDIRECTS = (300, 301, 302, 303, 307, 308)
# The characters that have a meaning in an address, and `%`, which begins an escape already.
_ADDRESS = "!#$%&'()*+,/:;=?@[]~"


@explained
def redirect(location: str, status: int = 302, headers: GivenHeaders = None) -> Response:
    """Send the client to another address, absolute or as a path of this server.

    302 and 303 make the browser GET it; 307 and 308 repeat the method and the body; 301 and 308 are
    permanent, and browsers store them. Raises TypeError or ValueError.
    """
    if status not in _REDIRECTS:
        allowed = ", ".join(map(str, _REDIRECTS))
        raise ValueError(f"`redirect` got the status {status!r}; use one of {allowed}")
    if not isinstance(location, str):
        kind = type(location).__name__
        raise TypeError(
            f"`redirect` got a {kind}; pass the address as a str, as url_for returns it"
        )
    response = Response(None, status, headers)
    response.headers["location"] = quote(location, safe=_ADDRESS)
    return response


@explained
def abort(status: int, detail: str = "", headers: GivenHeaders = None) -> NoReturn:
    """End the request with an error: raises `HTTPError`, which an error handler may catch.

    `status` is 400 to 599, and `detail` a sentence for the client.
    """
    if isinstance(status, Response):
        raise TypeError("`abort` got a Response; return it, or pass a status and a text")
    raise HTTPError(status, detail, headers)


@explained
def send_file(
    path: str | os.PathLike[str] | IO[Any],
    filename: str | None = None,
    *,
    as_attachment: bool | None = None,
    download_name: str | None = None,
    content_type: str | None = None,
    max_age: int | None = None,
    headers: GivenHeaders = None,
) -> Response:
    """Respond with a file; a relative path begins at the working directory of the server.

    `filename` makes the browser save the file under this name. `as_attachment=True` does so with
    the file's own name; `download_name` names the file, and the browser may still show it. The
    content type follows from the name. Clients store the file for `max_age` seconds; without it
    they ask each time whether it has changed. A path is sent by Rust, as a whole or in ranges, or
    not at all to a client that has it (ETag, Last-Modified); an open file is sent from its position
    on, and a buffer as a whole. A file that does not exist is a 404.

    The path must not come from the client: for a directory of files there is `static`.
    """
    if isinstance(path, str | os.PathLike):
        body: object = Path(path)
    elif files.is_file(path):
        body = path
    else:
        kind = type(path).__name__
        raise TypeError(f"`send_file` got a {kind}; pass a path or an open file, or return it")
    name = filename if filename is not None else download_name
    if as_attachment and name is None:
        name = files.name_of(body)
        if not name:
            raise TypeError("`send_file` has no name for the attachment; pass `filename`")
    pairs: Pairs = []
    if name is not None:
        is_attachment = filename is not None if as_attachment is None else as_attachment
        pairs = [("content-disposition", _disposition(name, is_attachment=is_attachment))]
    if max_age is not None:
        pairs = [*pairs, ("cache-control", f"max-age={int(max_age)}")]
    response = Response(body, content_type=content_type or _type_of(body, name))
    for each, value in pairs:
        response.headers[each] = value
    for each, value in Response(headers=headers).headers.multi_items():
        response.headers.add(each, value)
    return response


def _type_of(body: object, name: str | None) -> str:
    own = files.content_type(body)
    if name is None or own not in (files.BYTES, files.TEXT):
        return own
    return files.content_type(Path(name))


def _disposition(name: str, *, is_attachment: bool) -> str:
    """Write a Content-Disposition header; the name in ASCII, and if it is not, in UTF-8 too."""
    kind = "attachment" if is_attachment else "inline"
    name = os.path.basename(name.replace("\\", "/"))
    plain = "".join(c if " " <= c <= "~" and c not in '"\\%' else "_" for c in name)
    text = f'{kind}; filename="{plain}"'
    if plain == name:
        return text
    return f"{text}; filename*=UTF-8''{quote(name.encode(errors='replace'), safe='')}"
