"""Writes the stack of a crash to a file of the process that started this one.

Owns `faulthandler` in `snaxum dev`, and a wrapper of `os._exit`, which ends a process without a
trace. A module that calls it while it loads is rejected instead. Never reads the file.
"""

from __future__ import annotations

import faulthandler
import os
from functools import wraps
from typing import NoReturn

from .._runtime import generations


def install(fd: int) -> None:
    """Write the stacks to `fd`, with a mark at the thread that crashes or calls `os._exit`."""
    faulthandler.enable(fd, all_threads=True)
    server, end = os.getpid(), os._exit

    @wraps(end)
    def _exit(status: int) -> NoReturn:
        # A forked child ends this way too.
        if os.getpid() == server:
            staging = generations.staging()
            if staging is not None and staging.is_here():
                raise SystemExit(status)
            os.write(fd, f"os._exit({status!r})\n\n".encode(errors="replace"))
            faulthandler.dump_traceback(fd, all_threads=True)
        end(status)

    os._exit = _exit
