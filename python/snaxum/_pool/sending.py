"""Sends large tasks from a thread of their own, so that the asyncio loop waits for no pipe.

A pipe has room for a small message; for a larger one, the sender waits while the worker reads.
Never pickles: that needs the interpreter in any thread, and an error belongs to the caller.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

# The bytes that the empty pipe of an idle worker takes at once, on each system.
ROOM = 60_000


def send_large(send: Callable[[], None]) -> None:
    """Call `send`: in a thread of its own if this one runs the loop."""
    # Another thread may import it now: then no loop runs yet.
    running_loop = getattr(sys.modules.get("asyncio"), "_get_running_loop", None)
    if running_loop is not None and running_loop() is not None:
        try:
            threading.Thread(target=send, name="snaxum-send", daemon=True).start()
            return
        except RuntimeError:
            pass  # the system has no thread for it
    send()
