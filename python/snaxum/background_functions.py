"""Functions that run after the response: `background`.

Owns the declaration. The server decides when one runs, and where (`_runtime.background`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import ParamSpec

from . import _registry

_P = ParamSpec("_P")


def background(function: Callable[_P, object], *args: _P.args, **kwargs: _P.kwargs) -> None:
    """Call `function(*args, **kwargs)` after the response to this request has been sent.

    A `def` runs in a thread, an `async def` on the event loop. The functions of one request run one
    after the other, in the code and with the context variables of the request. An exception is
    logged with its traceback, and the next function runs. None of them runs if the handler ends
    with an exception other than an HTTPError. The server waits for them when it stops.

    Raises TypeError for anything that cannot be called, RuntimeError outside of a request, and
    HTTPError(503) while `max-queue` functions wait. Without a server, as in a unit test, nothing is
    called.
    """
    if inspect.iscoroutine(function):
        name = function.__name__
        function.close()  # else Python warns later that it was never awaited
        raise TypeError(f"`background` got a coroutine; write `background({name}, ...)`")
    if not callable(function):
        kind = type(function).__name__
        raise TypeError(
            f"`background` got a {kind}; pass a function and its arguments: background(f, 1)"
        )
    if _registry.run_later is not None:
        _registry.run_later(function, args, kwargs)
    elif _registry.sink is not None:
        raise RuntimeError("`background` was called in a pool task; call it in the handler")
