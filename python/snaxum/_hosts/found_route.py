"""The route that an application has found for a request, for the console, metrics and access log.

Owns the places where frameworks store it. Only where requests are observed or timed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._core.mounted_routes import route_for
from .._host import Exchange
from ..mounts import Mount
from ..routing import Route


def record_route(exchange: Exchange, route: Route, found: Mapping[str, Any]) -> None:
    """Record the route of a request; `found` is its scope, or its environ."""
    mount = route.origin
    if not isinstance(mount, Mount):
        return
    rule = getattr(found.get("werkzeug.request"), "url_rule", None)
    keys = (found.get("route"), found.get("route_handler"), found.get("endpoint"), rule)
    try:
        inner = route_for(mount, keys)
    except Exception:  # an object of the user's may raise on any question
        return
    if inner is not None:
        exchange.found(inner)
