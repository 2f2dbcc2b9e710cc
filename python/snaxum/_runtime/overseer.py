"""The thread that ends the parts of cancelled requests, and watches handlers that may never end.

It also starts what runs after a response, and imports what the start has left for later. Owns the
wait for all of them. None needs the asyncio loop, which a handler may block. Never calls a handler,
and never waits for one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from .._core.late_log import late_log
from .._host import HostApi

_log = late_log()

# This long after the code has loaded, the modules are imported that later requests may need.
SETTLED_S = 1.0
# A longer wait ends when a request begins on the loop: then `check` is called soon.
SHORT_S = 0.5


class Overseer:
    """Calls `cancel` for requests whose client has left, or whose time is over.

    Calls `on_sent` once a response has been sent, if Python has asked for that.
    """

    def __init__(
        self,
        host: HostApi,
        cancel: Callable[[int], None],
        on_sent: Callable[[int], None],
        check: Callable[[], float | None],
        settle: Callable[[], float | None],
    ) -> None:
        """Prepare the thread; `check` returns the time until it is called again, if at all.

        So does `settle`, which is no longer called once it returns None.
        """
        self._host = host
        self._cancel = cancel
        self._on_sent = on_sent
        self._check = check
        self._settle = settle
        host.set_overseer_asleep(True)

    def start(self) -> None:
        threading.Thread(target=self._run, name="overseer", daemon=True).start()

    def _run(self) -> None:
        wait_s: float | None = SETTLED_S
        settles_in: float | None = SETTLED_S
        while True:
            for request, is_sent in self._host.wait_for_ended(wait_s):
                self._call(self._on_sent if is_sent else self._cancel, request)
            if settles_in is not None:
                settles_in = self._call(self._settle)
            # In this order: Rust and the loop wake it after they have added a request.
            self._host.set_overseer_asleep(True)
            waits = (self._call(self._check), settles_in)
            wait_s = min((wait for wait in waits if wait is not None), default=None)
            self._host.set_overseer_asleep(wait_s is None or wait_s > SHORT_S)

    def _call(self, function: Callable[..., float | None], *args: int) -> float | None:
        try:
            return function(*args)
        except Exception:
            _log.exception("internal error; please report this")
            return None
