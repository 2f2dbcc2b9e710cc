"""Endpoints for the Snaxum web server, as Python functions.

Owns the public names, and nothing else. `route` declares an endpoint, a handler gets a `Request`,
and returns JSON, text, bytes or a `Response`. A name is imported when it is first used: an import
of the package alone loads nothing of the server.
"""

# Type checkers know this name; an import of `typing` would take longer than the rest.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from . import worker as worker
    from ._core.client_address import ClientAddress
    from ._core.events import Event
    from ._core.route_errors import RouteError
    from .background_functions import background
    from .batching import Batch
    from .blueprints import (
        Blueprint,
        after_request,
        before_request,
        delete,
        errorhandler,
        get,
        middleware,
        patch,
        post,
        put,
        route,
        websocket,
    )
    from .capture import no_capture
    from .channels import Channel, Subscription
    from .event_stream import stream_events, stream_json_lines
    from .http import HTTPError, Request, Response, ValidationError
    from .lifecycle import keep, on_resume, on_shutdown, on_startup, on_unload
    from .logs import JsonFormatter
    from .markers import Body, Cookie, Form, Header, Path, Query
    from .mounts import mount
    from .responses import abort, redirect, send_file
    from .server_process import process
    from .state import State
    from .static_files import static
    from .templates import render
    from .uploads import UploadFile
    from .urls import url_for
    from .websockets import (
        BlockingWebSocket,
        InvalidMessage,
        WebSocket,
        WebSocketClosed,
    )

__all__ = [
    "Batch",
    "BlockingWebSocket",
    "Blueprint",
    "Body",
    "Channel",
    "ClientAddress",
    "Cookie",
    "Event",
    "Form",
    "HTTPError",
    "Header",
    "InvalidMessage",
    "JsonFormatter",
    "Path",
    "Query",
    "Request",
    "Response",
    "RouteError",
    "State",
    "Subscription",
    "UploadFile",
    "ValidationError",
    "WebSocket",
    "WebSocketClosed",
    "__version__",
    "abort",
    "after_request",
    "background",
    "before_request",
    "delete",
    "errorhandler",
    "get",
    "keep",
    "middleware",
    "mount",
    "no_capture",
    "on_resume",
    "on_shutdown",
    "on_startup",
    "on_unload",
    "patch",
    "post",
    "process",
    "put",
    "redirect",
    "render",
    "route",
    "send_file",
    "static",
    "stream_events",
    "stream_json_lines",
    "url_for",
    "websocket",
]

__version__ = "0.1.0"

if not TYPE_CHECKING:  # for a type checker, an unknown name is an error
    # The names of each module, as imported above.
    _NAMES_OF = {
        "_core.client_address": ("ClientAddress",),
        "_core.events": ("Event",),
        "background_functions": ("background",),
        "batching": ("Batch",),
        "blueprints": (
            "Blueprint",
            "after_request",
            "before_request",
            "delete",
            "errorhandler",
            "get",
            "middleware",
            "patch",
            "post",
            "put",
            "route",
            "websocket",
        ),
        "capture": ("no_capture",),
        "channels": ("Channel", "Subscription"),
        "event_stream": ("stream_events", "stream_json_lines"),
        "http": ("HTTPError", "Request", "Response", "ValidationError"),
        "lifecycle": ("keep", "on_resume", "on_shutdown", "on_startup", "on_unload"),
        "logs": ("JsonFormatter",),
        "markers": ("Body", "Cookie", "Form", "Header", "Path", "Query"),
        "mounts": ("mount",),
        "responses": ("abort", "redirect", "send_file"),
        "_core.route_errors": ("RouteError",),
        "server_process": ("process",),
        "state": ("State",),
        "static_files": ("static",),
        "templates": ("render",),
        "uploads": ("UploadFile",),
        "urls": ("url_for",),
        "websockets": ("BlockingWebSocket", "InvalidMessage", "WebSocket", "WebSocketClosed"),
    }
    # Modules that are attributes before their import.
    _MODULES = ("worker",)
    _MODULE_OF = {name: module for module, names in _NAMES_OF.items() for name in names}

    def __getattr__(name: str) -> object:
        if name in _MODULES:
            from importlib import import_module

            return import_module(f"{__name__}.{name}")
        module = _MODULE_OF.get(name)
        if module is not None:
            from importlib import import_module

            value = getattr(import_module(f"{__name__}.{module}"), name)
            globals()[name] = value
            return value
        if name[:1] == "_" or name in _NAMES_OF:
            # Asked for by an import of the module of this name.
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from ._core import foreign_names

        if name in foreign_names.FOREIGN:
            # An AttributeError would lose its message in `from snaxum import name`.
            raise ImportError(foreign_names.explain(name, __all__), name=__name__)
        message = foreign_names.explain(name, __all__)
        raise AttributeError(message or f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
