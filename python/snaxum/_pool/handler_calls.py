"""The side of the worker process for a handler with `workers`: its warm-up, and its calls.

Owns the form of the results on their way to the server: a result that cannot be sent is the error
of its own request. Runs in a worker, in the code that the server has given it (`worker`).
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

from .._core.batch_results import results_in
from .._core.handlers import Handler
from .._core.objects import is_awaitable
from .worker import picklable


def warm_up(handler: Handler, function: Callable[[], object] | None) -> None:
    """Call the warm-up; the module of `handler` has loaded already."""
    result: Any = function() if function is not None else None
    if is_awaitable(result):
        import asyncio  # large, and rarely needed

        async def wait() -> None:
            await result

        asyncio.run(wait())


def call(
    handler: Handler, args: tuple[Any, ...], kwargs: dict[str, Any], count: int | None
) -> bytes:
    """Call a handler for `count` requests; return the results, pickled. None: for one, without
    lists."""
    returned = handler(*args, **kwargs)
    results = [returned] if count is None else results_in(returned, count, handler)
    results = [picklable(each) if isinstance(each, BaseException) else each for each in results]
    try:
        return pickle.dumps(results, pickle.HIGHEST_PROTOCOL)
    except Exception:
        return pickle.dumps([_sendable(each) for each in results], pickle.HIGHEST_PROTOCOL)


def _sendable(result: Any) -> Any:
    """Return a result, or the error instead if it cannot be pickled."""
    try:
        pickle.dumps(result, pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        kind = type(result).__name__
        return TypeError(f"a worker cannot send a {kind}: {error}; return plain data")
    return result
