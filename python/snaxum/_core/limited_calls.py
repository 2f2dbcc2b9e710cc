"""Calls that are waited for a limited time; a longer one continues on its thread."""

from __future__ import annotations

import threading
from collections.abc import Callable


def call_within(limit: float, function: Callable[[], object], name: str | None = None) -> bool:
    """Call `function`, wait at most `limit` s, and report whether it has returned.

    CPython 3.12.0 and 3.12.1 start no thread once the interpreter ends (gh-113964): the call has no
    limit then.
    """
    thread = threading.Thread(target=function, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        function()
        return True
    thread.join(limit)
    return not thread.is_alive()
