"""Endpoints for the Snaxum web server, as Python functions.

Owns the public names, and nothing else. `route` declares an endpoint, a handler gets a `Request`,
and returns JSON, text, bytes or a `Response`.
"""

from .capture import no_capture
from .http import HTTPError, Request, Response
from .lifecycle import keep, on_resume, on_shutdown, on_startup, on_unload
from .routing import RouteError, route

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
    "route",
]

__version__ = "0.1.0"
