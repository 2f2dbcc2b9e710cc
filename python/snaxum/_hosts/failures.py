"""The traceback of an exception in an application, for the console.

Owns its description. Never sends it.
"""

from __future__ import annotations

from typing import Any

from .._core.foreign_names import explain_object
from .._debug import traceback
from .._runtime.runtime import running
from ..capture import is_private
from ..routing import Route


def describe_failure(error: BaseException, route: Route) -> dict[str, Any]:
    """Return the traceback as plain data."""
    with_locals = running().with_locals and not is_private(route.handler)
    failure = traceback.capture(error, with_locals=with_locals)
    if explain_object(error) is not None:
        failure["hint"] = None  # the advice is for handlers of this framework
    return failure
