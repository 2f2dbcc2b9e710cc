"""The routes of the framework: the OpenAPI document, and the page that shows it.

Owns their handlers. They belong to no module and to no table: a request gets them when no route of
the user has its path (`_runtime.dispatch`), so a document is never older than its generation.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from typing import Any

from .._core.digests import blake2b
from .._host import HostApi
from .._runtime import leases
from .._runtime.generations import current
from ..http import HTTPError, Request, Response
from ..routing import Route
from . import project
from .serving import document_of

# RapiDoc sets styles of its own. It may ask this server for anything, and no other one.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: "
    "blob:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
)
# The modules of the page import each other by these names.
_FILES = (
    "docs.css",
    "docs.js",
    "vendor/rapidoc-min.js",
    "vendor/preact-htm.js",
    "components/format.js",
    "components/facts.css",
    "page/base.css",
    "page/colors.css",
    "page/theme.css",
    "try-it/try-it.css",
    "try-it/form.js",
    "try-it/fields.js",
    "try-it/operation.js",
    "try-it/request-parser.js",
    "try-it/schema.js",
)
_HEADERS = {"cache-control": "no-cache", "x-content-type-options": "nosniff"}


class FrameworkRoute(Route):
    """A route that is not the user's: no list has it, so it has no id."""

    def __init__(self, pattern: str, handler: Callable[..., Any]) -> None:
        super().__init__(pattern, None, handler)
        self.id = None  # type: ignore[assignment]


def routes(openapi_url: str, docs_url: str, directory: str, host: HostApi) -> dict[str, Route]:
    """Return the routes by path: of the document, and of the page and its files.

    An empty URL has no route. `directory` is that of the project.
    """
    found: dict[str, Route] = {}
    if not openapi_url:
        return found

    def openapi(request: Request) -> Response:
        return _document(request, directory)

    found[openapi_url] = FrameworkRoute(openapi_url, openapi)
    if not docs_url:
        return found
    # Relative, as a proxy may add a prefix to all paths.
    directory_of_page = posixpath.dirname(docs_url)
    document = posixpath.relpath(openapi_url, directory_of_page)
    root = posixpath.relpath("/", directory_of_page)
    assets = posixpath.basename(docs_url) or "."
    title = f"{project.read(directory)['title']} API"

    def docs(request: Request) -> Response:
        page = host.docs_page(title, document, assets, root)
        return _cached(request, page.encode(), "text/html; charset=utf-8", policy=_POLICY)

    found[docs_url] = FrameworkRoute(docs_url, docs)
    for name in _FILES:
        path = f"{docs_url.rstrip('/')}/{name}"
        found.setdefault(path, FrameworkRoute(path, _asset_handler(host, name)))
    return found


def _asset_handler(host: HostApi, name: str) -> Callable[[Request], Response]:
    def asset(request: Request) -> Response:
        file = host.docs_file(name)
        if file is None:
            raise HTTPError(404, f"the docs page has no file {name}")
        content_type, data = file
        return _cached(request, data, content_type)

    return asset


def _document(request: Request, directory: str) -> Response:
    generation = leases.for_caller() or current()
    return _cached(request, document_of(generation, directory).encode(), "application/json")


def _cached(
    request: Request, body: bytes, content_type: str, *, policy: str | None = None
) -> Response:
    """Respond with a body, or with 304 to a client that has it."""
    # Weak: a layer may compress it.
    tag = f'W/"{blake2b(body, digest_size=16).hexdigest()}"'
    headers = {**_HEADERS, "etag": tag}
    if policy is not None:
        headers["content-security-policy"] = policy
    known = request.headers.get("if-none-match", "")
    if known.strip() == "*" or tag.removeprefix("W/") in known:
        return Response(None, 304, headers)
    return Response(body, 200, headers, content_type)
