"""Endpoints for the Snaxum web server, as Python functions.

Owns the public names, and nothing else. `route` declares an endpoint, a handler gets a `Request`,
and returns JSON, text, bytes or a `Response`.
"""

from .capture import no_capture
from .http import HTTPError, Request, Response
from .lifecycle import keep, on_resume, on_shutdown, on_startup, on_unload
from .routing import RouteError, route
from .static_files import static
from .templates import render

__all__ = [
    "HTTPError",
    "Request",
    "Response",
    "RouteError",
    "__version__",
    "keep",
    "no_capture",
    "on_resume",
    "on_shutdown",
    "on_startup",
    "on_unload",
    "render",
    "route",
    "static",
]

__version__ = "0.1.0"
