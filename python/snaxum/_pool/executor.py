"""The interface of the pool: the executor that users see, and the error when it has no workers.

Owns what both views of the pool have in common. Never runs a task (`pool`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from itertools import chain, islice
from typing import Any

from ..http_errors import HTTPError
from .worker import call_each


class ServerExecutor(Executor):
    """An executor that belongs to the server: neither `shutdown` nor a `with` block ends it."""

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """Pass `isinstance(pool, ProcessPoolExecutor)`, which annotations and libraries rely on.

        A subclass would have to run its `__init__`, which makes queues, pipes and threads that are
        not used here, or skip it, and break with the next change of the standard library. It is not
        an ABC, so it registers no virtual subclass. `unittest.mock` uses the same property.
        """
        return ProcessPoolExecutor

    def map(
        self,
        fn: Callable[..., Any],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
    ) -> Iterator[Any]:
        """Like `map(fn, *iterables)`, in the workers, with `chunksize` calls a task."""
        if chunksize < 1:
            raise ValueError("chunksize must be >= 1.")
        calls = zip(*iterables)
        chunks = iter(lambda: list(islice(calls, chunksize)), [])
        results = super().map(partial(call_each, fn), chunks, timeout=timeout)
        return chain.from_iterable(results)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Do nothing: the pool is the server's, and outlives every handler."""


class PoolUnavailable(BrokenProcessPool, HTTPError):
    """No worker starts. A handler that does not catch it responds with 503."""

    def __init__(self, problem: str) -> None:
        HTTPError.__init__(self, 503, problem, {"retry-after": "1"})

    def __reduce__(self) -> tuple[Any, ...]:
        return (PoolUnavailable, (self.detail,))


def died(task: str) -> BrokenProcessPool:
    """Return the error of a task whose worker has died."""
    return BrokenProcessPool(f"the pool worker that ran {task} died; it is replaced")


def shut_down() -> RuntimeError:
    """Return the error of a task that has not ended at the stop of the server."""
    return RuntimeError("the server shut down before the task ended")
