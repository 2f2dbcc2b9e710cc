"""How much a reload of an application of BlackSheep must do: functions such as its `get` store
routes in a router of the process, which has the routes of every run.

Owns the choice of a new process. An application with a router of its own reloads here. Never
imports BlackSheep.
"""

from __future__ import annotations

import sys
from typing import Any

from .._core.objects import namespace


def restart_reason() -> str:
    """Return why a change needs a new process; "" if it does not."""
    router: Any = namespace(sys.modules.get("blacksheep.server.routing")).get("router")
    if router is None:
        return ""
    try:
        is_used = any(router.routes.values()) or bool(router.registered_routes)
    except Exception:  # another version of it
        return ""
    return "BlackSheep stores the routes of its decorators for the life of a process" * is_used
